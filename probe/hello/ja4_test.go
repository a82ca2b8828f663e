package hello

import (
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"testing"
)

// chrome is the hello of the specification's own example, which the specification fingerprints as
// t13d1516h2_8daaf6152771_e5627efa2ab1; GREASE is added where Chrome puts it.
var chrome = ClientHello{
	LegacyVersion: 0x0303,
	ALPN:          []string{"h2", "http/1.1"},
	Ciphers: []uint16{
		0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
	},
	Extensions: []uint16{
		0x7a7a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0xdada,
	},
	SignatureAlgorithms: []uint16{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601},
	SupportedVersions:   []uint16{0x4a4a, 0x0304, 0x0303},
}

// The example that FoxIO publishes with the specification.
func TestJA4Published(t *testing.T) {
	t.Parallel()
	if got := chrome.ja4(false); got != "t13d1516h2_8daaf6152771_e5627efa2ab1" {
		t.Errorf("got %s", got)
	}
	shuffled := chrome
	shuffled.Extensions = slices.Clone(chrome.Extensions)
	slices.Reverse(shuffled.Extensions)
	if shuffled.ja4(false) != chrome.ja4(false) {
		t.Error("the order of extensions changes the fingerprint")
	}
}

// Computed by hand: echo -n 1301 | sha256sum, and echo -n 002b | sha256sum.
func TestJA4(t *testing.T) {
	t.Parallel()
	versions := extension(extSupportedVersions, 4, 0x0a, 0x0a, 3, 4)
	msg := message(extension(0x5a5a), serverName("example.com"), extension(extALPN, 0, 3, 2, 'h', '3'), versions)
	for _, c := range []struct {
		name string
		b    []byte
		quic bool
		want string
	}{
		{"no extensions", message(), false, "t12i010000_0f2cb44170f4_000000000000"},
		{"a message", msg, true, "q13d0103h3_0f2cb44170f4_b9a491fefe05"},
		{"its records", records(msg, 20), false, "t13d0103h3_0f2cb44170f4_b9a491fefe05"},
	} {
		if got, err := JA4(c.b, c.quic); got != c.want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", c.name, got, err, c.want)
		}
	}
}

// The specification's table of odd protocol names.
func TestJA4ALPN(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"":              "00",
		"h2":            "h2",
		"http/1.1":      "h1",
		"x":             "xx",
		"\xab":          "ab",
		"\xab\xcd":      "ad",
		"0\xab":         "3b",
		"01\xab\xcd":    "3d",
		"0\xab\xcd1":    "01",
		"\x0a\x0a":      "0a",
		"quic-\xff":     "7f",
		"spdy/\x7e\x31": "s1",
	} {
		if got := (&ClientHello{ALPN: []string{name}}).ja4ALPN(); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

func TestJA4Version(t *testing.T) {
	t.Parallel()
	for version, want := range map[uint16]string{0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2", 0x7f1c: "00"} {
		if got := (&ClientHello{LegacyVersion: version}).ja4Version(); got != want {
			t.Errorf("%#04x: got %s, want %s", version, got, want)
		}
	}
}

// One configuration has one fingerprint, whatever the name: crypto/tls changes nothing else.
func TestJA4OfGo(t *testing.T) {
	t.Parallel()
	fingerprint := func(name string) string {
		ja4, err := JA4(sent(t, &tls.Config{ServerName: name, NextProtos: []string{"h2", "http/1.1"}}), false)
		if err != nil {
			t.Fatal(err)
		}
		return ja4
	}
	a, b := fingerprint("a.example.com"), fingerprint("another.example.net")
	if a != b || !strings.HasPrefix(a, "t13d") || a[8:10] != "h2" {
		t.Errorf("got %s and %s", a, b)
	}
}

func TestJA4OfOthers(t *testing.T) {
	t.Parallel()
	stream := records(message(), 10)
	for _, c := range []struct {
		b    []byte
		want error
	}{{nil, ErrIncomplete}, {stream[:20], ErrIncomplete}, {[]byte("GET / HTTP/1.1\r\n"), ErrNotHello}, {[]byte{22, 3, 1, 0, 0}, ErrNotHello}} {
		if _, err := JA4(c.b, false); !errors.Is(err, c.want) {
			t.Errorf("%x: got %v, want %v", c.b, err, c.want)
		}
	}
}

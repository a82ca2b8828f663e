package privacy

import (
	"encoding/base64"
	"encoding/hex"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
)

// home is somebody's, in addresses and names for documentation.
var home = Own{
	Addresses: []netip.Prefix{
		netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("::1/128"),
		netip.MustParsePrefix("192.168.1.7/24"), netip.MustParsePrefix("2001:db8:aaaa:1::7/64"), netip.MustParsePrefix("fe80::a00:27ff:fe4e:66a1/64"),
		netip.MustParsePrefix("203.0.113.9/24"),
	},
	Near:    []netip.Addr{netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("fe80::1%eth0")},
	MACs:    []net.HardwareAddr{{0x08, 0x00, 0x27, 0x4e, 0x66, 0xa1}, {0, 0, 0, 0, 0, 0}},
	Hosts:   []string{"Annas-Laptop.mueller.example"},
	Domains: []string{"mueller.example", "fritz.box", "com.br", "lan", "example.org"},
}

var configured = Known{
	Words:     []string{"telegram", "web.telegram.example", "gate.example.org", "udp://192.0.2.53:53", "lab"},
	Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.53")},
}

func scrubber() *Scrubber { return New(home, configured, []byte("a key")) }

func TestText(t *testing.T) {
	t.Parallel()
	s := scrubber()
	for text, want := range map[string]string{
		"":                               "",
		"connection reset by peer":       "connection reset by peer",
		"from 192.168.1.7:4000 it said":  "from [scrubbed]:4000 it said",
		"ip192.168.1.7x":                 "ip[scrubbed]x",
		"1.192.168.1.7":                  "1.[scrubbed]",
		"192.168.001.007, 192-168-1-7":   "[scrubbed], [scrubbed]",
		"7.1.168.192.in-addr.arpa":       "[scrubbed]",
		"c0a80107 0xC0A80107 3232235783": "[scrubbed] [scrubbed] [scrubbed]",
		"::ffff:192.168.1.7 ::ffff:c0a8:107 2002:c0a8:107::1": "[scrubbed] [scrubbed] [scrubbed]",
		"http://[2001:db8:aaaa:1::99]:80/":                    "http://[[scrubbed]]:80/",
		"2001:0DB8:AAAA:0001:0:0:0:7.":                        "[scrubbed].",
		"client:2001:db8:aaaa:1::7":                           "client:[scrubbed]",
		"2001-db8-aaaa-1--7.ipv6-literal.net":                 "[scrubbed].ipv6-literal.net",
		"20010db8aaaa00010000000000000007":                    "[scrubbed]",
		"fe80::a00:27ff:fe4e:66a1%wlan0 said":                 "[scrubbed] said",
		"2001:db8:bbbb:2:a00:27ff:fe4e:66a1":                  "[scrubbed]",
		"08:00:27:4E:66:a1 08-00-27-4e-66-a1":                 "[scrubbed] [scrubbed]",
		"0800274e66a1 0800.274e.66a1":                         "[scrubbed] [scrubbed]",
		"annas-laptop ANNAS-LAPTOP.local":                     "[scrubbed] [scrubbed]",
		"nas.mueller.example, mueller.example.":               "[scrubbed], [scrubbed].",
		"at portal.lan and fritz.box":                         "at [scrubbed] and [scrubbed]",
		"abc.myfritz.net myfritz.net":                         "[scrubbed] myfritz.net",
		// Of nobody knows whom; a peer may see us there.
		"you are 198.51.100.77, by 2001:db8:bbbb::1": "you are [scrubbed], by [scrubbed]",
		"aa:bb:cc:dd:ee:ff":                          "[scrubbed]",
		// Nobody's, or the configuration's.
		"127.0.0.1 ::1 0.0.0.0 255.255.255.0 192.0.2.53": "127.0.0.1 ::1 0.0.0.0 255.255.255.0 192.0.2.53",
		"10.10.34.36":           "10.10.34.36",
		"web.telegram.example":  "web.telegram.example",
		"mail.gate.example.org": "mail.gate.example.org",
		"loja.com.br":           "loja.com.br",
		// What only looks like it.
		"0800274e66a1ff d0800274e66a1":               "0800274e66a1ff d0800274e66a1",
		"1.3.6.1.4.1.311 2.5.4.97=#0c0e":             "1.3.6.1.4.1.311 2.5.4.97=#0c0e",
		"a::before{b::after}":                        "a::before{b::after}",
		"at 08:00:00 on 2026-11-23T08:00:00Z":        "at 08:00:00 on 2026-11-23T08:00:00Z",
		"AA:BB:CC:DD:EE:FF:00:11:22:33":              "AA:BB:CC:DD:EE:FF:00:11:22:33",
		"26-11-23-08-00-00":                          "26-11-23-08-00-00",
		"mueller.examples and notmueller.example":    "mueller.examples and notmueller.example",
		"config.home = window.internal; the local":   "config.home = window.internal; the local",
		"<iframe src=\"http://10.10.34.37?type=x\">": "<iframe src=\"http://10.10.34.37?type=x\">",
	} {
		if got := s.Text(text); got != want {
			t.Errorf("%q:\n got %q\nwant %q", text, got, want)
		}
		if again := s.Text(s.Text(text)); again != s.Text(text) {
			t.Errorf("%q: a second time %q", text, again)
		}
	}
}

// Portals put what they know of us into addresses, in codes of which there are few.
func TestTextInCodes(t *testing.T) {
	t.Parallel()
	s := scrubber()
	for _, ours := range []string{"192.168.1.7", "2001:db8:aaaa:1::7", "08:00:27:4e:66:a1", "annas-laptop", "198.51.100.77"} {
		plain := "user " + ours + " came"
		for name, coded := range map[string]string{
			"percent":       url.QueryEscape(ours),
			"all percent":   "%" + strings.Join(strings.Fields(strings.TrimSpace(spaced(hex.EncodeToString([]byte(ours))))), "%"),
			"twice percent": url.QueryEscape(url.QueryEscape("?ip=" + ours)),
			"entities":      strings.ReplaceAll(strings.ReplaceAll(ours, ".", "&#46;"), ":", "&#x3a;"),
			"base64":        base64.StdEncoding.EncodeToString([]byte(plain)),
			"base64 of URL": base64.RawURLEncoding.EncodeToString([]byte(plain)),
			"hex":           hex.EncodeToString([]byte(plain)),
		} {
			got := s.Text("http://portal.example/login?to=x&who=" + coded + "&then=y")
			around := strings.HasPrefix(got, "http://portal.example/login?to=x&who=") && strings.HasSuffix(got, "&then=y")
			if strings.Contains(got, coded) || !around && name != "entities" { // whose signs are those between fields
				t.Errorf("%s of %s: %q", name, ours, got)
			}
		}
	}
}

// spaced puts a space before each two letters.
func spaced(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i += 2 {
		b.WriteString(" " + s[i:i+2])
	}
	return b.String()
}

// A host that is called like half the world, or like something that we measure, is left alone: its name tells
// nothing, and texts would be torn to pieces.
func TestOrdinaryNames(t *testing.T) {
	t.Parallel()
	text := "web: a server of telegram said that the connection to localhost was refused by raspberrypi 1234567"
	for _, name := range []string{"a", "web", "pc1", "server", "telegram", "connection", "localhost", "raspberrypi", "1234567", "Refused", "said"} {
		s := New(Own{Hosts: []string{name}, Domains: []string{name}}, configured, nil)
		if got := s.Text(text); got != text {
			t.Errorf("a host named %q: %q", name, got)
		}
	}
}

// What rules know block pages by is not ours, whatever the home is called.
func TestBlockPageWordsStay(t *testing.T) {
	t.Parallel()
	own := home
	own.Hosts, own.Domains = []string{"telecommunications"}, []string{"internetpositif.id", "warning.or.kr", "or.kr"}
	s := New(own, Known{}, nil)
	for _, w := range measurements.BlockPageWords() {
		if got := s.Text("<p>" + w + "</p> 192.168.1.7"); got != "<p>"+w+"</p> [scrubbed]" {
			t.Errorf("%q", got)
		}
	}
}

// BenchmarkText takes texts that a peer may write to keep us busy, as long as a body may be.
func BenchmarkText(b *testing.B) {
	s := scrubber()
	for _, part := range []string{":", ".", "1.", "a:", "1:2.", "->", "%", "%3a", "&#", "A", "aa:", "1.2.3.4:", "::", "lan.", ".lan", "192.168.1.7", "annas-laptop", "x.mueller.example."} {
		b.Run(part, func(b *testing.B) {
			for b.Loop() {
				_ = s.Text(strings.Repeat(part, mostBody/len(part)))
			}
		})
	}
}

// Whatever stands around it: once scrubbed, a text holds nothing of ours, and stays as it is.
func FuzzText(f *testing.F) {
	f.Add("from ", " and so on", uint8(0))
	f.Add("::ffff:", "%x", uint8(1))
	f.Add("a%2", "z", uint8(7))
	s := scrubber()
	every := []string{"192.168.1.7", "2001:db8:aaaa:1::7", "2001:DB8:AAAA:1:0:0:0:7", "08:00:27:4e:66:a1", "08-00-27-4E-66-A1", "0800274e66a1", "annas-laptop", "nas.mueller.example", "203.0.113.9", "192-168-1-7"}
	f.Fuzz(func(t *testing.T, before, after string, n uint8) {
		ours := every[int(n)%len(every)]
		got := s.Text(before + " " + ours + " " + after)
		if strings.Contains(" "+lower(got)+" ", " "+lower(ours)+" ") {
			t.Errorf("kept in %q", got)
		}
		if again := s.Text(got); again != got {
			t.Errorf("%q becomes %q", got, again)
		}
		if len(got) > 4*len(before+ours+after)+32 {
			t.Errorf("%d bytes become %d", len(before+ours+after), len(got))
		}
		_ = s.still.blob([]byte(before), s.still.ours.binary(home.MACs))
	})
}

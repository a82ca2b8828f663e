package hello

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"testing"
	"time"
)

// extension writes an extension of a hello.
func extension(id uint16, body ...byte) []byte {
	return append([]byte{byte(id >> 8), byte(id), byte(len(body) >> 8), byte(len(body))}, body...)
}

// message writes a ClientHello with two ciphers, one of them GREASE.
func message(extensions ...[]byte) []byte {
	body := append([]byte{3, 3}, make([]byte, 32)...)
	body = append(body, 0, 0, 4, 0x1a, 0x1a, 0x13, 0x01, 1, 0)
	all := bytes.Join(extensions, nil)
	if extensions != nil {
		body = append(append(body, byte(len(all)>>8), byte(len(all))), all...)
	}
	return append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...)
}

// serverName is the SNI extension for a name.
func serverName(name string) []byte {
	n := byte(len(name))
	return extension(extServerName, append([]byte{0, n + 3, 0, 0, n}, name...)...)
}

// records cuts a message into records of at most size bytes.
func records(msg []byte, size int) (out []byte) {
	for part := range slices.Chunk(msg, size) {
		out = append(append(out, 22, 3, 1, byte(len(part)>>8), byte(len(part))), part...)
	}
	return out
}

// sent is what crypto/tls sends first.
func sent(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	near, far := net.Pipe()
	defer far.Close()
	go func() { _ = tls.Client(near, config).Handshake() }()
	_ = far.SetDeadline(time.Now().Add(time.Minute))
	b := make([]byte, 16<<10)
	n, err := far.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// What crypto/tls puts into a hello comes out of it.
func TestParse(t *testing.T) {
	t.Parallel()
	stream := sent(t, &tls.Config{ServerName: "www.example.com", NextProtos: []string{"h2", "http/1.1"}, CurvePreferences: []tls.CurveID{tls.X25519}})
	msg, complete, err := FromRecords(stream)
	if err != nil || !complete {
		t.Fatal(complete, err)
	}
	h, err := Parse(msg)
	if err != nil {
		t.Fatal(err)
	}
	if h.ServerName != "www.example.com" || !slices.Equal(h.ALPN, []string{"h2", "http/1.1"}) || h.LegacyVersion != 0x0303 || h.HasECH {
		t.Errorf("got %+v", h)
	}
	if !slices.Equal(h.SupportedVersions, []uint16{0x0304, 0x0303}) || !slices.Equal(h.Groups, []uint16{29}) {
		t.Errorf("got %+v", h)
	}
	if !slices.Contains(h.Ciphers, tls.TLS_AES_128_GCM_SHA256) || !slices.Contains(h.SignatureAlgorithms, uint16(tls.ECDSAWithP256AndSHA256)) {
		t.Errorf("got %+v", h)
	}
}

// Every way to break the form has its error, and none of them more than that.
func TestParseMalformed(t *testing.T) {
	t.Parallel()
	whole := message(serverName("example.com"))
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"nothing", nil, ErrIncomplete},
		{"another message", []byte{2, 0, 0, 0}, ErrNotHello},
		{"one byte short", whole[:len(whole)-1], ErrIncomplete},
		{"one byte more", append(slices.Clone(whole), 0), ErrMalformed},
		{"a length of 16 MiB", []byte{1, 0xff, 0xff, 0xff}, ErrTooLong},
		{"an empty body", []byte{1, 0, 0, 0}, ErrMalformed},
		{"no extensions", message(), nil},
		{"an empty list of extensions", message([][]byte{{}}...), nil},
		{"an unknown extension", message(extension(0xabcd, 1, 2, 3)), nil},
		{"an extension twice", message(extension(5), extension(5)), ErrMalformed},
		{"half an extension", message([]byte{0, 0, 0, 9, 1}), ErrMalformed},
		{"a name past its list", message(extension(extServerName, 0, 4, 0, 0, 9, 'a')), ErrMalformed},
		{"bytes behind the names", message(extension(extServerName, 0, 4, 0, 0, 1, 'a', 0)), ErrMalformed},
		{"half a group", message(extension(extGroups, 0, 1, 0)), ErrMalformed},
		{"an ALPN past its list", message(extension(extALPN, 0, 2, 9, 'h')), ErrMalformed},
	} {
		if _, err := Parse(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

func TestParseECH(t *testing.T) {
	t.Parallel()
	h, err := Parse(message(serverName("public.example.com"), extension(extECH, 0, 1)))
	if err != nil || !h.HasECH || h.ServerName != "public.example.com" {
		t.Errorf("got %+v, %v", h, err)
	}
}

// A hello comes out of its records however they are cut, and not a byte too early.
func TestFromRecords(t *testing.T) {
	t.Parallel()
	want := message(serverName("www.example.com"))
	for _, size := range []int{1, 3, 40, len(want)} {
		stream := records(want, size)
		for end := range len(stream) {
			if msg, complete, err := FromRecords(stream[:end]); msg != nil || complete || err != nil {
				t.Fatalf("records of %d, first %d bytes: %x, %v, %v", size, end, msg, complete, err)
			}
		}
		for _, after := range [][]byte{nil, []byte("further bytes")} {
			msg, complete, err := FromRecords(append(slices.Clone(stream), after...))
			if err != nil || !complete || !bytes.Equal(msg, want) {
				t.Errorf("records of %d: %x, %v, %v", size, msg, complete, err)
			}
		}
	}
}

// What is no hello is known by its first bytes.
func TestFromRecordsOfOthers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"HTTP", []byte("G"), ErrNotHello},
		{"an alert", []byte{21, 3, 3, 0, 2, 2, 40}, ErrNotHello},
		{"SSL 2", []byte{0x80, 0x2e, 1}, ErrNotHello},
		{"another major version", []byte{22, 2}, ErrNotHello},
		{"an empty record", []byte{22, 3, 1, 0, 0}, ErrNotHello},
		{"a record too long", []byte{22, 3, 1, 0x40, 1}, ErrNotHello},
		{"a ServerHello", []byte{22, 3, 3, 0, 60, 2}, ErrNotHello},
		{"a hello of 16 MiB", []byte{22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff}, ErrTooLong},
		{"a hello broken off by an alert", append(records(message()[:10], 10), 21), ErrMalformed},
	} {
		if _, complete, err := FromRecords(c.b); complete || !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, %v, want %v", c.name, complete, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(message(serverName("www.example.com"), extension(extALPN, 0, 3, 2, 'h', '2'), extension(extSupportedVersions, 2, 3, 4)))
	f.Add(message(extension(extECH)))
	f.Add([]byte{1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Parse(b)
		if (h == nil) == (err == nil) {
			t.Errorf("%v with %v", h, err)
		}
		if ja4, err := JA4(b, false); err == nil && len(ja4) != 36 {
			t.Errorf("JA4 %q", ja4)
		}
	})
}

func FuzzFromRecords(f *testing.F) {
	f.Add(records(message(serverName("www.example.com")), 16))
	f.Add([]byte{22, 3, 1, 0, 4, 1, 0, 0, 0, 22})
	f.Fuzz(func(t *testing.T, b []byte) {
		msg, complete, err := FromRecords(b)
		if complete != (msg != nil) || complete && err != nil {
			t.Errorf("%x, %v, %v", msg, complete, err)
		}
		if !complete {
			return
		}
		again, complete, err := FromRecords(records(msg, recordMost))
		if !complete || err != nil || !bytes.Equal(again, msg) {
			t.Errorf("%x came again as %x, %v, %v", msg, again, complete, err)
		}
	})
}

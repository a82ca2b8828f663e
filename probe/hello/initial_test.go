package hello

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// vector reads a packet of an RFC's appendix.
func vector(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// initial seals a client's Initial with any frames.
func initial(t testing.TB, version uint32, keyID, dcid, token []byte, number uint64, payload ...byte) []byte {
	t.Helper()
	k, err := initialKeys(version, keyID, client)
	if err != nil {
		t.Fatal(err)
	}
	payload = append(payload, make([]byte, max(0, 4-len(payload)))...)
	header := longHeader(0xc3|dialects[version].initial<<4, version, dcid, []byte("client"))
	header = append(appendVarint(header, uint64(len(token))), token...)
	header = appendVarint(header, uint64(4+len(payload)+k.aead.Overhead()))
	header = append(header, byte(number>>24), byte(number>>16), byte(number>>8), byte(number))
	return k.seal(header, payload, number)
}

// frame writes a CRYPTO frame.
func frame(offset int, data []byte) []byte {
	b := appendVarint([]byte{frameCrypto}, uint64(offset))
	return append(appendVarint(b, uint64(len(data))), data...)
}

var firstID = []byte{0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08} // the appendices' too

// RFC 9001, appendix A.1, and RFC 9369, appendix A.1.
func TestInitialKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		version uint32
		side    string
		iv      string
		mask    string // of the sample in A.2 or A.3
		sample  string
	}{
		{Version1, client, "fa044b2f42a3fd3b46fb255c", "437b9aec36", "d1b1c98dd7689fb8ec11d242b123dc9b"},
		{Version1, server, "0ac1493ca1905853b0bba03e", "2ec0d8356a", "2cd0991cd25b0aac406a5816b6394100"},
		{Version2, client, "91f73e2351d8fa91660e909f", "94a0c95e80", "ffe67b6abcdb4298b485dd04de806071"},
		{Version2, server, "dd13c276499c0249d3310652", "4dd92e91ea", "6f05d8a4398c47089698baeea26b91eb"},
	} {
		k, err := initialKeys(c.version, firstID, c.side)
		if err != nil {
			t.Fatal(err)
		}
		mask := k.mask(unhex(c.sample))
		if hex.EncodeToString(k.iv) != c.iv || hex.EncodeToString(mask[:5]) != c.mask {
			t.Errorf("%#x, %s: iv %x, mask %x", c.version, c.side, k.iv, mask[:5])
		}
	}
}

// RFC 9001, appendix A.2, and RFC 9369, appendix A.2: a whole client Initial.
func TestFromDatagramsOfTheRFCs(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"rfc9001-a2.hex", "rfc9369-a2.hex"} {
		datagram := vector(t, file)
		before := slices.Clone(datagram)
		msg, err := FromDatagrams([][]byte{datagram})
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		h, err := Parse(msg)
		if err != nil || h.ServerName != "example.com" || !slices.Equal(h.ALPN, []string{"alpn"}) || len(msg) != 0xf1 {
			t.Errorf("%s: %+v, %v", file, h, err)
		}
		if !bytes.Equal(datagram, before) {
			t.Errorf("%s: reading changes the datagram", file)
		}
	}
}

// The hello comes together from pieces in any order, repeated and overlapping, between other frames,
// other packets, and damaged and alien datagrams; later packets carry the id that the server chose.
func TestInitialReader(t *testing.T) {
	t.Parallel()
	msg := message(serverName("www.example.com"), extension(extSupportedVersions, 2, 3, 4))
	for _, version := range []uint32{Version1, Version2} {
		ack := []byte{frameACKECN, 5, 0, 1, 0, 1, 1, 1, 1, 1}
		closing := []byte{frameClose, 0, 0, 2, 'n', 'o'}
		first := initial(t, version, firstID, firstID, nil, 1, slices.Concat([]byte{0, framePing}, frame(40, msg[40:60]), frame(0, msg[:10]))...)
		second := initial(t, version, firstID, []byte("server"), nil, 300, slices.Concat(ack, closing, frame(5, msg[5:45]))...)
		third := initial(t, version, firstID, []byte("server"), nil, 301, frame(50, msg[50:])...)
		other := longHeader(0xc0|(dialects[version].initial+2)%4<<4, version, []byte("server"), nil)
		other = append(appendVarint(other, 30), make([]byte, 30)...) // a Handshake or 0-RTT packet
		damaged := slices.Clone(third)
		damaged[len(damaged)-1]++

		var r InitialReader
		for i, d := range [][]byte{
			[]byte("no QUIC"), {0x40, 1, 2}, damaged, first, first, damaged, {}, []byte("no QUIC"),
			slices.Concat(other, second, make([]byte, 20)), second,
		} {
			hello, done, err := r.Add(d)
			if wantErr := i < 3; hello != nil || done || errors.Is(err, ErrNotInitial) != wantErr {
				t.Errorf("%#x, datagram %d: %x, %v, %v", version, i, hello, done, err)
			}
		}
		for _, d := range [][]byte{third, third, first, nil} {
			if hello, done, err := r.Add(d); !bytes.Equal(hello, msg) || !done || err != nil {
				t.Errorf("%#x: %x, %v, %v", version, hello, done, err)
			}
		}
	}
}

// A Retry changes the keys: the client begins anew, with the token and the id that it was given.
func TestInitialReaderAfterRetry(t *testing.T) {
	t.Parallel()
	msg := message(serverName("www.example.com"))
	var r InitialReader
	retried := []byte("retried")
	for i, d := range [][]byte{
		initial(t, Version1, firstID, firstID, nil, 0, frame(0, msg[:30])...),
		initial(t, Version1, retried, retried, []byte("token"), 1, frame(0, msg[:20])...),
		initial(t, Version1, retried, retried, []byte("token"), 2, frame(20, msg[20:])...),
	} {
		hello, done, err := r.Add(d)
		if err != nil || done != (i == 2) || done && !bytes.Equal(hello, msg) {
			t.Errorf("datagram %d: %x, %v, %v", i, hello, done, err)
		}
	}
}

// What can't become a hello is said, and what breaks the rules of Initials is not believed.
func TestInitialReaderErrors(t *testing.T) {
	t.Parallel()
	msg := message()
	one := func(payload ...byte) []byte { return initial(t, Version1, firstID, firstID, nil, 0, payload...) }
	for _, c := range []struct {
		name string
		d    []byte
		want error
	}{
		{"nothing", nil, ErrNotInitial},
		{"version 0", longHeader(0xc0, 0, firstID, firstID), ErrNotInitial},
		{"an unknown version", longHeader(0xc0, 0xff00001d, firstID, firstID), ErrNotInitial},
		{"a connection id too long", longHeader(0xc0, Version1, make([]byte, 21), nil), ErrNotInitial},
		{"a length past the end", append(longHeader(0xc0, Version1, firstID, nil), 0, 0x7f, 0xff), ErrNotInitial},
		{"too short for a sample", append(longHeader(0xc0, Version1, firstID, nil), 0, 5, 1, 2, 3, 4, 5), ErrNotInitial},
		{"half a hello", one(frame(0, msg[:20])...), ErrIncomplete},
		{"the second half alone", one(frame(20, msg[20:])...), ErrIncomplete},
		{"a piece far out", one(frame(1<<30, msg)...), ErrIncomplete},
		{"a STREAM frame", one(append([]byte{0x08, 0, 0}, frame(0, msg)...)...), ErrIncomplete},
		{"a CRYPTO frame past the end", one(frameCrypto, 0, 0x7f, 0xff, 1), ErrIncomplete},
		{"an ACK of 2⁶² ranges", one(frameACK, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0), ErrIncomplete},
		{"a ServerHello", one(frame(0, []byte{2, 0, 0, 0})...), ErrNotHello},
		{"a hello of 16 MiB", one(frame(0, []byte{1, 0xff, 0xff, 0xff})...), ErrTooLong},
	} {
		if hello, err := FromDatagrams([][]byte{c.d}); hello != nil || !errors.Is(err, c.want) {
			t.Errorf("%s: got %x, %v, want %v", c.name, hello, err, c.want)
		}
	}
	if _, err := FromDatagrams(nil); !errors.Is(err, ErrNotInitial) {
		t.Error(err)
	}
}

func TestParseLongHeader(t *testing.T) {
	t.Parallel()
	long := make([]byte, 255)
	for _, c := range []struct {
		b  []byte
		ok bool
	}{
		{longHeader(0x80, 0xabcdef01, long, long), true}, // later versions may have longer ids
		{longHeader(0xc0, 0, firstID, nil), true},
		{longHeader(0x40, 1, firstID, nil), false},
		{longHeader(0xc0, 1, firstID, []byte("1234"))[:15], false},
		{[]byte{0xc0, 0, 0}, false},
		{nil, false},
	} {
		version, dcid, scid, ok := ParseLongHeader(c.b)
		if ok != c.ok || ok && !bytes.Equal(longHeader(c.b[0], version, dcid, scid), c.b) {
			t.Errorf("%x: got %#x, %x, %x, %v", c.b, version, dcid, scid, ok)
		}
	}
}

// RFC 9000, appendix A.3, has the first as its example.
func TestFullNumber(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		truncated, largest int64
		bits               int
		want               int64
	}{{0x9b32, 0xa82f30ea, 16, 0xa82f9b32}, {5, -1, 8, 5}, {0, 255, 8, 256}, {255, 256, 8, 255}, {200, -1, 8, 200}} {
		if got := fullNumber(c.truncated, c.largest, c.bits); got != c.want {
			t.Errorf("%#x after %#x: got %#x, want %#x", c.truncated, c.largest, got, c.want)
		}
	}
}

// FuzzInitial feeds datagrams as they come, and, since no fuzzer finds the keys, also as the payload of
// a well-sealed Initial. A hello that comes out must be one by its form of the header.
func FuzzInitial(f *testing.F) {
	f.Add(vector(f, "rfc9001-a2.hex"))
	f.Add(vector(f, "rfc9369-a2.hex"))
	f.Add(frame(0, message()))
	f.Add([]byte{frameACK, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:min(len(b), 1<<16)]
		sealed := initial(t, Version1, firstID, firstID, nil, 0, b...)
		var r InitialReader
		for _, d := range [][]byte{b, sealed, sealed, b} {
			hello, done, err := r.Add(d)
			if done != (hello != nil) || done && err != nil {
				t.Errorf("%x, %v, %v", hello, done, err)
			}
			if done && (hello[0] != typeClientHello || len(hello) > MaxMessage) {
				t.Errorf("%x is no hello", hello)
			}
		}
		_, _ = ForgeVersionNegotiation(b, Version1)
		_, _ = ForgeClose(b, 0x128, "")
	})
}

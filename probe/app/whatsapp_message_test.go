package app

import (
	"bufio"
	"bytes"
	"testing"
)

// The examples of protobuf's own documentation ("Encoding", protobuf.dev), and what is none.
func TestEachField(t *testing.T) {
	for _, c := range []struct {
		message string
		want    []field
		fails   bool
	}{
		{"", nil, false},
		{"\x08\x96\x01", []field{{number: 1, varint: 150}}, false},
		{"\x12\x07testing", []field{{number: 2, bytes: []byte("testing")}}, false},
		{"\x1a\x03\x08\x96\x01", []field{{number: 3, bytes: []byte("\x08\x96\x01")}}, false},
		{"\x12\x00", []field{{number: 2, bytes: []byte{}}}, false},
		{"\x0d1234\x0912345678", []field{{number: 1}, {number: 1}}, false},
		{"\xf8\xff\xff\xff\x0f\x01", []field{{number: mostOfFieldNumber, varint: 1}}, false},

		{"\x80\x80\x80\x80\x10\x01", nil, true},                     // a number too high
		{"\x00\x01", nil, true},                                     // the number 0
		{"\x08", nil, true},                                         // no value
		{"\x08\x96", nil, true},                                     // half a value
		{"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", nil, true}, // of more than 64 bits
		{"\x12\x08testing", nil, true},                              // cut short
		{"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", nil, true}, // 2^64-1 bytes
		{"\x12", nil, true},                                         // no length
		{"\x0d123", nil, true},
		{"\x091234567", nil, true},
		{"\x0b\x0c", nil, true}, // a group
		{"\x0e", nil, true},     // no type at all
	} {
		var got []field
		err := eachField([]byte(c.message), func(f field) { got = append(got, f) })
		if (err != nil) != c.fails || len(got) != len(c.want) {
			t.Errorf("%q: got %v, %v", c.message, got, err)
			continue
		}
		for i, f := range got {
			if w := c.want[i]; f.number != w.number || f.varint != w.varint || !bytes.Equal(f.bytes, w.bytes) || (f.bytes == nil) != (w.bytes == nil) {
				t.Errorf("%q: got %v, want %v", c.message, f, w)
			}
		}
	}
}

// What we write are the bytes that whatsmeow writes: a HandshakeMessage with a ClientHello of 32 bytes.
func TestClientHello(t *testing.T) {
	got := appendWhatsAppFrame([]byte(whatsAppHeader), appendHello(nil, fieldClientHello, second{ephemeral: bytes.Repeat([]byte("e"), 32)}))
	if want := "WA\x06\x03\x00\x00\x24\x12\x22\x0a\x20" + string(bytes.Repeat([]byte("e"), 32)); string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzWhatsAppFrame reads frames of a hostile peer: what comes out came in, and is a frame again.
func FuzzWhatsAppFrame(f *testing.F) {
	f.Add([]byte("\x00\x00\x01x"))
	f.Add([]byte("\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		message, err := readWhatsAppFrame(bufio.NewReader(bytes.NewReader(b)))
		if err == nil && (len(message) > mostOfHello || !bytes.HasPrefix(b, appendWhatsAppFrame(nil, message))) {
			t.Errorf("got %x of %x", message, b)
		}
	})
}

// FuzzServerHello judges messages of a hostile server, which does not know our key.
func FuzzServerHello(f *testing.F) {
	var r recording
	testdata(f, "whatsapp-2019.json", &r)
	f.Add(unhex(f, r.Answer))
	f.Add([]byte("\x1a\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := newNoise([]byte(whatsAppHeader), newKey())
		n.initiate()
		if answer, err := chatInput(false).judge(n, b); err == nil || answer.Signed {
			t.Errorf("got %+v", answer)
		}
	})
}

// FuzzClientHello reads what a hostile client sends to our server.
func FuzzClientHello(f *testing.F) {
	f.Add([]byte("WA\x06\x03\x00\x00\x24\x12\x22\x0a\x20" + "an ephemeral key of thirty-two by"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if key, err := readClientHello(bufio.NewReader(bytes.NewReader(b))); err == nil && len(key) != 32 {
			t.Errorf("a key of %d bytes", len(key))
		}
	})
}

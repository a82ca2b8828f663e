package app

import (
	"bufio"
	"fmt"
	"io"
)

// mostOfHello is the longest frame that we read. Chosen by us: a ServerHello has some 350 bytes, and a
// post-quantum ciphertext would add 1,088 (ML-KEM-768).
const mostOfHello = 2048

// appendWhatsAppFrame frames a message: its length in three bytes, big-endian.
func appendWhatsAppFrame(b, message []byte) []byte {
	n := len(message)
	return append(append(b, byte(n>>16), byte(n>>8), byte(n)), message...)
}

// errWhatsAppFrame is a frame whose length no hello has.
type errWhatsAppFrame int

func (e errWhatsAppFrame) Error() string {
	return fmt.Sprintf("a frame of %d bytes is no hello", int(e))
}

// readWhatsAppFrame reads one message.
func readWhatsAppFrame(r *bufio.Reader) ([]byte, error) {
	var head [3]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
	if n == 0 || n > mostOfHello {
		return nil, errWhatsAppFrame(n)
	}
	message := make([]byte, n)
	if _, err := io.ReadFull(r, message); err != nil {
		return nil, cut(err)
	}
	return message, nil
}

// Numbers of the fields of HandshakeMessage and of what is in it. Source: WAWebProtobufsWa6.proto, as
// published with whatsmeow; those above 3 from the Android app.
const (
	fieldClientHello = 2 // of HandshakeMessage
	fieldServerHello = 3
	fieldEphemeral   = 1 // of ClientHello and ServerHello
	fieldStatic      = 2
	fieldPayload     = 3
	fieldPadding     = 5 // of ServerHello: paddingBytes; it means nothing
	// The others of ServerHello, extendedStatic 4 and extendedCiphertext 6, belong to post-quantum modes.
)

// hello is a message of the handshake, of either side.
type hello struct {
	second
	// newer: there are fields that version 1 of this check does not know. A failure then tells more of
	// our age than of the peer.
	newer bool
}

// parseHello reads a HandshakeMessage with the hello of this number in it. Nothing is copied.
func parseHello(message []byte, number uint64) (h hello, err error) {
	var inner []byte
	err = eachField(message, func(f field) {
		if f.number == number && f.bytes != nil {
			inner = f.bytes
		} else {
			h.newer = true
		}
	})
	if err != nil {
		return hello{}, err
	}
	err = eachField(inner, func(f field) {
		switch {
		case f.bytes == nil:
			h.newer = true
		case f.number == fieldEphemeral:
			h.ephemeral = f.bytes
		case f.number == fieldStatic:
			h.static = f.bytes
		case f.number == fieldPayload:
			h.payload = f.bytes
		case f.number != fieldPadding:
			h.newer = true
		}
	})
	return h, err
}

// shaped says whether all parts of the second message are there, as long as they have to be.
func (m second) shaped() bool {
	return len(m.ephemeral) == 32 && len(m.static) == 32+noiseTag && len(m.payload) > noiseTag
}

// appendHello writes a HandshakeMessage with one hello in it; parts that are nil are left out.
func appendHello(b []byte, number uint64, m second) []byte {
	var inner []byte
	for i, part := range [][]byte{m.ephemeral, m.static, m.payload} {
		if part != nil {
			inner = appendBytesField(inner, uint64(i+fieldEphemeral), part)
		}
	}
	return appendBytesField(b, number, inner)
}

package app

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
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

// field is one field of a protobuf message: a number, or bytes that are not nil. Other types have
// neither.
type field struct {
	number protowire.Number
	bytes  []byte
	varint uint64
}

var errProtobuf = errors.New("no protobuf message")

// eachField reads a protobuf message; of a field that comes twice the last one counts, as protobuf has
// it, if each keeps what it is given.
func eachField(b []byte, each func(field)) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errProtobuf
		}
		b = b[n:]
		f := field{number: number}
		switch kind {
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return errProtobuf
		}
		b = b[n:]
		each(f)
	}
	return nil
}

// Numbers of the fields of HandshakeMessage and of what is in it. Source: WAWebProtobufsWa6.proto, as
// published with whatsmeow.
const (
	fieldClientHello = 2 // of HandshakeMessage
	fieldServerHello = 3
	fieldEphemeral   = 1 // of ClientHello and ServerHello
	fieldStatic      = 2
	fieldPayload     = 3
	fieldPadding     = 5 // of ServerHello: paddingBytes; it means nothing
	// The others of ServerHello, extendedStatic 4 and extendedCiphertext 6, belong to post-quantum modes.
)

// serverHello is the second message of the handshake.
type serverHello struct {
	second
	// newer: there are fields that version 1 of this check does not know. A failure then tells more of
	// our age than of the peer.
	newer bool
}

// parseServerHello reads a HandshakeMessage with a ServerHello in it.
func parseServerHello(message []byte) (serverHello, error) {
	var (
		hello serverHello
		inner []byte
	)
	err := eachField(message, func(f field) {
		if f.number == fieldServerHello && f.bytes != nil {
			inner = f.bytes
		} else {
			hello.newer = true
		}
	})
	if err != nil {
		return serverHello{}, err
	}
	err = eachField(inner, func(f field) {
		switch {
		case f.bytes == nil:
			hello.newer = true
		case f.number == fieldEphemeral:
			hello.ephemeral = f.bytes
		case f.number == fieldStatic:
			hello.static = f.bytes
		case f.number == fieldPayload:
			hello.payload = f.bytes
		case f.number != fieldPadding:
			hello.newer = true
		}
	})
	return hello, err
}

// shaped says whether all parts of the second message are there, as long as they have to be.
func (m second) shaped() bool {
	return len(m.ephemeral) == 32 && len(m.static) == 32+noiseTag && len(m.payload) > noiseTag
}

// appendHello writes a HandshakeMessage with one hello in it.
func appendHello(b []byte, number protowire.Number, m second) []byte {
	var inner []byte
	for i, part := range [][]byte{m.ephemeral, m.static, m.payload} {
		if part != nil {
			inner = protowire.AppendTag(inner, protowire.Number(i+fieldEphemeral), protowire.BytesType)
			inner = protowire.AppendBytes(inner, part)
		}
	}
	return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), inner)
}

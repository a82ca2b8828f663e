package app

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"io"
	"net"
	"slices"
)

// obfuscated is obfuscated2: both directions enciphered by AES-256 in counter mode, with keys that stand in
// the first 64 bytes. It hides nothing from who knows it; it has no bytes to recognise it by.
// Source: core.telegram.org/mtproto/mtproto-transports#transport-obfuscation.
type obfuscated struct {
	net.Conn
	greeting []byte
	out, in  cipher.Stream
}

// obfuscate begins it on a client's side. The packets inside are framed as PaddedIntermediate.
func obfuscate(conn net.Conn, dc int) io.ReadWriter {
	header := obfuscatedHeader(dc)
	out, in := obfuscatedStreams(header)
	sealed := make([]byte, len(header))
	out.XORKeyStream(sealed, header[:])
	greeting := slices.Concat(header[:56], sealed[56:])
	return &obfuscated{Conn: conn, greeting: greeting, out: out, in: in}
}

// likeOthers are beginnings that a header must not have, since servers take them for another protocol.
var likeOthers = [][]byte{[]byte("HEAD"), []byte("POST"), []byte("GET "), []byte("OPTI"), {0x16, 0x03, 0x01, 0x02}, bytes.Repeat([]byte{tagPadded}, 4), bytes.Repeat([]byte{tagIntermediate}, 4)}

func obfuscatedHeader(dc int) (h [64]byte) {
	for {
		random(h[:])
		if h[0] != tagAbridged && binary.LittleEndian.Uint32(h[4:]) != 0 && !slices.ContainsFunc(likeOthers, func(b []byte) bool { return bytes.Equal(h[:4], b) }) {
			break
		}
	}
	copy(h[56:], bytes.Repeat([]byte{tagPadded}, 4))
	binary.LittleEndian.PutUint16(h[60:], uint16(dc))
	return h
}

// obfuscatedStreams are those of the header's sender: outwards by its bytes, inwards by the same backwards.
func obfuscatedStreams(h [64]byte) (out, in cipher.Stream) {
	secret := slices.Clone(h[8:56])
	out = counter(secret)
	slices.Reverse(secret)
	return out, counter(secret)
}

// counter makes a stream of a key of 32 bytes and a first count of 16.
func counter(secret []byte) cipher.Stream {
	block, err := aes.NewCipher(secret[:32])
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	return cipher.NewCTR(block, secret[32:48])
}

func (c *obfuscated) Write(p []byte) (int, error) {
	b := append(c.greeting, make([]byte, len(p))...)
	c.out.XORKeyStream(b[len(c.greeting):], p)
	c.greeting = nil
	if _, err := c.Conn.Write(b); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c *obfuscated) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.in.XORKeyStream(p[:n], p[:n])
	return n, err
}

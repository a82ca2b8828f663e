package hello

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// The versions whose Initial packets we can read.
const (
	Version1 uint32 = 0x00000001 // RFC 9000
	Version2 uint32 = 0x6b3343cf // RFC 9369
)

// dialect is what differs between the versions.
type dialect struct {
	salt        []byte
	key, iv, hp string // labels
	initial     byte   // long header type
	retry       byte
}

var dialects = map[uint32]dialect{
	// RFC 9001, section 5.2; RFC 9000, section 17.2.
	Version1: {salt: unhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"), key: "quic key", iv: "quic iv", hp: "quic hp", initial: 0, retry: 3},
	// RFC 9369, sections 3.2 and 3.3.
	Version2: {salt: unhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"), key: "quicv2 key", iv: "quicv2 iv", hp: "quicv2 hp", initial: 1, retry: 0},
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err) // a constant of this file
	}
	return b
}

// keys protect one direction's Initial packets.
type keys struct {
	aead   cipher.AEAD
	iv     []byte
	header cipher.Block
}

// The sides of a connection, as they are named in the derivation (RFC 9001, section 5.2).
const (
	client = "client in"
	server = "server in"
)

// initialKeys derives a side's keys from the Destination Connection ID of the client's first Initial.
// Whoever saw that packet can: the keys protect against accidents, not against observers.
func initialKeys(version uint32, dcid []byte, side string) (*keys, error) {
	d, ok := dialects[version]
	if !ok {
		return nil, errVersion
	}
	root, err := hkdf.Extract(sha256.New, dcid, d.salt)
	if err != nil {
		return nil, err
	}
	secret, err := expandLabel(root, side, sha256.Size)
	if err != nil {
		return nil, err
	}
	return d.derive(secret)
}

func (d dialect) derive(secret []byte) (*keys, error) {
	key, err := expandLabel(secret, d.key, 16)
	if err != nil {
		return nil, err
	}
	hp, err := expandLabel(secret, d.hp, 16)
	if err != nil {
		return nil, err
	}
	iv, err := expandLabel(secret, d.iv, 12)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	header, err := aes.NewCipher(hp)
	if err != nil {
		return nil, err
	}
	return &keys{aead: aead, iv: iv, header: header}, nil
}

// expandLabel is HKDF-Expand-Label with an empty context (RFC 8446, section 7.1).
func expandLabel(secret []byte, label string, size int) ([]byte, error) {
	label = "tls13 " + label
	info := append([]byte{byte(size >> 8), byte(size), byte(len(label))}, label...)
	out, err := hkdf.Expand(sha256.New, secret, string(append(info, 0)), size)
	if err != nil {
		return nil, fmt.Errorf("hello: deriving %q: %w", label, err)
	}
	return out, nil
}

// nonce mixes the packet number into the IV (RFC 9001, section 5.3).
func (k *keys) nonce(number uint64) []byte {
	n := append([]byte(nil), k.iv...)
	for i := range 8 {
		n[len(n)-1-i] ^= byte(number >> (8 * i))
	}
	return n
}

// mask is what header protection puts over the first byte and the packet number (RFC 9001, section
// 5.4.3). sample has 16 bytes.
func (k *keys) mask(sample []byte) (mask [aes.BlockSize]byte) {
	k.header.Encrypt(mask[:], sample)
	return mask
}

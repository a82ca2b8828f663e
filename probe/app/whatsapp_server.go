package app

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"math/big"
	"net"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// WhatsAppLie is what is false about a chat server.
type WhatsAppLie string

// The lies of the emulated internet.
const (
	LieRoot    WhatsAppLie = "root"    // its chain leads to a root of its own
	LieStatic  WhatsAppLie = "static"  // its chain is WhatsApp's, and the key in it is not its own
	LieGarbage WhatsAppLie = "garbage" // it answers with what is no server hello
	LieMute    WhatsAppLie = "mute"    // it is silent after our hello
)

// WhatsAppServer is a chat server of an emulated internet.
type WhatsAppServer struct {
	Root                ed25519.PrivateKey // WhatsAppRootOf gives what clients have to believe
	NotBefore, NotAfter time.Time
	Lie                 WhatsAppLie
}

// WhatsAppRootOf gives the Curve25519 key that belongs to a signing key (RFC 7748, section 4.1).
func WhatsAppRootOf(public ed25519.PublicKey) (u [32]byte) {
	b := slices.Clone(public)
	b[31] &= 0x7f
	slices.Reverse(b)
	y, one := new(big.Int).SetBytes(b), big.NewInt(1)
	below := new(big.Int).Sub(one, y)
	below.ModInverse(below.Mod(below, fieldPrime), fieldPrime)
	y.Add(y, one).Mul(y, below).Mod(y, fieldPrime)
	y.FillBytes(u[:])
	slices.Reverse(u[:])
	return u
}

// Serve answers one connection until the client ends it. The caller closes conn.
func (s *WhatsAppServer) Serve(conn net.Conn) error {
	in := bufio.NewReaderSize(conn, mostOfHello)
	var head [len(whatsAppHeader)]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return err
	}
	if string(head[:]) != whatsAppHeader {
		return errors.New("no header of WhatsApp's")
	}
	message, err := readWhatsAppFrame(in)
	if err != nil {
		return err
	}
	ephemeral, err := parseClientHello(message)
	if err != nil {
		return err
	}
	answer, err := s.answer(ephemeral)
	if err != nil {
		return err
	}
	if s.Lie != LieMute {
		if _, err := conn.Write(appendWhatsAppFrame(nil, answer)); err != nil {
			return err
		}
	}
	return drain(conn)
}

// parseClientHello gives the ephemeral key of a client hello.
func parseClientHello(message []byte) (ephemeral []byte, err error) {
	var inner []byte
	err = eachField(message, func(f field) {
		if f.number == fieldClientHello {
			inner = f.bytes
		}
	})
	if err == nil {
		err = eachField(inner, func(f field) {
			if f.number == fieldEphemeral {
				ephemeral = f.bytes
			}
		})
	}
	if err == nil && len(ephemeral) != 32 {
		err = errProtobuf
	}
	return ephemeral, err
}

// answer is the second message.
func (s *WhatsAppServer) answer(ephemeral []byte) ([]byte, error) {
	if s.Lie == LieGarbage {
		return bytes.Repeat([]byte{0xff}, 350), nil
	}
	static, shown := newKey(), newKey()
	if s.Lie != LieStatic {
		shown = static
	}
	chain, err := s.chain(shown.PublicKey().Bytes())
	if err != nil {
		return nil, err
	}
	n := newNoise([]byte(whatsAppHeader), newKey())
	m, err := n.respond(ephemeral, static, chain)
	return appendHello(nil, fieldServerHello, m), err
}

// chain certifies a key: the root signs an intermediate, and that one the leaf.
func (s *WhatsAppServer) chain(key []byte) ([]byte, error) {
	root := s.Root
	if s.Lie == LieRoot {
		var err error
		if _, root, err = ed25519.GenerateKey(rand.Reader); err != nil {
			return nil, err
		}
	}
	public, middle, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	u := WhatsAppRootOf(public)
	intermediate := s.certificate(root, 7, 0, u[:])
	leaf := s.certificate(middle, 8, 7, key)
	b := protowire.AppendBytes(protowire.AppendTag(nil, fieldLeaf, protowire.BytesType), leaf)
	return protowire.AppendBytes(protowire.AppendTag(b, fieldIntermediate, protowire.BytesType), intermediate), nil
}

// certificate is one of the chain, signed.
func (s *WhatsAppServer) certificate(by ed25519.PrivateKey, serial, issuer uint64, key []byte) []byte {
	var details []byte
	number := func(n protowire.Number, v uint64) {
		details = protowire.AppendVarint(protowire.AppendTag(details, n, protowire.VarintType), v)
	}
	number(fieldSerial, serial)
	number(fieldIssuerSerial, issuer)
	details = protowire.AppendBytes(protowire.AppendTag(details, fieldKey, protowire.BytesType), key)
	number(fieldNotBefore, uint64(s.NotBefore.Unix()))
	number(fieldNotAfter, uint64(s.NotAfter.Unix()))
	b := protowire.AppendBytes(protowire.AppendTag(nil, fieldDetails, protowire.BytesType), details)
	return protowire.AppendBytes(protowire.AppendTag(b, fieldSignature, protowire.BytesType), signXEdDSA(by, details))
}

// signXEdDSA signs as the holder of the Curve25519 key that belongs to an Ed25519 key: the sign of the latter
// goes into the highest bit (libsignal, curve25519.rs).
func signXEdDSA(by ed25519.PrivateKey, message []byte) []byte {
	s := ed25519.Sign(by, message)
	public := by.Public().(ed25519.PublicKey)
	s[63] |= public[31] & 0x80
	return s
}

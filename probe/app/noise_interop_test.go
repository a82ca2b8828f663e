package app

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"testing"

	flynn "github.com/flynn/noise"
)

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func private(t *testing.T, text string) *ecdh.PrivateKey {
	t.Helper()
	k, err := ecdh.X25519().NewPrivateKey(unhex(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The published vector of Noise_XX_25519_AESGCM_SHA256 with payloads and without a prologue: cacophony's, as
// flynn/noise has it in vectors.txt. In the standard the first payload is mixed into the hash; WhatsApp's is not.
func TestInteropNoiseVector(t *testing.T) {
	const second = "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d484665393019dbd6f438795da206db0886610b26108e424142c2e9b5fd1f7ea70cde8c9f29dcec8d3ab554f4a5330657867fe4917917195c8cf360e08d6dc5f71baf875ec6e3bfc7afda4c9c2"
	n := newNoise(nil, private(t, "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"))
	if got := hex.EncodeToString(n.initiate()); got != "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254" {
		t.Fatalf("first message: %s", got)
	}
	n.mixHash([]byte("test_msg_0"))
	static, payload, err := n.finish(parts(unhex(t, second)))
	want := private(t, "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20").PublicKey().Bytes()
	if err != nil || !bytes.Equal(static, want) || string(payload) != "test_msg_1" {
		t.Errorf("%x %q %v", static, payload, err)
	}
	// The other way round: ours, as the responder, writes that message.
	r := newNoise(nil, private(t, "4142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60"))
	first := unhex(t, "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254")
	r.mixHash(first)
	r.mixHash([]byte("test_msg_0"))
	m, err := r.answer(first, private(t, "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"), []byte("test_msg_1"))
	if got := hex.EncodeToString(bytes.Join([][]byte{m.ephemeral, m.static, m.payload}, nil)); err != nil || got != second {
		t.Errorf("%s, %v", got, err)
	}
}

func parts(b []byte) second {
	return second{ephemeral: b[:32], static: b[32 : 32+32+noiseTag], payload: b[32+32+noiseTag:]}
}

// Somebody else's responder answers our initiator.
func TestInteropNoise(t *testing.T) {
	suite := flynn.NewCipherSuite(flynn.DH25519, flynn.CipherAESGCM, flynn.HashSHA256)
	key, err := suite.GenerateKeypair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := flynn.NewHandshakeState(flynn.Config{CipherSuite: suite, Pattern: flynn.HandshakeXX, Prologue: []byte(whatsAppHeader), StaticKeypair: key})
	if err != nil {
		t.Fatal(err)
	}
	n := newNoise([]byte(whatsAppHeader), newKey())
	if _, _, _, err := peer.ReadMessage(nil, n.initiate()); err != nil {
		t.Fatal(err)
	}
	n.mixHash(nil) // the standard's empty payload
	answer, _, _, err := peer.WriteMessage(nil, []byte("a chain"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range answer {
		spoilt, wrong := *n, bytes.Clone(answer)
		wrong[i] ^= 1
		if _, _, err := spoilt.finish(parts(wrong)); err == nil && i != 31 { // the highest bit of a key is no part of it, the hash has it all the same
			t.Errorf("byte %d is spoilt, and nobody notices", i)
		}
	}
	static, payload, err := n.finish(parts(answer))
	if err != nil || !bytes.Equal(static, key.Public) || string(payload) != "a chain" {
		t.Errorf("%x %q %v", static, payload, err)
	}
}

// libsignal's own vector (test_curve25519_signature), and what Ed25519 of the standard library signs with a
// key of either sign.
func TestInteropXEdDSA(t *testing.T) {
	key := [32]byte(unhex(t, "ab7e717d4a163b7d9a1d8071dfe9dcf8cdcd1cea3339b6356be84d887e322c64"))
	message := unhex(t, "05edce9d9c415ca78cb7252e72c2c4a554d3eb29485a0e1d503118d1a82d99fb4a")
	signature := unhex(t, "5de88ca9a89b4a115da79109c67c9c7464a3e4180274f1cb8c63c2984e286dfbede82deb9dcd9fae0bfbb821569b3d9001bd8130cd11d486cef047bd60b86e88")
	if !verifyXEdDSA(key, message, signature) {
		t.Error("libsignal's signature is refused")
	}
	for i := range signature {
		wrong := bytes.Clone(signature)
		wrong[i] ^= 1
		if verifyXEdDSA(key, message, wrong) {
			t.Errorf("byte %d of the signature does not matter", i)
		}
	}
	if verifyXEdDSA(key, message[1:], signature) || verifyXEdDSA(key, message, signature[:63]) || verifyXEdDSA([32]byte{}, message, signature) {
		t.Error("what libsignal did not sign is taken")
	}
	signs := map[byte]bool{}
	for range 64 {
		public, secret, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		signs[public[31]&0x80] = true
		if !verifyXEdDSA(WhatsAppRootOf(public), message, signXEdDSA(secret, message)) {
			t.Errorf("%x is refused", public)
		}
	}
	if len(signs) != 2 {
		t.Error("all keys had one sign")
	}
}

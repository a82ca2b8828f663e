package app

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"hash"
	"os"
	"testing"

	flynn "github.com/flynn/noise"
)

// unhex reads hexadecimal digits that are right.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// testdata reads a JSON file.
func testdata(t testing.TB, name string, into any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

func x25519Key(t testing.TB, b []byte) *ecdh.PrivateKey {
	t.Helper()
	key, err := ecdh.X25519().NewPrivateKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// split reads the second message of XX as the standard writes it.
func split(b []byte) second { return second{ephemeral: b[:32], static: b[32:80], payload: b[80:]} }

func (m second) joined() []byte { return bytes.Join([][]byte{m.ephemeral, m.static, m.payload}, nil) }

// vector is one of cacophony.
type vector struct {
	InitPrologue  string `json:"init_prologue"`
	InitEphemeral string `json:"init_ephemeral"`
	RespStatic    string `json:"resp_static"`
	RespEphemeral string `json:"resp_ephemeral"`
	Messages      []struct{ Payload, Ciphertext string }
}

// Both of our sides do what a published vector says, where nothing is left out of the hash.
func TestNoiseVector(t *testing.T) {
	var v vector
	testdata(t, "noise-xx-cacophony.json", &v)
	prologue, first, payload := unhex(t, v.InitPrologue), unhex(t, v.Messages[0].Ciphertext), unhex(t, v.Messages[1].Payload)
	static := x25519Key(t, unhex(t, v.RespStatic))

	initiator := newNoise(prologue, x25519Key(t, unhex(t, v.InitEphemeral)))
	if got := initiator.initiate(); !bytes.Equal(got, first[:32]) {
		t.Errorf("the first message begins with %x, want %x", got, first[:32])
	}
	initiator.mixHash(first[32:])
	gotStatic, gotPayload, err := initiator.finish(split(unhex(t, v.Messages[1].Ciphertext)))
	if err != nil || !bytes.Equal(gotStatic, static.PublicKey().Bytes()) || !bytes.Equal(gotPayload, payload) {
		t.Errorf("got %x, %q, %v; want %x, %q", gotStatic, gotPayload, err, static.PublicKey().Bytes(), payload)
	}

	responder := newNoise(prologue, x25519Key(t, unhex(t, v.RespEphemeral)))
	responder.mixHash(first[:32])
	responder.mixHash(first[32:])
	m, err := responder.answer(first[:32], static, payload)
	if got := hex.EncodeToString(m.joined()); err != nil || got != v.Messages[1].Ciphertext {
		t.Errorf("answered %s, %v, want %s", got, err, v.Messages[1].Ciphertext)
	}
}

// recording is what a server of WhatsApp answered to a known key.
type recording struct{ Prologue, Ephemeral, Answer string }

// decrypted is the answer of 2019: the server's static key, and its payload.
func (r recording) decrypted(t testing.TB, first func(*noise)) (static, payload []byte, err error) {
	t.Helper()
	n := newNoise(unhex(t, r.Prologue), x25519Key(t, unhex(t, r.Ephemeral)))
	n.initiate()
	first(n)
	h, err := parseHello(unhex(t, r.Answer), fieldServerHello)
	if err != nil || !h.shaped() || h.newer {
		t.Fatalf("read %+v, %v", h, err)
	}
	return n.finish(h.second)
}

// What a server of WhatsApp answered in 2019 decrypts, if the empty payload of the first message is left
// out of the hash, and its certificate is signed by the root: it is one without a chain, where the key is
// field 5.
func TestWhatsAppRecording(t *testing.T) {
	var r recording
	testdata(t, "whatsapp-2019.json", &r)
	static, payload, err := r.decrypted(t, func(*noise) {})
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseCertificate(payload)
	if err != nil {
		t.Fatal(err)
	}
	var key []byte
	if err := eachField(c.details, func(f field) {
		if f.number == 5 {
			key = f.bytes
		}
	}); err != nil || !bytes.Equal(key, static) {
		t.Errorf("a certificate for %x, %v, want %x", key, err, static)
	}
	if !verifyXEdDSA(WhatsAppRoot, c.details, c.signature) {
		t.Error("the certificate is not signed by the root")
	}
	if _, _, err := r.decrypted(t, func(n *noise) { n.mixHash(nil) }); err == nil {
		t.Error("it decrypts by the standard, too")
	}
}

// suite is what WhatsApp uses, as another implementation has it.
var suite = flynn.NewCipherSuite(flynn.DH25519, flynn.CipherAESGCM, flynn.HashSHA256)

// responder is another implementation's side.
func responder(t testing.TB, suite flynn.CipherSuite, static *ecdh.PrivateKey, prologue string) *flynn.HandshakeState {
	t.Helper()
	r, err := flynn.NewHandshakeState(flynn.Config{
		CipherSuite: suite, Pattern: flynn.HandshakeXX, Prologue: []byte(prologue),
		StaticKeypair: flynn.DHKey{Private: static.Bytes(), Public: static.PublicKey().Bytes()},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Another implementation's responder understands our initiator, and we its answer, by the standard.
func TestInteropNoiseInitiator(t *testing.T) {
	static := newKey()
	r := responder(t, suite, static, whatsAppHeader)
	n := newNoise([]byte(whatsAppHeader), newKey())
	if _, _, _, err := r.ReadMessage(nil, n.initiate()); err != nil {
		t.Fatal(err)
	}
	n.mixHash(nil)
	b, _, _, err := r.WriteMessage(nil, []byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	gotStatic, payload, err := n.finish(split(b))
	if err != nil || string(payload) != "payload" || !bytes.Equal(gotStatic, static.PublicKey().Bytes()) {
		t.Errorf("got %x, %q, %v", gotStatic, payload, err)
	}
}

// Another implementation's initiator understands our responder, by the standard.
func TestInteropNoiseResponder(t *testing.T) {
	i, err := flynn.NewHandshakeState(flynn.Config{CipherSuite: suite, Pattern: flynn.HandshakeXX, Initiator: true, Prologue: []byte(whatsAppHeader)})
	if err != nil {
		t.Fatal(err)
	}
	first, _, _, err := i.WriteMessage(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	static := newKey()
	n := newNoise([]byte(whatsAppHeader), newKey())
	n.mixHash(first)
	n.mixHash(nil)
	m, err := n.answer(first, static, []byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	payload, _, _, err := i.ReadMessage(nil, m.joined())
	if err != nil || string(payload) != "payload" || !bytes.Equal(i.PeerStatic(), static.PublicKey().Bytes()) {
		t.Errorf("it got %q from %x, %v", payload, i.PeerStatic(), err)
	}
}

// leavingOut is SHA-256, but of a hash and nothing it is that hash itself: WhatsApp's departure from the
// standard, in the one place where another implementation lets it be put. No other hash of the handshake
// is of 32 bytes and an empty write after them.
type leavingOut struct{ flynn.HashFunc }

func (l leavingOut) Hash() hash.Hash { return &leavingOutHash{Hash: l.HashFunc.Hash()} }

type leavingOutHash struct {
	hash.Hash
	writes [][]byte
}

func (h *leavingOutHash) Write(p []byte) (int, error) {
	h.writes = append(h.writes, bytes.Clone(p))
	return h.Hash.Write(p)
}

func (h *leavingOutHash) Reset() {
	h.writes = nil
	h.Hash.Reset()
}

func (h *leavingOutHash) Sum(b []byte) []byte {
	if len(h.writes) == 2 && len(h.writes[0]) == 32 && len(h.writes[1]) == 0 {
		return append(b, h.writes[0]...)
	}
	return h.Hash.Sum(b)
}

var suiteOfWhatsApp = flynn.NewCipherSuite(flynn.DH25519, flynn.CipherAESGCM, leavingOut{flynn.HashSHA256})

// A changed byte anywhere in the second message is noticed.
func TestNoiseChanged(t *testing.T) {
	ephemeral, static := newKey(), newKey()
	r := newNoise(nil, newKey())
	r.mixHash(ephemeral.PublicKey().Bytes())
	m, err := r.answer(ephemeral.PublicKey().Bytes(), static, []byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.joined() {
		b := m.joined()
		b[i] ^= 1
		n := newNoise(nil, ephemeral)
		n.initiate()
		if _, _, err := n.finish(split(b)); err == nil {
			t.Errorf("byte %d changed, and it decrypts", i)
		}
	}
}

// Keys of low order make every secret 0, so anybody could answer with them.
func TestNoiseLowOrder(t *testing.T) {
	for _, ephemeral := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	} {
		n := newNoise(nil, newKey())
		n.initiate()
		if _, _, err := n.finish(second{ephemeral: unhex(t, ephemeral), static: make([]byte, 48), payload: make([]byte, 17)}); err == nil {
			t.Errorf("%s: no error", ephemeral)
		}
	}
}

// The signature of libsignal's own test verifies, and no changed one does. Source: test_signature in
// rust/core/src/curve/curve25519.rs of libsignal.
func TestXEdDSAOfLibsignal(t *testing.T) {
	key := [32]byte(unhex(t, "ab7e717d4a163b7d9a1d8071dfe9dcf8cdcd1cea3339b6356be84d887e322c64"))
	message := unhex(t, "05edce9d9c415ca78cb7252e72c2c4a554d3eb29485a0e1d503118d1a82d99fb4a")
	signature := unhex(t, "5de88ca9a89b4a115da79109c67c9c7464a3e4180274f1cb8c63c2984e286dfb"+
		"ede82deb9dcd9fae0bfbb821569b3d9001bd8130cd11d486cef047bd60b86e88")
	if !verifyXEdDSA(key, message, signature) {
		t.Error("it does not verify")
	}
	other := key
	other[31] |= 0x80 // no part of the key (RFC 7748, section 5)
	if !verifyXEdDSA(other, message, signature) {
		t.Error("it does not verify where the key's highest bit is set")
	}
	for i := range signature {
		changed := bytes.Clone(signature)
		changed[i] ^= 1
		if verifyXEdDSA(key, message, changed) {
			t.Errorf("byte %d changed, and it verifies", i)
		}
	}
	signature[63] ^= 0x80
	if verifyXEdDSA(key, message, signature) {
		t.Error("it verifies with the other sign")
	}
}

// The Curve25519 form of an Ed25519 key is the public key of its secret scalar as X25519 computes it,
// and what the one signs verifies by the other; keys of both signs come by.
func TestXEdDSAIsEd25519(t *testing.T) {
	var signs [2]int
	for range 32 {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		signs[public[31]>>7]++
		scalar := sha512.Sum512(private.Seed()) // RFC 8032, section 5.1.5; X25519 clamps it in the same way
		key := montgomery(public)
		if want := x25519Key(t, scalar[:32]).PublicKey().Bytes(); !bytes.Equal(key[:], want) {
			t.Fatalf("got %x, want %x", key, want)
		}
		signature := signXEdDSA(private, []byte("message"))
		if !verifyXEdDSA(key, []byte("message"), signature) {
			t.Error("it does not verify")
		}
		if verifyXEdDSA(key, []byte("another"), signature) {
			t.Error("another message verifies")
		}
	}
	if signs[0] == 0 || signs[1] == 0 {
		t.Errorf("signs: %v", signs)
	}
}

// What no key and no signature is, verifies nothing.
func TestXEdDSANothing(t *testing.T) {
	minusOne := [32]byte(unhex(t, "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"))
	for _, key := range [][32]byte{{}, {1}, minusOne} {
		for _, n := range []int{0, 63, 64, 65} {
			if verifyXEdDSA(key, nil, make([]byte, n)) {
				t.Errorf("%x verifies %d bytes", key, n)
			}
		}
	}
	if got := montgomery(append([]byte{1}, make([]byte, 31)...)); got != [32]byte{} {
		t.Errorf("the neutral element became %x", got)
	}
}

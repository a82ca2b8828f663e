package app

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
)

// noiseName names the protocol, padded to the length of a hash (Noise, revision 34, section 5.2).
const noiseName = "Noise_XX_25519_AESGCM_SHA256\x00\x00\x00\x00"

// noiseTag is what encryption adds to a message (section 12.3).
const noiseTag = 16

// noise is one side of a Noise handshake XX up to its second message: a SymmetricState with the
// CipherState in it (Noise, revision 34, sections 5.1 and 5.2). The standard library has every
// primitive that it needs, and the two messages are short enough to be read here.
//
// WhatsApp departs from the standard at one place: it mixes nothing into the hash for the empty payload
// of the first message, where section 5.2 mixes the empty string. So initiate mixes no payload either,
// and who wants the standard calls mixHash after it. The answer of 2019 in testdata/whatsapp-2019.json
// decrypts in no other way.
type noise struct {
	hash, chain [sha256.Size]byte
	key         cipher.AEAD
	nonce       uint64
	ephemeral   *ecdh.PrivateKey // ours
}

// newNoise begins a handshake.
func newNoise(prologue []byte, ephemeral *ecdh.PrivateKey) *noise {
	n := &noise{ephemeral: ephemeral}
	copy(n.hash[:], noiseName)
	n.chain = n.hash
	n.mixHash(prologue)
	return n
}

func (n *noise) mixHash(data []byte) {
	n.hash = sha256.Sum256(append(n.hash[:], data...))
}

// mixKey is MixKey of what both sides compute from these keys. It fails for a public key of low order,
// which no honest side has (RFC 7748, section 6.1).
func (n *noise) mixKey(private *ecdh.PrivateKey, public []byte) error {
	peer, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return err
	}
	secret, err := private.ECDH(peer)
	if err != nil {
		return err
	}
	both, err := hkdf.Key(sha256.New, secret, n.chain[:], "", 2*sha256.Size)
	if err != nil {
		return err
	}
	n.chain = [sha256.Size]byte(both)
	block, err := aes.NewCipher(both[sha256.Size:])
	if err != nil {
		return err
	}
	n.key, err = cipher.NewGCM(block)
	n.nonce = 0
	return err
}

// iv is that of AESGCM (section 12.3).
func (n *noise) iv() []byte {
	iv := binary.BigEndian.AppendUint64(make([]byte, 4, 12), n.nonce)
	n.nonce++
	return iv
}

// seal is EncryptAndHash once there is a key.
func (n *noise) seal(plain []byte) []byte {
	sealed := n.key.Seal(nil, n.iv(), plain, n.hash[:])
	n.mixHash(sealed)
	return sealed
}

// open is DecryptAndHash once there is a key.
func (n *noise) open(sealed []byte) ([]byte, error) {
	plain, err := n.key.Open(nil, n.iv(), sealed, n.hash[:])
	n.mixHash(sealed)
	return plain, err
}

// initiate writes the first message, "e".
func (n *noise) initiate() []byte {
	public := n.ephemeral.PublicKey().Bytes()
	n.mixHash(public)
	return public
}

// second is the second message of XX, "e, ee, s, es", and its payload.
type second struct{ ephemeral, static, payload []byte }

// finish reads the second message: it gives the responder's static key and the payload.
func (n *noise) finish(m second) (static, payload []byte, err error) {
	n.mixHash(m.ephemeral)
	if err = n.mixKey(n.ephemeral, m.ephemeral); err != nil {
		return nil, nil, err
	}
	if static, err = n.open(m.static); err != nil {
		return nil, nil, err
	}
	if err = n.mixKey(n.ephemeral, static); err != nil {
		return nil, nil, err
	}
	payload, err = n.open(m.payload)
	return static, payload, err
}

// answer writes the second message, to an initiator whose first one the hash knows already.
func (n *noise) answer(initiator []byte, static *ecdh.PrivateKey, payload []byte) (m second, err error) {
	m.ephemeral = n.ephemeral.PublicKey().Bytes()
	n.mixHash(m.ephemeral)
	if err = n.mixKey(n.ephemeral, initiator); err != nil {
		return second{}, err
	}
	m.static = n.seal(static.PublicKey().Bytes())
	if err = n.mixKey(static, initiator); err != nil {
		return second{}, err
	}
	m.payload = n.seal(payload)
	return m, nil
}

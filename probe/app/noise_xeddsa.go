package app

import (
	"crypto/ed25519"
	"math/big"
	"slices"
)

// fieldPrime is 2^255-19, the field of Curve25519 (RFC 7748, section 4.1).
var fieldPrime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))

// verifyXEdDSA says whether a signature is one of the holder of a Curve25519 key, as libsignal signs:
// XEdDSA, where the sign of the Edwards key is not always 0 but told by the highest bit of the
// signature. Like there, the rest is Ed25519, so the standard library verifies it. What is public may
// take its time: nothing here is secret. Signal, "The XEdDSA and VXEdDSA signature schemes", sections
// 2.3 and 2.4; libsignal, curve25519.rs, verify_signature.
func verifyXEdDSA(key [32]byte, message, signature []byte) bool {
	if len(signature) != ed25519.SignatureSize {
		return false
	}
	s := slices.Clone(signature)
	sign := s[63] & 0x80
	s[63] &^= 0x80
	public, ok := edwards(key, sign)
	return ok && ed25519.Verify(public, message, s)
}

// signXEdDSA signs so that verifyXEdDSA believes it for montgomery of the key. A key that begins as
// one of Ed25519 needs no arithmetic of its own: only the sign of it has to be told.
func signXEdDSA(key ed25519.PrivateKey, message []byte) []byte {
	signature := ed25519.Sign(key, message)
	signature[63] |= key.Public().(ed25519.PublicKey)[31] & 0x80
	return signature
}

// edwards gives the Ed25519 key with this sign bit that belongs to a Curve25519 key: y = (u-1)/(u+1)
// (RFC 7748, section 4.1). There is none for u = -1.
func edwards(key [32]byte, sign byte) (ed25519.PublicKey, bool) {
	key[31] &= 0x7f // the highest bit is no part of u (RFC 7748, section 5)
	u, one := fromLittleEndian(key[:]), big.NewInt(1)
	y := new(big.Int).Add(u, one)
	if y.ModInverse(y, fieldPrime) == nil {
		return nil, false
	}
	y.Mul(y, u.Sub(u, one)).Mod(y, fieldPrime)
	public := littleEndian(y)
	public[31] |= sign
	return public[:], true
}

// montgomery gives the Curve25519 key that belongs to an Ed25519 key: u = (1+y)/(1-y) (RFC 7748,
// section 4.1). For y = 1, which is the key of nobody, it gives 0.
func montgomery(public ed25519.PublicKey) [32]byte {
	b := [32]byte(public)
	b[31] &= 0x7f // the sign of x
	y, one := fromLittleEndian(b[:]), big.NewInt(1)
	u := new(big.Int).Sub(one, y)
	if u.ModInverse(u, fieldPrime) == nil {
		return [32]byte{}
	}
	return littleEndian(u.Mul(u, y.Add(y, one)).Mod(u, fieldPrime))
}

func fromLittleEndian(b []byte) *big.Int {
	b = slices.Clone(b)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

func littleEndian(x *big.Int) (b [32]byte) {
	x.FillBytes(b[:])
	slices.Reverse(b[:])
	return b
}

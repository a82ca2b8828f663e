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

// edwards gives the Ed25519 key with this sign bit that belongs to a Curve25519 key: y = (u-1)/(u+1)
// (RFC 7748, section 4.1). There is none for u = -1.
func edwards(key [32]byte, sign byte) (ed25519.PublicKey, bool) {
	key[31] &= 0x7f // the highest bit is no part of u (RFC 7748, section 5)
	slices.Reverse(key[:])
	u, one := new(big.Int).SetBytes(key[:]), big.NewInt(1)
	y := new(big.Int).Add(u, one)
	if y.ModInverse(y, fieldPrime) == nil {
		return nil, false
	}
	y.Mul(y, u.Sub(u, one)).Mod(y, fieldPrime)
	public := y.FillBytes(make([]byte, ed25519.PublicKeySize))
	slices.Reverse(public)
	public[31] |= sign
	return public, true
}

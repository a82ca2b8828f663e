package app

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1" // Telegram's fingerprints are made with it
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
)

// Fingerprint names a key: the last eight bytes of the SHA-1 of its modulus and exponent, as TL strings.
// Source: core.telegram.org/mtproto/auth_key.
func Fingerprint(k *rsa.PublicKey) uint64 {
	var w tlWriter
	w.text(k.N.Bytes())
	w.text(big.NewInt(int64(k.E)).Bytes())
	sum := sha1.Sum(w.bytes)
	return binary.LittleEndian.Uint64(sum[12:])
}

// keyBits is the size of all keys of Telegram's: RSA_PAD is made for it.
const keyBits = 2048

// ParseMTProtoKeys reads public keys in PEM, as PKCS #1 or as PKIX, and nothing else.
func ParseMTProtoKeys(text []byte) (keys []*rsa.PublicKey, err error) {
	for rest := text; len(bytes.TrimSpace(rest)) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("not public keys in PEM, and nothing else")
		}
		var key *rsa.PublicKey
		switch block.Type {
		case "RSA PUBLIC KEY":
			key, err = x509.ParsePKCS1PublicKey(block.Bytes)
		case "PUBLIC KEY":
			var any any
			any, err = x509.ParsePKIXPublicKey(block.Bytes)
			key, _ = any.(*rsa.PublicKey)
		}
		if err != nil || key == nil || key.N.BitLen() != keyBits {
			return nil, fmt.Errorf("key %d is no public key of RSA with %d bits", len(keys)+1, keyBits)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// splitPQ gives the two primes whose product n is, the smaller first. They have 32 bits at most, since that is
// what the protocol asks of clients to split.
func splitPQ(n uint64) (p, q uint64, ok bool) {
	if n < 4 || prime(n) {
		return 0, 0, false
	}
	if p = factor(n); p == 0 {
		return 0, 0, false
	}
	p, q = min(p, n/p), max(p, n/p)
	return p, q, p != q && q < 1<<32 && prime(p) && prime(q)
}

func prime(n uint64) bool { return new(big.Int).SetUint64(n).ProbablyPrime(0) } // exact below 2^64

// mostSteps bounds the search: a factor of 32 bits takes some 2^16 steps. Chosen by us, with room.
const mostSteps = 1 << 20

// factor finds a factor of a composite number by Pollard's rho (Brent, BIT 20, 1980); 0 where it gives up.
func factor(n uint64) uint64 {
	if n%2 == 0 {
		return 2
	}
	steps := 0
	for c := uint64(1); c < 16; c++ {
		x, y, d := uint64(2), uint64(2), uint64(1)
		for d == 1 {
			product := uint64(1)
			for range 128 { // one gcd for many differences
				x = step(x, c, n)
				y = step(step(y, c, n), c, n)
				if x == y {
					break
				}
				product = mulMod(product, max(x, y)-min(x, y), n)
			}
			if d = gcd(product, n); product == 0 || x == y && d == 1 {
				break
			}
			if steps += 128; steps > mostSteps {
				return 0
			}
		}
		if d > 1 && d < n {
			return d
		}
	}
	return 0
}

func step(x, c, n uint64) uint64 {
	x = mulMod(x, x, n)
	if x >= n-c {
		return x - (n - c)
	}
	return x + c
}

func mulMod(a, b, n uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return bits.Rem64(hi, lo, n)
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

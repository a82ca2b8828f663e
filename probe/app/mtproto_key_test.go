package app

import (
	"bytes"
	"crypto/rand"
	"math/big"
	"testing"
)

// Products of two primes are split; what is no such product is said to be none.
func TestSplit(t *testing.T) {
	for bits := 3; bits <= 32; bits++ {
		for range 20 {
			p, err := rand.Prime(rand.Reader, bits)
			if err != nil {
				t.Fatal(err)
			}
			q, err := rand.Prime(rand.Reader, 32-bits/4)
			if err != nil {
				t.Fatal(err)
			}
			a, b := min(p.Uint64(), q.Uint64()), max(p.Uint64(), q.Uint64())
			if x, y, ok := splitPQ(a * b); ok != (a != b) || ok && (x != a || y != b) {
				t.Fatalf("%d × %d: %d %d %v", a, b, x, y, ok)
			}
		}
	}
	for _, n := range []uint64{0, 1, 2, 3, 4, 9, 8, 30, 1 << 63, 18446744073709551557, 65537 * 65537, 2 * 4294967311, 3 * 5 * 4294967291} {
		if p, q, ok := splitPQ(n); ok {
			t.Errorf("%d is %d × %d", n, p, q)
		}
	}
}

// The production key has the fingerprint that others have computed from it. gotd/td, mtproto/_data; its own
// tests, and those of other clients, hold the number.
func TestProductionKey(t *testing.T) {
	const pem = `-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEA6LszBcC1LGzyr992NzE0ieY+BSaOW622Aa9Bd4ZHLl+TuFQ4lo4g
5nKaMBwK/BIb9xUfg0Q29/2mgIR6Zr9krM7HjuIcCzFvDtr+L0GQjae9H0pRB2OO
62cECs5HKhT5DZ98K33vmWiLowc621dQuwKWSQKjWf50XYFw42h21P2KXUGyp2y/
+aEyZ+uVgLLQbRA1dEjSDZ2iGRy12Mk5gpYc397aYp438fsJoHIgJ2lgMv5h7WY9
t6N/byY9Nw9p21Og3AoXSL2q/2IJ1WRUhebgAdGVMlV1fkuOQoEzR7EdpqtQD9Cs
5+bfo3Nhmcyvk5ftB0WkJ9z6bNZ7yxrP8wIDAQAB
-----END RSA PUBLIC KEY-----`
	keys, err := ParseMTProtoKeys([]byte(pem))
	if err != nil || len(keys) != 1 || Fingerprint(keys[0]) != 0xd09d1d85de64fd85 {
		t.Fatalf("%v, %v", keys, err)
	}
	for _, wrong := range []string{"x", pem + "x", "-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n"} {
		if _, err := ParseMTProtoKeys([]byte(wrong)); err == nil {
			t.Errorf("%.20q is taken for a key", wrong)
		}
	}
}

// A header of obfuscated2 never begins like another protocol.
func TestObfuscatedHeader(t *testing.T) {
	for range 1 << 12 {
		h := obfuscatedHeader(-2)
		if h[0] == tagAbridged || bytes.HasPrefix(h[:], []byte("POST")) || new(big.Int).SetBytes(h[4:8]).Sign() == 0 || h[60] != 0xfe || h[61] != 0xff {
			t.Fatalf("%x", h)
		}
	}
}

package app

import (
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"testing"
)

// Both ways to the power are one: with the primes' help and without.
func TestPowerOfPrivate(t *testing.T) {
	t.Parallel()
	k, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		t.Fatal(err)
	}
	plain := &rsa.PrivateKey{PublicKey: k.PublicKey, D: k.D}
	for _, c := range []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(2), new(big.Int).Rsh(k.N, 3), new(big.Int).Sub(k.N, big.NewInt(1)), k.Primes[0], k.Primes[1]} {
		fast, slow := powerOfPrivate(new(big.Int).Set(c), k), powerOfPrivate(new(big.Int).Set(c), plain)
		if fast.Cmp(slow) != 0 {
			t.Errorf("%v: %v by the primes, %v without", c, fast, slow)
		}
	}
}

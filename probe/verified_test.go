package probe

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"
)

func parsed(c tls.Certificate) (out []*x509.Certificate) {
	for _, der := range c.Certificate {
		out = append(out, must(x509.ParseCertificate(der)))
	}
	return out
}

// A host that remembers says of every chain, name, set of roots and time what one says that does not, asked in any
// order, and twice.
func TestRememberedChainsAreVerifiedAlike(t *testing.T) {
	short, other := trusted.issue(time.Minute, site), forger.issue(time.Hour, site)
	chains := [][]*x509.Certificate{
		parsed(good), parsed(short), parsed(other), parsed(good)[:1], // the root is known
		{parsed(good)[0], parsed(other)[0]}, {parsed(other)[0], parsed(good)[1]}, {parsed(good)[1]},
	}
	pools := []*x509.CertPool{trusted.roots, forger.roots, x509.NewCertPool()}
	memory, now := &verified{}, time.Now()
	for _, ago := range []time.Duration{0, time.Hour / 2, 2 * time.Hour, -23 * time.Hour, -25 * time.Hour, 47 * time.Hour, 49 * time.Hour, 0} {
		for i, chain := range chains {
			for j, pool := range pools {
				for _, name := range []string{site, "", "other.example.net"} {
					want := rootSet{pool: pool}.verify(chain, name, now.Add(ago))
					for range 2 {
						got := rootSet{pool: pool, verified: memory}.verify(chain, name, now.Add(ago))
						if (got == nil) != (want == nil) {
							t.Errorf("chain %d, roots %d, %q, in %v: %v, want %v", i, j, name, ago, got, want)
						}
					}
				}
			}
		}
	}
	if len(memory.spans) == 0 {
		t.Error("nothing was remembered")
	}
}

// What is remembered is asked first, holds for its time to the second at both ends, and for nothing else.
func TestMemoryOfChains(t *testing.T) {
	chain := parsed(trusted.issue(time.Hour, site))
	c, m := claimOf(trusted.roots, chain, site), &verified{}
	m.add(c, chain)
	leaf := chain[0]
	for at, want := range map[time.Time]bool{
		leaf.NotBefore: true, leaf.NotAfter: true, time.Now(): true,
		leaf.NotBefore.Add(-time.Second): false, leaf.NotAfter.Add(time.Second): false,
	} {
		if m.holds(c, at) != want {
			t.Errorf("at %v it is %v", at, !want)
		}
	}
	for what, other := range map[string]claim{
		"another name": claimOf(trusted.roots, chain, "x."+site), "other roots": claimOf(forger.roots, chain, site),
		"a shorter chain": claimOf(trusted.roots, chain[:1], site), "another order": claimOf(trusted.roots, []*x509.Certificate{chain[1], chain[0]}, site),
		"one certificate of the bytes of both": claimOf(trusted.roots, []*x509.Certificate{{Raw: append(append([]byte{}, chain[0].Raw...), chain[1].Raw...)}}, site),
	} {
		if m.holds(other, time.Now()) {
			t.Errorf("%s is taken for it", what)
		}
	}
	var none *verified
	none.add(c, chain)
	if none.holds(c, time.Now()) {
		t.Error("nothing remembers something")
	}
}

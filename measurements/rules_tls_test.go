package measurements

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"testing"
)

// Chains of one issuer at two sites are an interception where they are for the sites' names: a terminator's own
// certificate, which it shows for whatever it has lost, names neither.
func TestImposterElsewhere(t *testing.T) {
	forged := func(name string) [][]byte {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: morning, DNSNames: []string{name}}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		return [][]byte{der}
	}
	const one, two, own = "www.example.org", "www.example.net", "ingress.local"
	for _, tt := range []struct {
		name, here, there string
		want              bool
	}{
		{"forged for both", one, two, true},
		{"the terminator's own at both", own, own, false},
		{"its own here", own, two, false},
		{"its own there", one, own, false},
	} {
		at := func(target, endpoint, name, in string) *Case {
			o := &Observation{Operation: TLSHandshake, Endpoint: endpoint, Failure: SSLUnknownAuthority, TLS: &TLS{ChainRoot: RootNone, LeafIssuer: "CN=Box", Chain: forged(in)}}
			return &Case{Target: TargetInfo{ID: target}, Layer: LayerTLS, Name: name, Endpoint: endpoint, T: o}
		}
		c := at("a", "192.0.2.1:443", one, tt.here)
		c.all = []*Case{c, at("b", "198.51.100.1:443", two, tt.there)}
		if got := c.imposterElsewhere(); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}

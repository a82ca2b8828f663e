package probe

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
)

// A certificate that is filled up with names can't fill the record of each of its handshakes.
func TestDescribeIsBounded(t *testing.T) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	fat := strings.Repeat("a", 60<<10)
	form := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: fat + "é"}, DNSNames: []string{fat, "www.example.com", fat, "example.com"}}
	leaf := must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key))))
	var seen measurements.TLS
	describe(&seen, tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}})
	if !slices.Equal(seen.LeafNames, []string{"www.example.com", "example.com"}) || len(seen.LeafIssuer) != mostIssuer || !strings.HasPrefix(seen.LeafIssuer, "CN=aaa") {
		t.Errorf("%d names, an issuer of %d bytes", len(seen.LeafNames), len(seen.LeafIssuer))
	}
	if len(seen.Chain) != 1 {
		t.Error("the certificate itself is not kept")
	}
}

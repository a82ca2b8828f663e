package probe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// leafNames bounds the names of a leaf that are told: shared certificates have hundreds. Eight tell
// whose it is. Chosen by us.
const leafNames = 8

// The words of TLS.ChainRoot.
const (
	rootBundle = "bundle"
	rootNone   = "none"
)

// errNoChain is what a handshake without certificates would be; crypto/tls lets none pass.
var errNoChain = errors.New("tls: the server shows no certificate")

// verify checks a chain as crypto/tls would, but after the handshake, so that the peer has proved
// the key of what it showed, and what it serves can still be seen. An empty name is not checked: a
// target that is addresses alone has none.
func (h Host) verify(chain []*x509.Certificate, name string) error {
	if len(chain) == 0 {
		return errNoChain
	}
	if err := h.verifyAt(chain, name, time.Now()); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return nil
}

func (h Host) verifyAt(chain []*x509.Certificate, name string, at time.Time) error {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{DNSName: name, Roots: h.Roots, Intermediates: between, CurrentTime: at})
	return err
}

// rootOf says whether a chain leads to a root of ours, whatever the name, and whatever the date: an
// expired certificate, or a clock that is wrong at home, makes no forgery. So the ends of the leaf's
// own time are tried too.
func (h Host) rootOf(chain []*x509.Certificate) string {
	if len(chain) == 0 {
		return ""
	}
	for _, at := range []time.Time{time.Now(), chain[0].NotAfter, chain[0].NotBefore} {
		if h.verifyAt(chain, "", at) == nil {
			return rootBundle
		}
	}
	return rootNone
}

// describe puts what a handshake has agreed on, and the peer's chain, into the record. It is used on
// failure too: the chain is then what the peer showed, and perhaps not its own.
func describe(t *measurements.TLS, cs tls.ConnectionState) {
	if cs.Version != 0 {
		t.Version = tls.VersionName(cs.Version)
	}
	if cs.CipherSuite != 0 {
		t.Cipher = tls.CipherSuiteName(cs.CipherSuite)
	}
	t.ALPN = cs.NegotiatedProtocol
	for _, c := range cs.PeerCertificates {
		t.Chain = append(t.Chain, c.Raw)
	}
	if len(cs.PeerCertificates) > 0 {
		leaf := cs.PeerCertificates[0]
		t.LeafNames = leaf.DNSNames[:min(len(leaf.DNSNames), leafNames)]
		t.LeafIssuer = leaf.Issuer.String()
	}
}

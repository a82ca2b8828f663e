package probe

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// leafNames bounds the names of a leaf that are told: shared certificates have hundreds. Eight tell
// whose it is. Chosen by us.
const leafNames = 8

// Bounds of what is told of a leaf, in bytes: a certificate may have a quarter of a megabyte (crypto/tls), and one whose
// names fill it, in every handshake, would make a round's evidence too large to be kept.
const (
	mostName   = 255     // no name of DNS is longer (RFC 1035, section 2.3.4)
	mostIssuer = 1 << 10 // chosen by us: those of authorities have a hundred or two
)

// errNoChain is what a handshake without certificates would be; crypto/tls lets none pass.
var errNoChain = errors.New("tls: the server shows no certificate")

// proves says whether a chain proves the server that the input wants: by its key where one is named.
func (h Host) proves(chain []*x509.Certificate, in TLSInput) error {
	switch {
	case in.Key == "":
		return h.verify(chain, in.Name)
	case len(chain) == 0:
		return errNoChain
	case measurements.KeyOf(chain[0].Raw) != in.Key:
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: x509.UnknownAuthorityError{Cert: chain[0]}}
	}
	return nil
}

// verify checks a chain as crypto/tls would, but after the handshake, so that the peer has proved
// the key of what it showed, and what it serves can still be seen. An empty name is not checked: a
// target that is addresses alone has none.
//
// What only the machine's own store trusts does not verify. The error is that of the bundle.
func (h Host) verify(chain []*x509.Certificate, name string) error {
	if len(chain) == 0 {
		return errNoChain
	}
	var first error
	for _, a := range h.trusted() {
		err := a.verify(chain, name, time.Now())
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: first}
}

func (a rootSet) verify(chain []*x509.Certificate, name string, at time.Time) error {
	claim := claimOf(a.pool, chain, name)
	if a.verified.holds(claim, at) {
		return nil
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	ways, err := chain[0].Verify(x509.VerifyOptions{DNSName: name, Roots: a.pool, Intermediates: between, CurrentTime: at})
	if err == nil {
		a.verified.add(claim, ways[0])
	}
	return err
}

// holdsThen says whether a chain proves the name at one end of its leaf's own time, under the roots that
// prove a server.
func (h Host) holdsThen(chain []*x509.Certificate, name string) bool {
	if len(chain) == 0 {
		return false
	}
	return slices.ContainsFunc(h.trusted(), func(a rootSet) bool {
		return a.verify(chain, name, chain[0].NotAfter) == nil || a.verify(chain, name, chain[0].NotBefore) == nil
	})
}

// rootOf says where a chain leads, whatever the name, and whatever the date: an expired certificate, or
// a clock that is wrong at home, makes no forgery. So the ends of the leaf's own time are tried too.
//
// The machine's own store is asked last, and for what nothing else knows. On Windows and macOS that is the
// platform's own verifier.
func (h Host) rootOf(chain []*x509.Certificate) string {
	if len(chain) == 0 {
		return ""
	}
	sets := h.trusted()
	if second, ok := h.secondOpinion(); ok {
		sets = append(sets, second)
	}
	for _, a := range sets {
		for _, at := range []time.Time{time.Now(), chain[0].NotAfter, chain[0].NotBefore} {
			if a.verify(chain, "", at) == nil {
				return a.word
			}
		}
	}
	return measurements.RootNone
}

// timestamps is the extension with which a leaf shows that it stands in public logs (RFC 6962, section 3.3).
var timestamps = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}

func logged(leaf *x509.Certificate) bool {
	return slices.ContainsFunc(leaf.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(timestamps) })
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
		for _, name := range leaf.DNSNames {
			if len(name) <= mostName && len(t.LeafNames) < leafNames {
				t.LeafNames = append(t.LeafNames, name)
			}
		}
		issuer := leaf.Issuer.String()
		t.LeafIssuer = strings.ToValidUTF8(issuer[:min(len(issuer), mostIssuer)], "")
		t.Logged = logged(leaf)
	}
}

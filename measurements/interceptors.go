package measurements

import (
	"bytes"
	"crypto/x509"
	_ "embed" // for interceptors.pem
	"encoding/pem"
	"sync"
)

// interceptorsPEM holds the roots that states were seen to intercept with, and says where each was seen.
//
//go:embed interceptors.pem
var interceptorsPEM []byte

// interceptors parses them once: few rounds meet a chain that leads to no root.
var interceptors = sync.OnceValue(func() []*x509.Certificate { return certificatesOf(interceptorsPEM) })

func certificatesOf(text []byte) (out []*x509.Certificate) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			out = append(out, c)
		}
	}
	return out
}

// mostLinks bounds how many certificates of a chain are looked at. Chosen by us: no honest chain has as many.
const mostLinks = 8

// interceptedBy gives the country whose interception root a chain leads to; "" for any other. Anybody can write a
// name into a certificate, and send a root along that signed nothing: what counts is that the leaf was signed, link by
// link, with the root's key. Dates don't matter: interceptors let theirs run out (OONI, Kazakhstan, 2024).
func interceptedBy(chain [][]byte, roots []*x509.Certificate) string {
	var below *x509.Certificate
	for _, der := range chain[:min(len(chain), mostLinks)] {
		link, err := x509.ParseCertificate(der)
		if err != nil || below != nil && !signs(link, below) {
			return ""
		}
		for _, root := range roots {
			if (link.Equal(root) || signs(root, link)) && len(root.Subject.Country) > 0 {
				return root.Subject.Country[0]
			}
		}
		below = link
	}
	return ""
}

// signs says whether a certificate was signed with the other's key.
func signs(by, c *x509.Certificate) bool {
	return bytes.Equal(by.RawSubject, c.RawIssuer) && by.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// interceptor says what proves that a chain which is not the server's own is a state's: a block page behind it that
// is known, or a root that is; "" where nothing does.
func (c *Case) interceptor() string {
	if c.Page != nil {
		if cc := knownBlockPage(c.Page.HTTP); cc != "" {
			return "behind it stands a block page known from " + cc
		}
	}
	if cc := interceptedBy(c.T.TLS.Chain, interceptors()); cc != "" {
		return "it leads to a root that " + cc + " is known to intercept with"
	}
	return ""
}

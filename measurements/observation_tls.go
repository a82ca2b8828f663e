package measurements

import (
	"crypto/x509"
	"time"
)

// TLS is what a TLS handshake saw, over TCP or inside QUIC.
type TLS struct {
	Shape      Shape    `json:"shape"`
	JA4        string   `json:"ja4,omitempty"` // of the hello that we sent
	Version    string   `json:"version,omitempty"`
	Cipher     string   `json:"cipher,omitempty"`
	ALPN       string   `json:"alpn,omitempty"`
	Chain      [][]byte `json:"-"`                     // DER, leaf first; kept on failure too, unless it names the home (evidence stores it apart)
	ChainRoot  string   `json:"chain_root,omitempty"`  // where it leads, whatever the name and the date: a word below; "" no chain
	LeafNames  []string `json:"leaf_names,omitempty"`  // DNS names of the leaf, the first 8; longer ones than DNS has are left out
	LeafIssuer string   `json:"leaf_issuer,omitempty"` // issuer of the leaf, the first KiB; of a box at home a mark, the same for the same one
	// Logged: the leaf says that it stands in a public log (RFC 6962, section 3.3), as those of public
	// authorities do, and those that a box makes up do not.
	Logged bool `json:"logged,omitempty"`
	// ValidFrom and ValidUntil are the leaf's time; set only where the chain proves the server but for the
	// date: it was refused, and holds for the name at one end of that time.
	ValidFrom  time.Time `json:"valid_from,omitzero"`
	ValidUntil time.Time `json:"valid_until,omitzero"`
	// FirstBytes are the first bytes that the peer sent, up to 256: proof of a not-TLS answer. Of TLS there is the
	// server's hello at most: a certificate may follow it.
	FirstBytes []byte `json:"first_bytes,omitempty"`
}

// The words of TLS.ChainRoot, in the order in which they are tried.
const (
	RootBundle = "bundle" // the dated bundle of Mozilla's roots
	RootExtra  = "extra"  // a root that the configuration adds
	RootTarget = "target" // the target's own root, as the catalogue has it
	RootSystem = "system" // a root that this machine's own store alone trusts: no proof of the server
	RootNone   = "none"   // no root
)

// proves says whether the chain leads to a root that proves a server.
func (t *TLS) proves() bool {
	return t != nil && (t.ChainRoot == RootBundle || t.ChainRoot == RootExtra || t.ChainRoot == RootTarget)
}

// outOfDate says whether a chain was refused that proves the server but for the date.
func (t *TLS) outOfDate() bool { return t != nil && !t.ValidUntil.IsZero() }

// foreignTo says whether a certificate was shown that is not for a name.
func (t *TLS) foreignTo(name string) bool {
	if t == nil || len(t.Chain) == 0 {
		return false
	}
	leaf, err := x509.ParseCertificate(t.Chain[0])
	return err == nil && leaf.VerifyHostname(name) != nil
}

// foreign says whether a chain was shown that leads to no such root.
func (t *TLS) foreign() bool {
	return t != nil && (t.ChainRoot == RootSystem || t.ChainRoot == RootNone)
}

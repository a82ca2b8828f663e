package netlab

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"time"
)

// certifier is a certification authority of the emulation: a root, an intermediate below it, and
// leaves that are issued when a handshake first asks for them, so that a world of fifty hosts costs
// no more than the few that are dialled. All leaves share one key, but for those that are renewed: nothing in a
// measurement looks at whose key it is, and making keys is what would cost.
type certifier struct {
	name         string
	born         time.Time
	root         *x509.Certificate
	intermediate *x509.Certificate
	signer       crypto.Signer // the intermediate's
	leafKey      crypto.Signer
	box          bool // a filter's own: what it issues stands in no public log

	mu     sync.Mutex
	issued map[leaf]*tls.Certificate
}

// leaf says what a certificate is to hold.
type leaf struct {
	name    string
	address netip.Addr // in the names too, if valid: resolvers are dialled by address
	expired bool
	renewed time.Time // when it took an earlier one's place, under a key of its own; zero: it is the first
}

// newCertifier makes an authority of that name, valid from a year before a time: in a test that is the
// bubble's, which begins in the year 2000.
func newCertifier(name string, born time.Time) (*certifier, error) {
	c := &certifier{name: name, born: born, issued: make(map[leaf]*tls.Certificate)}
	var keys [3]*ecdsa.PrivateKey
	for i := range keys {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		keys[i] = key
	}
	var err error
	root := c.authorityTemplate(name+" Root", 1)
	if c.root, err = sign(root, root, &keys[0].PublicKey, keys[0]); err != nil {
		return nil, err
	}
	below := c.authorityTemplate(name+" Issuing", 2)
	if c.intermediate, err = sign(below, c.root, &keys[1].PublicKey, keys[0]); err != nil {
		return nil, err
	}
	c.signer, c.leafKey = keys[1], keys[2]
	return c, nil
}

func (c *certifier) authorityTemplate(name string, serial int64) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(serial),
		Subject:               pkix.Name{Organization: []string{c.name}, CommonName: name},
		NotBefore:             c.born.AddDate(-1, 0, 0),
		NotAfter:              c.born.AddDate(10, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		IssuingCertificateURL: []string{"http://certificates.example.org/root.crt"},
		CRLDistributionPoints: []string{"http://certificates.example.org/root.crl"},
	}
}

// pool holds the root alone, as a browser's store does.
func (c *certifier) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.root)
	return pool
}

// certificate gives the chain for a leaf, issued at most once.
func (c *certifier) certificate(l leaf) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if have := c.issued[l]; have != nil {
		return have, nil
	}
	key := c.leafKey
	if !l.renewed.IsZero() {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, err
		}
	}
	parsed, err := sign(c.leafTemplate(l), c.intermediate, key.Public(), c.signer)
	if err != nil {
		return nil, err
	}
	chain := &tls.Certificate{
		Certificate: [][]byte{parsed.Raw, c.intermediate.Raw},
		PrivateKey:  key,
		Leaf:        parsed,
	}
	c.issued[l] = chain
	return chain, nil
}

// leafTemplate resembles the leaves that the web uses, in size too: filters that look at a server's
// certificate, and paths that lose large packets, meet about as many bytes as outside.
func (c *certifier) leafTemplate(l leaf) *x509.Certificate {
	digest := sha256.Sum256([]byte(l.name + l.address.String()))
	from, until := c.born.AddDate(0, -1, 0), c.born.AddDate(0, 12, 0)
	if !l.renewed.IsZero() {
		digest = sha256.Sum256([]byte(l.name + l.address.String() + l.renewed.String()))
		from, until = l.renewed.Add(-chainAge), l.renewed.AddDate(0, 3, 0) // 90 days, as most of the web's
	}
	if l.expired {
		from, until = c.born.AddDate(-1, 0, 0), c.born.AddDate(0, 0, -3)
	}
	t := &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes(digest[:16]),
		Subject:               pkix.Name{CommonName: l.name},
		NotBefore:             from,
		NotAfter:              until,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              []string{l.name},
		OCSPServer:            []string{"http://status.example.org/"},
		IssuingCertificateURL: []string{"http://certificates.example.org/issuing.crt"},
		CRLDistributionPoints: []string{"http://certificates.example.org/issuing.crl"},
	}
	if !c.box {
		t.ExtraExtensions = []pkix.Extension{timestamps(digest)}
	}
	if l.address.IsValid() {
		t.IPAddresses = []net.IP{l.address.AsSlice()}
	}
	return t
}

// timestamps fills the place of the two signed certificate timestamps of a public leaf (RFC 6962
// section 3.3, about 120 bytes each). They are no timestamps: nothing here verifies them, but their
// bytes are a quarter of a leaf's.
func timestamps(digest [32]byte) pkix.Extension {
	list := make([]byte, 0, 256)
	for len(list)+len(digest) <= cap(list) {
		digest = sha256.Sum256(digest[:])
		list = append(list, digest[:]...)
	}
	value, _ := asn1.Marshal(list) // an octet string of bytes in memory always marshals
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: value}
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

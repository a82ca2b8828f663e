package measurements

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"math/big"
	"regexp"
	"testing"
	"time"
)

// authority signs certificates for the tests of chains.
type authority struct {
	t    *testing.T
	key  crypto.Signer
	cert *x509.Certificate
}

func (a *authority) issue(subject pkix.Name, until time.Time) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: subject, NotBefore: until.Add(-time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true}
	parent, signer := template, crypto.Signer(key)
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return &authority{a.t, key, cert}
}

func chainOf(links ...*authority) (out [][]byte) {
	for _, l := range links {
		out = append(out, l.cert.Raw)
	}
	return out
}

// A chain is an interceptor's where its key signed it, however the chain ends and whatever its dates; the name alone,
// and a root that is sent along and signed nothing, are no proof.
func TestInterceptedBy(t *testing.T) {
	now := time.Now()
	state := pkix.Name{Country: []string{"XA"}, CommonName: "Trust Network"}
	root := (&authority{t: t}).issue(state, now.AddDate(9, 0, 0))
	between := root.issue(pkix.Name{CommonName: "between"}, now.AddDate(-1, 0, 0)) // run out
	leaf := between.issue(pkix.Name{CommonName: chatName}, now.AddDate(0, 1, 0))
	namesake := (&authority{t: t}).issue(state, now.AddDate(9, 0, 0))
	forged := namesake.issue(pkix.Name{CommonName: chatName}, now.AddDate(0, 1, 0))
	long, at := [][]byte(nil), root
	for range mostLinks + 1 {
		at = at.issue(pkix.Name{CommonName: "link"}, now.AddDate(0, 1, 0))
		long = append(chainOf(at), long...)
	}
	for name, c := range map[string]struct {
		chain [][]byte
		want  string
	}{
		"leaf, intermediate, root":      {chainOf(leaf, between, root), "XA"},
		"without the root":              {chainOf(leaf, between), "XA"},
		"the root itself":               {chainOf(root), "XA"},
		"without the intermediate":      {chainOf(leaf), ""},
		"a namesake":                    {chainOf(forged, namesake), ""},
		"the root behind a namesake's":  {chainOf(forged, root), ""},
		"in no order":                   {chainOf(between, leaf), "XA"},
		"links that don't hold":         {chainOf(leaf, root), ""},
		"no certificate":                {[][]byte{[]byte("no certificate")}, ""},
		"one, then none":                {append(chainOf(leaf), []byte("none")), ""},
		"longer than any honest one is": {long, ""},
		"nothing":                       {nil, ""},
	} {
		if got := interceptedBy(c.chain, []*x509.Certificate{root.cert}); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Each root that we ship is what its line says, signs itself, and says which country it is of.
func TestInterceptors(t *testing.T) {
	sums := regexp.MustCompile(`(?m)^[0-9a-f]{64}$`).FindAllString(string(interceptorsPEM), -1)
	roots := interceptors()
	if len(roots) == 0 || len(roots) != len(sums) {
		t.Fatalf("%d roots, %d sums", len(roots), len(sums))
	}
	for i, root := range roots {
		if sum := sha256.Sum256(root.Raw); hex.EncodeToString(sum[:]) != sums[i] {
			t.Errorf("%s: its SHA-256 is %x", root.Subject, sum)
		}
		if !signs(root, root) || len(root.Subject.Country) != 1 {
			t.Errorf("%s is no root of a country's", root.Subject)
		}
	}
}

// A known interception root is proof in hand, also where people were made to install it; a namesake is none.
func TestKnownRootIsProof(t *testing.T) {
	known := [][]byte{interceptors()[0].Raw}
	namesake := chainOf((&authority{t: t}).issue(pkix.Name{Country: []string{"KZ"}, CommonName: "Qaznet Trust Network"}, time.Now().AddDate(1, 0, 0)))
	for _, where := range []string{RootNone, RootSystem} {
		for _, logged := range []bool{false, true} {
			for i, chain := range [][][]byte{known, namesake} {
				shake := Observation{Target: "chat", Trial: 1, Conn: 1, Origin: FromSystem, Operation: TLSHandshake, Family: IPv4, Endpoint: "192.0.2.10:443", Name: chatName,
					Failure: SSLUnknownAuthority, TLS: &TLS{Shape: Small, ChainRoot: where, Chain: chain, Logged: logged}}
				m := Measurement{App: "app", Targets: []TargetInfo{{ID: "chat", Hosts: []string{chatName}}}, Observations: []Observation{shake}}
				v := Judge(&Round{Gate: neighbours(""), Apps: []Measurement{m}}, nil)
				layers := v.Apps[0].Targets[0].Layers
				l := layers[len(layers)-1]
				if proved := l.State == Blocked && l.Confidence == Confirmed && l.Signature == TLSMITM; proved != (i == 0) || i > 0 && l.State != Inconclusive {
					t.Errorf("%s, logged %v, namesake %v: %s %s %s by %s", where, logged, i > 0, l.State, l.Confidence, l.Signature, l.Rule)
				}
			}
		}
	}
}

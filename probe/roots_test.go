package probe

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/telltale-probe/telltale/measurements"
)

// chainOf is the chain that a server with this certificate shows.
func chainOf(cert tls.Certificate) (chain []*x509.Certificate) {
	for _, der := range cert.Certificate {
		chain = append(chain, must(x509.ParseCertificate(der)))
	}
	return chain
}

// Where a chain leads: to the bundle, to a root of the configuration, to one of the machine's alone, or
// nowhere. Only the first two prove a server.
func TestChainRoots(t *testing.T) {
	t.Parallel()
	local := newAuthority()
	bundleOnly := Host{Roots: trusted.roots}
	all := Host{Roots: trusted.roots, Extra: forger.roots, System: local.roots}
	nowhere := newAuthority()
	for _, c := range []struct {
		name string
		host Host
		cert tls.Certificate
		want string
		ok   bool
	}{
		{"the bundle's", bundleOnly, good, measurements.RootBundle, true},
		{"the bundle's, with others beside", all, good, measurements.RootBundle, true},
		{"a configured one", all, forger.issue(time.Hour, site), measurements.RootExtra, true},
		{"the same, not configured", bundleOnly, forger.issue(time.Hour, site), measurements.RootNone, false},
		{"the machine's alone", all, local.issue(time.Hour, site), measurements.RootSystem, false},
		{"the same, on a machine that has it not", bundleOnly, local.issue(time.Hour, site), measurements.RootNone, false},
		{"nobody's", all, nowhere.issue(time.Hour, site), measurements.RootNone, false},
		{"expired, a configured one", all, forger.issue(-time.Hour, site), measurements.RootExtra, false},
		{"expired, the machine's alone", all, local.issue(-time.Hour, site), measurements.RootSystem, false},
		{"another name, a configured one", all, forger.issue(time.Hour, "other.example"), measurements.RootExtra, false},
		{"in the machine's store as well as in the bundle", Host{Roots: trusted.roots, System: trusted.roots}, good, measurements.RootBundle, true},
	} {
		chain := chainOf(c.cert)
		if got := c.host.rootOf(chain); got != c.want {
			t.Errorf("%s: leads to %s, want %s", c.name, got, c.want)
		}
		err := c.host.verify(chain, site)
		if (err == nil) != c.ok {
			t.Errorf("%s: verified is %v: %v", c.name, err == nil, err)
		}
		if err != nil && !classify(measurements.TLSHandshake, err).IsCertificate() {
			t.Errorf("%s: fails as %s", c.name, classify(measurements.TLSHandshake, err))
		}
	}
}

// A handshake tells where the chain leads when it verifies, too.
func TestTLSUnderConfiguredRoot(t *testing.T) {
	t.Parallel()
	ep := serveTLS(t, serverConfig(forger.issue(time.Hour, site)), func(*tls.Conn) {})
	for _, c := range []struct {
		host Host
		root string
		want measurements.Failure
	}{
		{Host{Roots: trusted.roots, Extra: forger.roots}, measurements.RootExtra, ""},
		{Host{Roots: trusted.roots, System: forger.roots}, measurements.RootSystem, measurements.SSLUnknownAuthority},
	} {
		conn, o := c.host.Connect(within(t, patient), ep)
		wantFailure(t, o, "")
		secure, o := c.host.TLS(within(t, patient), conn, TLSInput{Name: site})
		wantFailure(t, o, c.want)
		if o.TLS.ChainRoot != c.root || o.TLS.Logged {
			t.Errorf("got %+v, want %s", o.TLS, c.root)
		}
		_ = secure.Close()
	}
}

// The bundle is dated, whole, and keeps Mozilla's conditions; the zero Host verifies with it, whatever the
// machine trusts.
func TestMozillaBundle(t *testing.T) {
	t.Parallel()
	var named []string
	conditions := 0
	for root := range bundle.Roots() {
		named = append(named, must(x509.ParseCertificate(root.Certificate)).Subject.CommonName)
		if root.Constraint != nil {
			conditions++
		}
	}
	if len(named) < 100 || !slices.Contains(named, "ISRG Root X1") || conditions == 0 {
		t.Errorf("%d roots, %d with conditions", len(named), conditions)
	}
	if got := len(mozilla().Subjects()); got != len(named) { //nolint:staticcheck // no system pool is in it
		t.Errorf("%d of %d roots are in use", got, len(named))
	}
	if sets := (Host{}).trusted(); len(sets) != 1 || sets[0].word != measurements.RootBundle || sets[0].pool != mozilla() {
		t.Errorf("the zero Host trusts %v", sets)
	}
	if _, ok := (Host{Roots: trusted.roots}).secondOpinion(); ok {
		t.Error("another internet asks this machine's store")
	}
}

func TestDayOfABundle(t *testing.T) {
	for version, want := range map[string]string{
		"v0.0.0-20261030153154-30a33513ff6d": "2026-10-30",
		"v1.2.3":                             "v1.2.3",
		"v0.0.0-99999999999999-000000000000": "v0.0.0-99999999999999-000000000000",
		"(devel)":                            "(devel)",
		"":                                   "",
	} {
		if got := dayOf(version); got != want {
			t.Errorf("%q is of %q, want %q", version, got, want)
		}
	}
	if day := RootsDate(); day != "" { // a test binary may hold no note of its modules
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			t.Error(err)
		}
	}
}

// A target with roots of its own is proved by them alone, whatever the bundle or the configuration knows.
func TestRootsOfATarget(t *testing.T) {
	t.Parallel()
	own := newAuthority()
	h := Host{Roots: trusted.roots, Extra: forger.roots}.pinned([]*x509.Certificate{own.cert})
	for _, c := range []struct {
		name string
		cert tls.Certificate
		want string
	}{
		{"its own", own.issue(time.Hour, site), measurements.RootTarget},
		{"the bundle's", good, measurements.RootNone},
		{"the configuration's", forger.issue(time.Hour, site), measurements.RootNone},
	} {
		if err, word := h.verify(chainOf(c.cert), site), h.rootOf(chainOf(c.cert)); (err == nil) != (c.want == measurements.RootTarget) || word != c.want {
			t.Errorf("%s: %v, %s", c.name, err, word)
		}
	}
	if h := (Host{Roots: trusted.roots}).pinned(nil); h.own || h.Roots != trusted.roots {
		t.Error("a target without roots of its own has others")
	}
}

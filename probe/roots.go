package probe

import (
	"crypto/x509"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/telltale-probe/telltale/measurements"
)

// bundleModule is where Mozilla's roots come from. Its version is that of the bundle.
const bundleModule = "golang.org/x/crypto/x509roots/fallback"

// mozilla gives the roots that Mozilla's program trusts for servers, as they were on RootsDate. All
// vantages then have the same, dated measure: a machine's own store may hold what an antivirus, an
// employer or a state has put there, and tells no interception from the server.
//
// A root may come with a condition, as those do that Mozilla trusts for older certificates alone.
var mozilla = sync.OnceValue(func() *x509.CertPool {
	pool := x509.NewCertPool()
	for root := range bundle.Roots() {
		c, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			continue // one that this version of Go refuses verifies nothing
		}
		if root.Constraint == nil {
			pool.AddCert(c)
		} else {
			pool.AddCertWithConstraint(c, root.Constraint)
		}
	}
	return pool
})

// platform gives the roots of the machine's own store; nil where it can't be read.
var platform = sync.OnceValue(func() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil
	}
	return pool
})

// RootsDate is the day of the bundle of roots, YYYY-MM-DD, or its version where that holds no day; ""
// where the program was built without a note of its modules. Evidence records it.
func RootsDate() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == bundleModule {
			return dayOf(m.Version)
		}
	}
	return ""
}

// dayOf reads the day of a pseudo-version: v0.0.0-20261030153154-30a33513ff6d (go.dev/ref/mod).
func dayOf(version string) string {
	const prefix, stamp = len("v0.0.0-"), len("20060102")
	if len(version) < prefix+stamp {
		return version
	}
	at, err := time.Parse("20060102", version[prefix:prefix+stamp])
	if err != nil {
		return version
	}
	return at.Format(time.DateOnly)
}

// rootSet is a set of roots under the word that tells where a chain leads.
type rootSet struct {
	word     string
	pool     *x509.CertPool
	verified *verified
}

// pinned is the host as one target sees it that has roots of its own: no others prove that target, not even
// those that the configuration adds.
func (h Host) pinned(roots []*x509.Certificate) Host {
	if len(roots) == 0 {
		return h
	}
	if h.System == nil && h.Roots == nil {
		h.System = platform()
	}
	h.Roots, h.Extra, h.own = x509.NewCertPool(), nil, true
	for _, c := range roots {
		h.Roots.AddCert(c)
	}
	return h
}

// trusted are the roots that prove a server: the bundle, and what the configuration adds.
func (h Host) trusted() []rootSet {
	roots := h.Roots
	if roots == nil {
		roots = mozilla()
	}
	if h.own {
		return []rootSet{{measurements.RootTarget, roots, h.verified}}
	}
	out := []rootSet{{measurements.RootBundle, roots, h.verified}}
	if h.Extra != nil {
		out = append(out, rootSet{measurements.RootExtra, h.Extra, h.verified})
	}
	return out
}

// secondOpinion is the machine's own store, which proves nothing; false where there is none.
func (h Host) secondOpinion() (rootSet, bool) {
	pool := h.System
	if pool == nil && h.Roots == nil {
		pool = platform()
	}
	return rootSet{measurements.RootSystem, pool, h.verified}, pool != nil
}

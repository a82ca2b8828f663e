package netlab

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/privacy"
)

// Options say which world is wanted. The zero value is a world with a resolver and example.com.
type Options struct {
	Apps     []probe.App      // every host, address and path of their targets is emulated
	Controls []probe.Control  // the gate's neutral hosts
	Trusted  []probe.Resolver // the public resolvers of control D, at their real addresses

	Resolver   netip.Addr  // the ISP's, which the vantage is configured with; default: 192.0.2.53
	HomeRouter bool        // a router at 192.168.1.1 forwards queries: the vantage is configured with it instead
	Faults     []Fault     // innocent trouble, there from the start
	OtherHosts []OtherHost // beside those that the catalogue names
	Offers     []Offer     // HTTP/3 that no word of the catalogue asks for
	Access     Link        // the volunteer's own line; default: 5 ms, as fast as can be
	Seed       uint64      // of everything that the wire leaves to chance

	// Pinned is the hosts file of the vantage's machine.
	Pinned map[string][]netip.Addr
	// Clock is how far all servers' clocks, and the dates of their certificates, are ahead of the
	// vantage's: a vantage whose clock is wrong. Boxes on the path have the servers' time.
	Clock time.Duration
	// CaptivePortal puts PortalRules(false) on the wire: DNS stays honest.
	CaptivePortal bool
	// Stub: the forwarder is the machine's own rather, and says whom it asks. It needs HomeRouter.
	Stub bool
	// NAT64: the home has IPv6 alone. Its resolver makes addresses of IPv6 for names that have none, and the
	// network translates what goes there.
	NAT64 bool
	// Tunnel: the vantage's default route is a VPN. Nothing else changes: what censors stands behind its exit.
	Tunnel bool
	// Own is what tells who the volunteer is, beside what every world's vantage has (Home).
	Own privacy.Own
	// Heard, if set, is told of every request that a server or an interception gets, in clear or out of TLS and QUIC. It leaves the body
	// alone; requests come side by side.
	Heard func(*http.Request)
	// HeardInside is the same for what clients say in WebSockets: the nth piece of each, from 0.
	HeardInside func(piece []byte, nth int)
	// Roams, if set, is when the vantage moves to another network (Network.Roam).
	Roams time.Duration
	// Jitter is that of each path behind the access line, up to so much one way.
	Jitter time.Duration
}

// World is an emulated internet: an honest one, until rules are put on its wire. Closing it ends
// all of its goroutines. It opens no socket and has no global state, so that worlds can live side
// by side, and inside a testing/synctest bubble.
type World struct {
	network   *Network
	trust     *certifier
	pins      map[string][]netip.Addr
	private   *certifier // nil: no target has roots of its own
	zone      *authority
	machines  []*machine // in order of their addresses
	resolvers []netip.AddrPort
	behind    []netip.AddrPort // the stub
	tunnel    bool
	home      privacy.Own
	isp       *resolver
	book      *addressBook
	jitter    time.Duration

	mu    sync.Mutex      // of machines and the book, once the world runs
	moves sync.WaitGroup  // what comes of World.Move later
	alive context.Context // ends with the world
	end   context.CancelFunc
	once  sync.Once
	ended error
}

// The addresses of what stands near the vantage. 192.0.2.0/24 and 2001:db8::/32 are for documentation (RFC 5737,
// RFC 3849).
var (
	ispResolver  = netip.AddrFrom4([4]byte{192, 0, 2, 53})
	ispResolver6 = netip.MustParseAddr("2001:db8::53")
	homeRouter   = netip.AddrFrom4([4]byte{192, 168, 1, 1})
)

// New builds a world and starts it. It fails on a fault that fits nothing in it; all such errors
// come at once. The caller closes it.
func New(o Options) (*World, error) {
	if !o.Resolver.IsValid() {
		o.Resolver = ispResolver
		if o.NAT64 {
			o.Resolver = ispResolver6
		}
	}
	if o.Access == (Link{}) {
		o.Access = Link{Latency: 5 * time.Millisecond}
	}
	now := time.Now().Add(o.Clock)
	trust, err := newCertifier("Emulated Trust", now)
	if err != nil {
		return nil, err
	}
	forger, err := newCertifier("Emulated Filter", now)
	if err != nil {
		return nil, err
	}
	forger.box = true
	newcomer, err := newCertifier("Emulated Newcomer", now)
	if err != nil {
		return nil, err
	}
	var private *certifier
	if o.ownRoots() {
		if private, err = newCertifier("Emulated App", now); err != nil {
			return nil, err
		}
	}
	p := newPlan(o, trust, forger, newcomer, private)
	var errs []error
	for _, f := range o.Faults {
		errs = append(errs, p.afflict(f))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}

	w := &World{network: NewNetwork(o.Seed), trust: trust, private: private, pins: o.Pinned, zone: p.zone, isp: p.machines[o.Resolver].dns, book: p.book, jitter: o.Jitter}
	w.alive, w.end = context.WithCancel(context.Background())
	w.network.clock, w.network.nat64, w.network.heard = o.Clock, o.NAT64, o.Heard
	w.configure(o, p)
	for _, m := range w.machines {
		if err := m.start(w.network); err != nil {
			return nil, errors.Join(err, w.Close())
		}
	}
	if o.CaptivePortal {
		w.CaptivePortal(false)
	}
	return w, nil
}

// configure lays the links and tells the vantage its resolver.
func (w *World) configure(o Options, p *plan) {
	for _, m := range p.machines {
		w.machines = append(w.machines, m)
	}
	slices.SortFunc(w.machines, func(a, b *machine) int { return a.address.Compare(b.address) })
	w.network.SetAccess(o.Access)
	w.network.Roam(o.Roams)
	w.tunnel, w.home = o.Tunnel, Home().With(o.Own)
	for _, m := range w.machines {
		w.lay(m)
	}
	w.resolvers = []netip.AddrPort{netip.AddrPortFrom(o.Resolver, 53)}
	if o.HomeRouter {
		p.machines[homeRouter].dns.upstream = forward(w.alive, w.network.Dial, o.Resolver)
		if o.Stub {
			w.behind = w.resolvers
		}
		w.resolvers = []netip.AddrPort{netip.AddrPortFrom(homeRouter, 53)}
	}
}

// lay puts a machine's path on the wire.
func (w *World) lay(m *machine) {
	prefix, link := m.path()
	if !m.near {
		link.Jitter = w.jitter
	}
	w.network.SetPath(prefix, link)
}

// Host is the vantage's door to this internet.
func (w *World) Host() probe.Host {
	return probe.Host{
		Dial:            w.network.Dial,
		SystemResolvers: func() ([]netip.AddrPort, error) { return slices.Clone(w.resolvers), nil },
		StubUpstreams:   func() ([]netip.AddrPort, error) { return slices.Clone(w.behind), nil },
		Network:         w.here,
		Own:             func() privacy.Own { return w.home },
		Pinned:          func(name string) []netip.Addr { return w.pins[name] },
		Routable:        w.network.Routable,
		Roots:           w.Roots(),
	}
}

// Network is the wire: where a censor is put, and links are changed.
func (w *World) Network() *Network { return w.network }

// Roots are the only roots that anybody trusts here.
func (w *World) Roots() *x509.CertPool { return w.trust.pool() }

// Addresses are those to which a name honestly leads, IPv4 first; none if there is no such name.
func (w *World) Addresses(name string) []netip.Addr {
	return slices.Clone(w.zone.addresses(name))
}

// Close ends the world and all of its goroutines, and waits for them.
func (w *World) Close() error {
	w.once.Do(func() {
		w.end()
		w.moves.Wait()
		var errs []error
		for _, m := range w.machines {
			errs = append(errs, m.stop())
		}
		w.ended = errors.Join(append(errs, w.network.Close())...)
	})
	return w.ended
}

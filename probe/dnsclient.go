package probe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// way is how a resolver is reached.
type way struct {
	transport string // DNS.Transport
	network   string // "udp" or "tcp"
	endpoint  netip.AddrPort
	host      string // what the certificate is for
	url       string // of DoH
	// sent and received are payload bytes that finding the resolver's own address has cost.
	sent, received int64
}

// ways are the schemes of a resolver's URL, with their ports (RFC 1035, section 4.2; RFC 7858, section
// 3.1; RFC 8484, section 8.2).
var ways = map[string]struct {
	transport, network string
	port               uint16
}{
	"udp":   {"udp", "udp", 53},
	"tcp":   {"tcp", "tcp", 53},
	"tls":   {"dot", "tcp", 853},
	"https": {"doh", "tcp", 443},
}

var (
	errResolverURL  = errors.New(`dns: a resolver is "udp://…", "tcp://…", "tls://…" or "https://…"`)
	errResolverName = errors.New("dns: no address of the resolver itself")
)

// wayTo reads a resolver, and finds its address where only its name is given.
func (h Host) wayTo(ctx context.Context, r Resolver) (way, error) {
	u, err := url.Parse(strings.TrimSuffix(r.URL, "{?dns}")) // the URI template's variable is GET's (RFC 8484, section 4.1)
	if err != nil {
		return way{network: "udp"}, err
	}
	kind, ok := ways[u.Scheme]
	if !ok || u.Hostname() == "" {
		return way{network: "udp"}, errResolverURL
	}
	w := way{transport: kind.transport, network: kind.network, host: u.Hostname(), url: u.String()}
	port := kind.port
	if u.Port() != "" {
		n, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil {
			return w, err
		}
		port = uint16(n)
	}
	addresses := r.known()
	if len(addresses) == 0 {
		if addresses, err = h.addressesOf(ctx, &w); err != nil {
			return w, err
		}
	}
	w.endpoint = netip.AddrPortFrom(h.reachable(addresses), port)
	return w, nil
}

// reachable picks the first address that this machine has a route to, else the first. A step has one
// endpoint: which ones to try is the caller's to say, by Addresses.
func (h Host) reachable(addresses []netip.Addr) netip.Addr {
	if len(addresses) > 1 {
		if i := slices.IndexFunc(addresses, h.IsRoutable); i >= 0 {
			return addresses[i].Unmap()
		}
	}
	return addresses[0].Unmap()
}

// bootstrapShare is the part of the step's time that finding a resolver's own address may take: the
// handshakes and the question need the rest. Chosen by us.
const bootstrapShare = 3

// addressesOf asks the system's resolvers for a resolver's name. They are addresses themselves, so this
// ends.
func (h Host) addressesOf(ctx context.Context, w *way) ([]netip.Addr, error) {
	system, err := h.ResolversOfSystem()
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithTimeout(ctx, time.Until(deadline)/bootstrapShare)
	defer cancel()
	word := measurements.Failure("")
	families := []measurements.Family{measurements.IPv4, measurements.IPv6}
	if slices.ContainsFunc(families, h.LeadsOut) { // else a network without a way out, which may have the resolver inside
		families = slices.DeleteFunc(families, func(f measurements.Family) bool { return !h.LeadsOut(f) })
	}
	for _, f := range families {
		o := h.Resolve(ctx, system[0], w.host, f)
		w.sent, w.received, word = w.sent+o.Sent, w.received+o.Received, o.Failure
		if o.OK() {
			return o.DNS.Addresses, nil
		}
	}
	return nil, &told{word, fmt.Errorf("%w: %s is not resolved", errResolverName, w.host)}
}

// ask asks over the resolver's transport.
func (x *inquiry) ask(ctx context.Context) error {
	switch x.way.transport {
	case "udp":
		return x.overUDP(ctx)
	case "doh":
		return x.overHTTPS(ctx)
	}
	return x.overStream(ctx)
}

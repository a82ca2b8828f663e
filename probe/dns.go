package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/measurements"
)

const (
	// dnsPatience bounds a resolve step where the context has no deadline: as long as a stub resolver with
	// its two attempts of five seconds (resolv.conf(5)).
	dnsPatience = 10 * time.Second
	// keptAnswer is how much of an answer's wire form is kept. Chosen by us: answers have about 100
	// bytes, and hardly any more than 1,232.
	keptAnswer = 4 << 10
	// identityBytes bounds the name that a resolver gives itself: one TXT string (RFC 1035, section 3.3).
	identityBytes = 255
)

// Resolve measures one name, asked of one resolver, for the addresses of one family (A or AAAA). The
// resolver's URL says the transport: UDP or TCP (RFC 1035), DoT (RFC 7858), DoH (RFC 8484). Over UDP the
// question is sent up to three times, and after the first answer the socket stays open for half a
// second: what comes then with the same id and question, and says something else, is DNS.Late. Two
// answers to one question are the plainest sign of a forger on the path.
//
// It fails when the resolver denies the name (NXDOMAIN, REFUSED, SERVFAIL), has no address for it after
// the CNAMEs of the answer (no_answer), gives one that no public server has (bogon; the addresses are
// kept), or breaks DNS (misbehaving, wrong id); and when nothing comes (timeout), ICMP says no (refused,
// unreachable), or the connection or the handshake below DNS fails in its own way. A truncated answer is
// a success as far as it has addresses. It keeps no socket.
//
// The observation's Family is the one asked for; DNS.Rcode is -1 where no answer came, and Duration
// ends with the first one. We send EDNS0 (RFC 6891), and never the client's subnet (RFC 7871), which
// would tell strangers where we are. OONI df-002-dnst.
func (h Host) Resolve(ctx context.Context, r Resolver, name string, family measurements.Family) measurements.Observation {
	return h.resolve(ctx, r, question{name: name}, family)
}

// ResolveUnchecked is Resolve with the bit CD set: a resolver that validates then gives what it holds for forged, or
// for signed wrongly, instead of SERVFAIL (RFC 4035, section 3.2.2). It fails as Resolve does.
func (h Host) ResolveUnchecked(ctx context.Context, r Resolver, name string, family measurements.Family) measurements.Observation {
	return h.resolve(ctx, r, question{name: name, unchecked: true}, family)
}

func (h Host) resolve(ctx context.Context, r Resolver, q question, family measurements.Family) measurements.Observation {
	q.kind, q.class = dns.TypeA, dns.ClassINET
	if family == measurements.IPv6 {
		q.kind = dns.TypeAAAA
	}
	o := h.inquire(ctx, r, q)
	o.Family = family
	return o
}

// Identify asks a resolver what it calls itself (version.bind CH TXT, RFC 4892), over its own transport:
// two names over UDP and TCP are two programs at one address. It fails as Resolve does, and with
// no_answer where the resolver does not say; many refuse, which says nothing. The observation's Family is
// the resolver's own.
func (h Host) Identify(ctx context.Context, r Resolver) measurements.Observation {
	return h.inquire(ctx, r, itsName)
}

var itsName = question{name: "version.bind", kind: dns.TypeTXT, class: dns.ClassCHAOS}

// inquiry is a question on its way to a resolver, and what has come of it.
type inquiry struct {
	h    Host
	q    question
	way  way
	s    *step
	seen *measurements.DNS
	h3   uint16 // where an HTTPS record offers HTTP/3; 0: nowhere
	// conns were opened; conn is the one that decided how the step ends.
	conns []*Conn
	conn  *Conn
}

// inquire asks, and completes the observation.
func (h Host) inquire(ctx context.Context, r Resolver, q question) measurements.Observation {
	_, o := h.asked(ctx, r, q)
	return o
}

func (h Host) asked(ctx context.Context, r Resolver, q question) (*inquiry, measurements.Observation) {
	ctx, cancel := withPatience(ctx)
	defer cancel()
	w, err := h.wayTo(ctx, r)
	x := &inquiry{h: h, q: q, way: w, s: begin(measurements.Resolve, w.network, w.endpoint, q.name)}
	x.seen = &measurements.DNS{
		Resolver: r.URL, Class: resolverClass(w.endpoint.Addr()), Transport: w.transport, Type: dns.TypeToString[q.kind], Rcode: -1,
	}
	if err == nil {
		err = survived(func() error { return x.ask(ctx) })
	}
	if x.conn != nil && onOurLink(x.conn.LocalAddr(), w.endpoint.Addr()) {
		x.seen.Class = "home"
	}
	err = ended(ctx, err)
	o := x.s.end(x.conn, err)
	if !w.endpoint.IsValid() {
		o.Endpoint = ""
	}
	o.Sent, o.Received = w.sent, w.received
	for _, c := range x.conns {
		t := c.Traffic()
		o.Sent, o.Received = o.Sent+t.Sent, o.Received+t.Received
	}
	if t, ok := errors.AsType[*told](err); ok && !t.word.IsUnknown() && t.word != measurements.ConnectionClosed {
		o.Failure = t.word
	}
	o.DNS = x.seen
	return x, o
}

// told is an error that knows its own word: what a resolver said is no Go error, and what happens inside
// DoT and DoH belongs to another operation.
type told struct {
	word measurements.Failure
	err  error
}

func (t *told) Error() string { return t.err.Error() }
func (t *told) Unwrap() error { return t.err }

// inside names an error by the operation below DNS in which it happened.
func inside(op measurements.Operation, err error) error {
	return &told{classify(op, err), err}
}

// open opens a connection to the resolver, and counts what it carries.
func (x *inquiry) open(ctx context.Context) (*Conn, error) {
	conn, err := x.h.open(ctx, x.way.network, x.way.endpoint)
	if err != nil {
		return nil, err
	}
	x.conns, x.conn = append(x.conns, conn), conn
	return conn, nil
}

// take makes an answer the step's. The error says what is wrong with it.
func (x *inquiry) take(a answer) error {
	x.s.o.Duration = max(measurements.Seconds(time.Since(x.s.o.Started)), 1) // 0 would mean: not over yet
	d := x.seen
	d.Rcode, d.Addresses, d.CNAMEs, d.TTL = a.rcode, a.addresses, a.cnames, a.ttl
	d.Negative, d.Extended, x.h3 = a.negative, a.extended, a.h3
	d.Raw = a.raw[:min(len(a.raw), keptAnswer)]
	word, says := a.verdict(x.q)
	if word != "" {
		return &told{word, errors.New("dns: " + says)}
	}
	d.Identity = a.text[:min(len(a.text), identityBytes)]
	return nil
}

// withPatience bounds a context that has no deadline.
func withPatience(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, dnsPatience)
}

// resolverClass is DNS.Class, by the address alone (onOurLink knows more). Addresses of RFC 6598 may be the provider's resolver or a VPN's own: that
// is not known.
func resolverClass(a netip.Addr) string {
	a = a.Unmap()
	switch {
	case !a.IsValid() || sharedSpace.Contains(a):
		return ""
	case a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast():
		return "home"
	}
	return "public"
}

// linkBits is the length of the prefix of a link whose hosts choose their own addresses (RFC 4291, section 2.5.1).
const linkBits = 64

// onOurLink says whether a public address of IPv6 is of the link from which we ask: a home's router, or the filter in
// it, gives its resolver such an address as often as a private one (RFC 8106; RFC 7084, L-11). Of IPv4 a home has no more
// than one public address.
func onOurLink(local net.Addr, a netip.Addr) bool {
	if local == nil {
		return false
	}
	ours, err := netip.ParseAddrPort(local.String())
	return err == nil && sameLink(ours.Addr(), a)
}

func sameLink(ours, a netip.Addr) bool {
	if a = a.WithZone(""); !a.Is6() || a.Is4In6() {
		return false
	}
	return netip.PrefixFrom(a, linkBits).Masked().Contains(ours.WithZone(""))
}

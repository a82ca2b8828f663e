package probe

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/telltale-probe/telltale/probe/privacy"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// mostLearnt addresses are remembered, the last ones: who is mobile has some in a day, and what strangers say must
// not grow. Chosen by us.
const mostLearnt = 16

// learnt is what others say of us: the addresses under which servers see us, since the public one behind a NAT is
// known to them alone, and the names of boxes at home. It lasts as long as the plan. The zero value knows nothing.
type learnt struct {
	mu    sync.Mutex
	addrs []netip.Addr
	found *privacy.Own // by the rounds so far; nil before the first that found anything
}

func (l *learnt) add(a netip.Addr) {
	a = plain(a)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !a.IsValid() || slices.Contains(l.addrs, a) {
		return
	}
	l.addrs = append(l.addrs, a)
	l.addrs = l.addrs[max(0, len(l.addrs)-mostLearnt):]
}

func (l *learnt) list() []netip.Addr {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.addrs)
}

// hear takes in what a round found out.
func (l *learnt) hear(found privacy.Own) {
	if len(found.Addresses)+len(found.Boxes) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.found != nil {
		found.Addresses = latest(l.found.Addresses, found.Addresses)
		found.Boxes = latest(l.found.Boxes, found.Boxes)
		if slices.Equal(found.Addresses, l.found.Addresses) && slices.Equal(found.Boxes, l.found.Boxes) {
			return
		}
	}
	l.found = &found
}

// latest are those of two lists that came last.
func latest[T comparable](before, after []T) []T {
	out := slices.DeleteFunc(slices.Clone(before), func(v T) bool { return slices.Contains(after, v) })
	out = append(out, after...)
	return out[max(0, len(out)-mostLearnt):]
}

// names are those of boxes, known from earlier rounds.
func (l *learnt) names() privacy.Own {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.found == nil {
		return privacy.Own{}
	}
	return privacy.Own{Boxes: l.found.Boxes}
}

// Remember takes over what another plan's rounds have found out about us.
func (p *Plan) Remember(other *Plan) {
	for _, a := range other.learnt.list() {
		p.learnt.add(a)
	}
	if found := other.Learnt(); found != nil {
		p.learnt.hear(*found)
	}
}

// Learnt is what rounds have found out about us; nil where they have not. What it points to does not change. It is
// safe for concurrent use with Run.
func (p *Plan) Learnt() *privacy.Own {
	p.learnt.mu.Lock()
	defer p.learnt.mu.Unlock()
	return p.learnt.found
}

// echoHeaders are those with which proxies tell a server who asks; some servers send them back (RFC 7239;
// measurement-kit#1789 for X-Client-IP; the others by the documentation of nginx, Cloudflare, Akamai and Fastly).
var echoHeaders = []string{
	"Forwarded", "X-Forwarded-For", "X-Real-Ip", "X-Client-Ip", "Client-Ip", "X-Cluster-Client-Ip", "X-Remote-Addr",
	"X-Remote-Ip", "Cf-Connecting-Ip", "True-Client-Ip", "Fastly-Client-Ip",
}

// echoes tells of the addresses in such headers of an answer, of each header the first: the others are proxies'.
func echoes(h http.Header, learn func(netip.Addr)) {
	for _, name := range echoHeaders {
		value, _, _ := strings.Cut(h.Get(name), ",")
		for _, part := range strings.Split(value, ";") {
			part = strings.TrimSpace(part)
			if key, of, ok := strings.Cut(part, "="); ok && strings.EqualFold(key, "for") {
				part = of
			}
			part = strings.Trim(part, `"`)
			if ap, err := netip.ParseAddrPort(part); err == nil {
				learn(ap.Addr())
			} else if a, err := netip.ParseAddr(strings.Trim(part, "[]")); err == nil {
				learn(a)
			}
		}
	}
}

// Resting is what the ledger knows, as it may be kept: without places that are our own, to which a resolver's lie
// may have led. Nobody is under a penalty there.
func (p *Plan) Resting() []schedule.Entry {
	return slices.DeleteFunc(p.Ledger.Snapshot(), func(e schedule.Entry) bool { return p.ours(e.Endpoint.Addr()) })
}

// ours says whether an address is our own, as far as the rounds until now have found out.
func (p *Plan) ours(a netip.Addr) bool {
	a = plain(a)
	learnt := p.Learnt()
	return p.scrubber != nil && p.scrubber.Ours(a) ||
		learnt != nil && slices.Contains(learnt.Addresses, netip.PrefixFrom(a, a.BitLen()))
}

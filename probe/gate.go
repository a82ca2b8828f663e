package probe

import (
	"context"
	mrand "math/rand/v2"
	"net/netip"
	"sync"

	"github.com/telltale-probe/telltale/measurements"
)

// gateBody is how much of a neutral page is read in clear, where it may be a portal's: enough to have seen an
// answer. Over TLS the header says enough.
const gateBody = 1 << 10

// measureGate asks the neutral hosts whether our own line works. All at once: a dead line then costs
// two timeouts (resolve, connect), however many hosts there are.
func (p *Plan) measureGate(ctx context.Context, s *sheet) {
	for _, c := range p.Controls {
		info := measurements.TargetInfo{ID: c.Host, Hosts: []string{c.Host}, Operator: c.Operator, Scope: c.Scope, Country: c.Country}
		for _, w := range c.Probes {
			info.Probes = append(info.Probes, string(w))
		}
		s.m.Targets = append(s.m.Targets, info)
	}
	var wg sync.WaitGroup
	routed, unrouted := p.families()
	large, turn := p.largeHosts(), 0
	if len(routed) > 0 {
		turn = mrand.IntN(len(routed))
	}
	for _, c := range p.Controls {
		for _, f := range unrouted {
			s.skip(measurements.Skip{Target: c.Host, Family: f, Reason: measurements.SkipNoFamily})
		}
		for i, f := range routed {
			// A household pays for large hellos in one family a round; `once` tries both.
			wg.Go(func() { p.measureControl(ctx, s, c, f, large[c.Host] && (p.Thorough || i == turn)) })
		}
	}
	wg.Go(func() { p.identifyResolver(ctx, s) })
	wg.Wait()
	p.largeRequests(ctx, s)
	p.nearPings(ctx, s)
	p.encryptedDNS(ctx, s)
}

// measureControl measures one neutral host over one family: pinned addresses go first, so that a
// broken resolver can't take the gate away; the resolver is asked all the same, since what it says
// of a neutral name is the control of every DNS finding. large says that its TLS is tried in both shapes.
func (p *Plan) measureControl(ctx context.Context, s *sheet, c Control, f measurements.Family, large bool) {
	addr, ok := firstOf(c.Addresses, f)
	if !ok {
		addr, ok = p.resolveControl(ctx, s, c, f)
		p.probeControl(ctx, s, c, addr, ok, large)
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { p.resolveControl(ctx, s, c, f) })
	wg.Go(func() { p.probeControl(ctx, s, c, addr, true, large) })
	wg.Wait()
}

func (p *Plan) resolveControl(ctx context.Context, s *sheet, c Control, f measurements.Family) (netip.Addr, bool) {
	o := p.resolveSystem(ctx, s, role{target: c.Host}, c.Host, f)
	if o.Failure == measurements.DNSServfail || o.Failure == measurements.DNSRefused {
		p.askAgainLater(ctx, s, c.Host, o)
	}
	if o.DNS == nil || !o.OK() {
		return netip.Addr{}, false
	}
	return firstOf(o.DNS.Addresses, f)
}

func (p *Plan) probeControl(ctx context.Context, s *sheet, c Control, addr netip.Addr, ok, large bool) {
	if !ok || ctx.Err() != nil {
		return
	}
	var wg sync.WaitGroup
	for _, w := range c.Probes {
		switch w {
		case ProbeHTTPS:
			wg.Go(func() {
				to := chain{p: p, s: s, role: role{target: c.Host}, ep: netip.AddrPortFrom(addr, 443)}
				if to.tls(ctx, c.Host, c.Path, measurements.Small, 0) && large {
					to.tls(ctx, c.Host, "", measurements.Default, 0)
				}
			})
		case ProbeHTTP:
			wg.Go(func() {
				chain{p: p, s: s, role: role{target: c.Host}, ep: netip.AddrPortFrom(addr, 80)}.http(ctx, c.Host, c.Path, gateBody)
			})
		case ProbeH3:
			wg.Go(func() {
				chain{p: p, s: s, role: role{target: c.Host}, ep: netip.AddrPortFrom(addr, 443)}.quic(ctx, c.Host, "", measurements.Small, 0)
			})
		}
	}
	wg.Wait()
}

// identifyResolver asks the resolver under test for its own name over UDP and over TCP: two names
// are two programs at one address (dns.redirect).
func (p *Plan) identifyResolver(ctx context.Context, s *sheet) {
	if len(p.system) == 0 || p.Without[measurements.D] {
		return
	}
	for _, r := range []Resolver{p.system[0], overTCP(p.system[0])} {
		if r.URL == "" {
			return
		}
		sctx, cancel := p.step(ctx)
		o := p.Host.Identify(sctx, r)
		cancel()
		anonymous(&o)
		s.note(role{target: resolverTarget, control: measurements.D}, o)
	}
}

func firstOf(addrs []netip.Addr, f measurements.Family) (netip.Addr, bool) {
	for _, a := range addrs {
		if measurements.FamilyOf(a) == f {
			return a, true
		}
	}
	return netip.Addr{}, false
}

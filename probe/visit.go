package probe

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/app"
	"github.com/telltale-probe/telltale/probe/schedule"
)

const (
	// maxAddresses bounds the addresses of one name and family in a round: two tell one bad machine
	// from a block, and further ones would only cost traffic. Chosen by us.
	maxAddresses = 2
	// appBody is how much of an app's verified page is read: the status line has said all that a
	// verdict needs, and the volunteer pays for the rest.
	appBody = 4 << 10
	// legyBody is the same of a gateway's answer, whose header says all, and which has to stay within the 3 kB of an
	// app's handshake.
	legyBody = 512
	// keptBody is read from a peer that is not the app's own: as much as evidence keeps.
	keptBody = 8 << 10
	// visitBytes is the estimate for one endpoint with its controls, asked of the budget before it is
	// measured: about what a trial of two handshakes with chains costs.
	visitBytes = 24 << 10
)

// spot is one endpoint to visit, and how we came by it.
type spot struct {
	addr   netip.Addr
	host   string // "" for a target that is addresses alone
	origin measurements.Origin
	// neutral is the shape of control N's hello where both shapes are tried: one at the one address, the other
	// at the other, so that N has spoken in each without a second N at one place.
	neutral measurements.Shape
	arm     app.Transport // of MTProto; "" elsewhere
	// among are the addresses that were given together with it, itself too: they may have turns.
	among []netip.Addr
}

// measureTarget resolves a target's names, visits the addresses, and where anything fails asks
// control D and visits what it adds: blocks come in layers, and all are reported.
func (p *Plan) measureTarget(ctx context.Context, s *sheet, t Target) {
	routed, unrouted := p.families()
	for _, f := range unrouted {
		s.skip(measurements.Skip{Target: t.ID, Family: f, Reason: measurements.SkipNoFamily})
	}
	if s.m.App == measurements.PlaceboApp && !p.Thorough && len(routed) > 1 {
		// A placebo calibrates; it costs the household half as much if the families take turns.
		turn := rand.IntN(len(routed))
		s.skip(measurements.Skip{Target: t.ID, Family: routed[1-turn], Reason: measurements.SkipTurn})
		routed = routed[turn : turn+1]
	}
	var wg sync.WaitGroup
	for _, f := range routed {
		if len(t.Hosts) == 0 {
			p.visitAll(ctx, s, t, pick(t.Addresses, f, "", measurements.FromCatalogue), &wg, p.wantsNeutral(s.key(t), "", f))
		}
		for _, host := range t.Hosts {
			wg.Go(func() { p.measureHost(ctx, s, t, host, f) })
		}
	}
	wg.Wait()
	p.askHelper(ctx, s, t)
}

// measureHost measures one name of a target over one family.
func (p *Plan) measureHost(ctx context.Context, s *sheet, t Target, host string, f measurements.Family) {
	release, ok := slot(ctx, p.lookups)
	if !ok {
		release()
		s.skip(measurements.Skip{Target: t.ID, Family: f, Reason: measurements.SkipStopped})
		return
	}
	o := p.resolveSystem(ctx, s, role{target: t.ID}, host, f)
	release()
	var first []spot
	var given []netip.Addr
	if o.DNS != nil {
		given = o.DNS.Addresses
	}
	if o.OK() && o.DNS != nil {
		first = pick(o.DNS.Addresses, f, host, measurements.FromSystem)
	}
	absent := f == measurements.IPv6 && o.Failure == measurements.DNSNoAnswer && len(o.DNS.Late) == 0 && len(pick(t.Addresses, f, host, "")) == 0
	if absent {
		return // the name has no IPv6: nothing to measure, and no lie worth asking after
	}
	var further sync.WaitGroup
	defer further.Wait()
	if !o.OK() && p.resolveNeutral(ctx, s, t.ID, f) {
		further.Go(func() { p.askFurther(ctx, s, t.ID, o) }) // with patience it takes its time, which nothing waits for
	}
	// A watching daemon visits one address, and the others only after a failure, each with N before it:
	// the traffic is a third less, and the failure is looked at more closely.
	first, rest := p.split(p.inTurn(t, first))
	worked := p.visitEach(ctx, s, t, first, p.wantsNeutral(s.key(t), host, f))
	if worked && p.wantsVolume(s, t) {
		for _, sp := range first {
			p.volume(ctx, s, t, sp, append(slices.Clone(first), rest...))
		}
	}
	contradicted := o.DNS != nil && len(o.DNS.Late) > 0
	if !o.OK() || !worked || p.wantsBehind(host) {
		contradicted = p.askBehind(ctx, s, t.ID, host, f) || contradicted
	}
	if !worked {
		p.askRecord(ctx, s, t, host)
	}
	if worked && len(first) > 0 && !contradicted {
		return
	}
	second := pick(p.askTrusted(ctx, s, t.ID, host, f, given), f, host, measurements.FromTrusted)
	if len(second) == 0 && len(first) == 0 {
		second = pick(t.Addresses, f, host, measurements.FromCatalogue)
	}
	second = append(rest, slices.DeleteFunc(second, func(b spot) bool {
		return slices.ContainsFunc(append(slices.Clone(first), rest...), func(a spot) bool { return a.addr == b.addr })
	})...)
	if len(first)+len(second) == 0 {
		s.skip(measurements.Skip{Target: t.ID, Family: f, Reason: measurements.SkipNoAddr})
	}
	p.visitEach(ctx, s, t, second, !p.Without[measurements.N])
}

// inTurn puts the address first at which something failed longest ago, where something did at each. Else chance
// has decided: what works must not be seen more often than what fails.
func (p *Plan) inTurn(t Target, spots []spot) []spot {
	if p.Thorough || p.Ledger == nil {
		return spots
	}
	failed := func(sp spot) time.Time {
		return p.Ledger.Failed(schedule.Place{Transport: "tcp", Endpoint: netip.AddrPortFrom(sp.addr, t.Ports[0])})
	}
	if slices.ContainsFunc(spots, func(sp spot) bool { return failed(sp).IsZero() }) {
		return spots
	}
	return slices.SortedStableFunc(slices.Values(spots), func(a, b spot) int { return failed(a).Compare(failed(b)) })
}

// split says which spots a round visits first, and which only after a failure.
func (p *Plan) split(spots []spot) (first, rest []spot) {
	if p.Thorough || len(spots) < 2 {
		return spots, nil
	}
	return spots[:1], slices.Clone(spots[1:])
}

// pick takes the addresses of one family, in random order, a few. Private and local ones are among them only
// where the configuration names them, or two resolvers do: the resolve step fails for all others.
func pick(addrs []netip.Addr, f measurements.Family, host string, origin measurements.Origin) []spot {
	var out []spot
	for _, i := range rand.Perm(len(addrs)) {
		if a := addrs[i].Unmap(); measurements.FamilyOf(a) == f && len(out) < maxAddresses {
			out = append(out, spot{addr: a, host: host, origin: origin, neutral: neutralShape(f, len(out))})
		}
	}
	var among []netip.Addr
	for i := range out {
		among = append(among, out[i].addr)
	}
	for i := range out {
		out[i].among = among
	}
	return out
}

// neutralShape is small at the first IPv4 address and the second IPv6 one, and large at the others: a name
// with one of each has both.
func neutralShape(f measurements.Family, nth int) measurements.Shape {
	if (f == measurements.IPv6) == (nth%2 == 1) {
		return measurements.Small
	}
	return measurements.Default
}

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
			p.visitAll(ctx, s, t, pick(t.Addresses, f, "", measurements.FromCatalogue), &wg, false)
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
	worked := p.visitEach(ctx, s, t, first, p.wantsNeutral(s.key(t)))
	if worked && p.wantsVolume(t) {
		for _, sp := range first {
			p.volume(ctx, s, t, sp, append(slices.Clone(first), rest...))
		}
	}
	contradicted := o.DNS != nil && len(o.DNS.Late) > 0
	if !o.OK() || !worked || p.wantsBehind(host) {
		contradicted = p.askBehind(ctx, s, t.ID, host, f) || contradicted
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

// visitEach visits the spots side by side and says whether all of them worked.
func (p *Plan) visitEach(ctx context.Context, s *sheet, t Target, spots []spot, neutral bool) bool {
	var wg sync.WaitGroup
	all := p.visitAll(ctx, s, t, spots, &wg, neutral)
	wg.Wait()
	return *all
}

func (p *Plan) visitAll(ctx context.Context, s *sheet, t Target, spots []spot, wg *sync.WaitGroup, neutral bool) *bool {
	all, mu := true, sync.Mutex{}
	for _, sp := range spots {
		for _, w := range t.Probes {
			wg.Go(func() {
				if !p.visitPorts(ctx, s, t, sp, w, neutral || p.wantsNeutral(s.key(t)+" "+sp.addr.String())) {
					mu.Lock()
					all = false
					mu.Unlock()
				}
			})
		}
	}
	return &all
}

// visitPorts visits an address at one of its ports, and at the others where that one fails, or the round is
// thorough: they are each other's control P. What failed at the first puts the others under suspicion.
func (p *Plan) visitPorts(ctx context.Context, s *sheet, t Target, sp spot, w Probe, neutral bool) bool {
	turns := p.turns(t, s.key(t), sp, w)
	ended := make([]visited, len(turns))
	visit := func(i int, suspect bool) {
		sp := sp
		sp.arm = turns[i].arm
		ended[i] = p.visit(ctx, s, t, sp, netip.AddrPortFrom(sp.addr, turns[i].port), w, neutral, suspect)
	}
	visit(0, false)
	failed := ended[0] == visitFailed
	if failed || p.Thorough {
		var others sync.WaitGroup
		for i := range turns[1:] {
			others.Go(func() { visit(i+1, failed) })
		}
		others.Wait()
	}
	if w == ProbeMTProto {
		p.arms.note(sp.addr, turns, ended)
	}
	return !slices.Contains(ended, visitFailed)
}

// ports are a target's; without control P only the first.
func (p *Plan) ports(t Target) []uint16 {
	if p.Without[measurements.P] {
		return t.Ports[:1]
	}
	return t.Ports
}

// shuffled is a turn for each port, in random order.
func shuffled(ports []uint16) []turn {
	out := make([]turn, len(ports))
	for i, at := range rand.Perm(len(ports)) {
		out[i].port = ports[at]
	}
	return out
}

// visit measures one endpoint of a target: N first where it is wanted, then T. It says how the target's own
// steps ended.
func (p *Plan) visit(ctx context.Context, s *sheet, t Target, sp spot, ep netip.AddrPort, w Probe, neutral, suspect bool) visited {
	transport := "tcp"
	if w == ProbeH3 || w == ProbeSTUN {
		transport = "udp"
	}
	place := schedule.Place{Transport: transport, Endpoint: ep}
	trial := 0
	if w == ProbeSTUN {
		trial = p.neutralSTUN(ctx, s, t, place)
	}
	unlock := p.places.lock(transport, ep)
	defer unlock()
	release, ok := slot(ctx, p.slots)
	defer release()
	way := schedule.Way{Key: s.key(t), Family: measurements.FamilyOf(ep.Addr()), Transport: transport}
	reason := p.barred(place, ok)
	if reason == "" && !p.Thorough && p.Ledger != nil && p.Suspicion != nil && p.Suspicion.Early(way, place, sp.among, p.Ledger) {
		reason = measurements.SkipPenalty
	}
	if reason != "" {
		s.skip(measurements.Skip{Target: t.ID, Layer: firstLayer(w), Family: measurements.FamilyOf(ep.Addr()), Endpoint: ep.String(), Reason: reason})
		return visitSkipped
	}
	c := chain{p: p, s: s, ep: ep, roots: t.Roots, role: role{target: t.ID, origin: sp.origin}, triggered: p.triggered(place), identity: p.wantsIdentity(s.key(t))}
	switch w {
	case ProbeMTProto:
		neutral = !p.Without[measurements.N] && (suspect || p.opaque(s, t))
	case ProbeWhatsApp:
		neutral = suspect || p.opaque(s, t)
	case ProbeLEGY:
		c.ask.Speaks = measurements.LEGY
	case ProbeWSS:
		c.protocols = []string{"http/1.1"} // the one in which a WebSocket is asked for
	}
	if w != ProbeLEGY {
		c.ask.ProofHeader = t.ProofHeader
	}
	if c.role.trial = trial; trial == 0 && neutral {
		c.role.trial = s.trial()
	}
	if c.visit(ctx, t, sp, w, neutral) {
		return visitPassed
	}
	if p.Ledger != nil && ctx.Err() == nil {
		p.Ledger.Fail(place)
		if p.Suspicion != nil {
			p.Suspicion.Failed(way, place)
		}
	}
	return visitFailed
}

// barred says why a place is left alone now; "" where it may be visited. ok: there is a slot to do it in.
func (p *Plan) barred(place schedule.Place, ok bool) (reason string) {
	switch {
	case !ok:
		return measurements.SkipStopped
	case p.Ledger != nil && p.Ledger.Rests(place):
		return measurements.SkipResidual
	case p.Ledger != nil && p.Ledger.Exhausted(place):
		return measurements.SkipPenalty
	case p.Budget != nil && !p.Budget.Allow(visitBytes):
		return measurements.SkipBudget
	}
	return ""
}

func firstLayer(w Probe) measurements.Layer {
	switch w {
	case ProbeH3:
		return measurements.LayerQUIC
	case ProbeSTUN:
		return measurements.LayerApp
	}
	return measurements.LayerTCP
}

// visit runs the steps that one word of the catalogue stands for.
func (c chain) visit(ctx context.Context, t Target, sp spot, w Probe, neutral bool) bool {
	host := sp.host
	switch w {
	case ProbeTLS, ProbeHTTPS, ProbeWSS, ProbeLEGY:
		return c.visitTLS(ctx, t, sp, w, neutral)
	case ProbeHTTP:
		return c.visitHTTP(ctx, t, host, neutral)
	case ProbeH3:
		return c.visitQUIC(ctx, t, host, neutral)
	case ProbeMTProto:
		return c.visitMTProto(ctx, t, sp.arm, neutral)
	case ProbeWhatsApp:
		return c.visitWhatsApp(ctx, t, host, neutral)
	case ProbeSTUN:
		return c.stun(ctx, host)
	}
	return c.tcp(ctx)
}

// visitTLS makes both hellos in a thorough round, the small one first, and else one of either shape. Control
// N then has that shape; the target's small hello goes before a large one that N's stands against, since
// only the two together tell a filter that reads shapes from one that reads names.
func (c chain) visitTLS(ctx context.Context, t Target, sp spot, w Probe, neutral bool) bool {
	host, path := sp.host, ""
	shape := sp.neutral
	if !c.p.Thorough {
		shape = c.p.shape()
	}
	if w != ProbeTLS {
		path = t.Path
	}
	ofNeutral := shape
	if c.p.small {
		ofNeutral = measurements.Small
	}
	if neutral && !c.neutral(func(n chain) bool {
		at := ""
		if path != "" {
			at = "/"
		}
		return n.tls(ctx, neutralFor(t, host), at, ofNeutral, appBody)
	}) {
		return false
	}
	if w == ProbeWSS {
		c.speak = t.upgrade(path)
	}
	if neutral && c.locates(t, host) && c.locate(ctx, t, host) {
		return false
	}
	if c.p.Thorough || neutral && shape == measurements.Default {
		shape = measurements.Default
		if !c.tls(ctx, host, "", measurements.Small, 0) {
			return false
		}
	}
	return c.tls(ctx, host, path, shape, appBody) && (!neutral || c.visitOld(ctx, t, sp))
}

func (c chain) visitHTTP(ctx context.Context, t Target, host string, neutral bool) bool {
	if host == "" {
		host = c.ep.Addr().String()
	}
	if neutral && !c.neutral(func(n chain) bool { return n.http(ctx, neutralFor(t, host), "/", gateBody) }) {
		return false
	}
	return c.http(ctx, host, t.Path, keptBody)
}

// neutral makes control N, and says whether the target's own steps can follow. The TCP handshake
// carries no name: where N could not even connect, T could not either, and is not made to try.
func (c chain) neutral(steps func(chain) bool) bool {
	n := c
	n.role.control = measurements.N
	steps(n)
	return !c.s.connectFailed(n.role)
}

// connectFailed says whether the trial's connect failed under this control.
func (s *sheet) connectFailed(r role) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.m.Observations {
		o := &s.m.Observations[i]
		if o.Trial == r.trial && o.Control == r.control && o.Operation == measurements.Connect && !o.OK() {
			return true
		}
	}
	return false
}

func (c chain) visitQUIC(ctx context.Context, t Target, host string, neutral bool) bool {
	shape := c.p.shape()
	if neutral {
		n := c
		n.role.control = measurements.N
		at := ""
		if t.Path != "" {
			at = "/"
		}
		if !n.quic(ctx, neutralFor(t, host), at, shape, appBody) && c.s.silent(n.role) {
			c.ping(ctx)
		}
	}
	// The exchange follows the first handshake: a filter that has read the name may let that one pass, and
	// drop what comes later (Zohaib et al., USENIX Security 2025). Control N does the same.
	if !c.quic(ctx, host, t.Path, shape, appBody) {
		return false
	}
	return !c.p.Thorough || c.quic(ctx, host, "", measurements.Default, 0)
}

// silent says whether the trial's QUIC handshake under this control met silence.
func (s *sheet) silent(r role) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.m.Observations {
		o := &s.m.Observations[i]
		if o.Trial == r.trial && o.Control == r.control && o.Operation == measurements.QUICHandshake && o.Failure == measurements.Timeout {
			return true
		}
	}
	return false
}

// shape is that of a visit's first hello, control N's and the target's alike: a target that dies in another
// shape than N passed in has changed two things. `once` begins with the small one and tries the other
// after it; the daemon takes one at random.
func (p *Plan) shape() measurements.Shape {
	if p.Shape != "" {
		return p.Shape
	}
	if p.Thorough || rand.IntN(2) == 0 {
		return measurements.Small
	}
	return measurements.Default
}

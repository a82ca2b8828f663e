package probe

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// visitEach visits the spots side by side and says whether all of them worked.
func (p *Plan) visitEach(ctx context.Context, s *sheet, t Target, spots []spot, neutral bool) bool {
	var wg sync.WaitGroup
	all := p.visitAll(ctx, s, t, spots, &wg, neutral)
	wg.Wait()
	return *all
}

func (p *Plan) visitAll(ctx context.Context, s *sheet, t Target, spots []spot, wg *sync.WaitGroup, neutral bool) *bool {
	all, mu := true, sync.Mutex{}
	visit := func(t Target, sp spot, w Probe) {
		wg.Go(func() {
			if !p.visitPorts(ctx, s, t, sp, w, neutral) {
				mu.Lock()
				all = false
				mu.Unlock()
			}
		})
	}
	for _, sp := range spots {
		for _, w := range t.Probes {
			visit(t, sp, w)
		}
		// What the server alone offers has its turn when control N has: in `once`, under suspicion, else in an eighth of
		// the rounds.
		if offered, ok := p.overQUIC(s, t, sp.host); ok && neutral {
			visit(offered, sp, ProbeH3)
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
	c := chain{p: p, s: s, ep: ep, roots: t.Roots, role: role{target: t.ID, origin: sp.origin}, triggered: p.triggered(place)}
	var done func()
	c.identity, done = p.wantsIdentity(proofKey{s.key(t), measurements.FamilyOf(ep.Addr())}, suspect)
	defer done()
	switch w {
	case ProbeMTProto:
		neutral = !p.Without[measurements.N] && (suspect || p.opaque(s, t))
	case ProbeWhatsApp:
		neutral = suspect || p.opaque(s, t)
	case ProbeLEGY:
		c.ask.Speaks = measurements.LEGY
	case ProbeWSS:
		c.protocols = offersOf(w)
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

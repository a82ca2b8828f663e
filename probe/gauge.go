package probe

import (
	"context"
	"net/netip"
	"slices"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// gaugeHosts is of how many operators' hosts objects are fetched to gauge the line, gaugeTries how many hosts are
// tried for one that is large enough, and mostGauges how many objects are fetched in a round in which everything is
// slow, whatever comes. Chosen by us.
const (
	gaugeHosts = 2
	gaugeTries = 4
	mostGauges = 32
)

// gauge holds what comes slowly at all of a target's addresses against neutral hosts: it fetches their objects, in
// turns, and then the target's once more. Those whose objects are too small to tell come last.
func (p *Plan) gauge(ctx context.Context, s *sheet, t Target, sp spot) {
	if p.witnesses == nil || ctx.Err() != nil {
		return
	}
	hosts := p.witnesses.large(measurements.FamilyOf(sp.addr))
	var told []witness
	for _, x := range hosts[:min(len(hosts), gaugeTries)] {
		if len(told) < gaugeHosts && !slices.ContainsFunc(told, func(y witness) bool { return y.operator == x.operator }) && p.gaugeAt(ctx, x) >= transferBytes {
			told = append(told, x)
		}
	}
	if len(told) < gaugeHosts {
		return
	}
	for i := len(told); i < transferPairs; i++ {
		p.gaugeAt(ctx, told[i%len(told)])
	}
	p.pairs(ctx, s, t, sp, "tcp", 1)
}

// gaugeStreams fetches neutral hosts' objects until one has brought plainly more than a target's stream that was cut off:
// whatever cuts all streams of a household alike would have cut that.
func (p *Plan) gaugeStreams(ctx context.Context, f measurements.Family, cut int64) {
	if p.witnesses == nil {
		return
	}
	hosts := p.witnesses.large(f)
	for _, x := range hosts[:min(len(hosts), gaugeTries)] {
		if p.gaugeAt(ctx, x) > 2*cut {
			return
		}
	}
}

// gaugeAt fetches a neutral host's object, and gives how much of it came; 0 where the transfer failed.
func (p *Plan) gaugeAt(ctx context.Context, x witness) int64 {
	i := slices.IndexFunc(p.Controls, func(c Control) bool { return c.Host == x.host })
	if i < 0 || ctx.Err() != nil || !p.witnesses.gauges() || p.Budget != nil && !p.Budget.Allow(pairBytes/2) {
		return 0
	}
	unlock := p.places.lock("tcp", x.ep)
	defer unlock()
	release, ok := slot(ctx, p.slots)
	defer release()
	if !ok || p.Ledger != nil && p.Ledger.Rests(schedule.Place{Transport: "tcp", Endpoint: x.ep}) {
		return 0
	}
	c := chain{p: p, s: p.witnesses.gate, role: role{target: x.host, again: true}, ep: x.ep}
	o, made := c.transfer(ctx, "tcp", x.host, x.host, p.Controls[i].Path)
	if !made || !o.OK() {
		return 0
	}
	if o.Transfer.Goodput() == 0 {
		p.witnesses.tooSmall(x.ep)
	}
	return o.Transfer.Bytes
}

// large lists the neutral hosts that answered over TLS, those last whose objects are known to be too small for a rate.
func (w *witnesses) large(f measurements.Family) []witness {
	w.mu.Lock()
	defer w.mu.Unlock()
	small := func(x witness) int { return map[bool]int{true: 1}[w.small[x.ep]] }
	return slices.SortedStableFunc(slices.Values(w.all[f]), func(a, b witness) int { return small(a) - small(b) })
}

// gauges says whether one more object may be fetched in this round, and counts it.
func (w *witnesses) gauges() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gauged++
	return w.gauged <= mostGauges
}

func (w *witnesses) tooSmall(at netip.AddrPort) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.small[at] = true
}

package probe

import (
	"context"
	"net/netip"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

const (
	// transferPairs is how many pairs make a median, where the first one shows a difference. Chosen by us:
	// the least number that has one.
	transferPairs = 3
	// slowerBy is when more than one pair is made: the lesser of the two thresholds of throttling.
	slowerBy = 3
	// pairBytes is the estimate for a pair, asked of the budget before it.
	pairBytes = 2*transferBytes + visitBytes
)

// wantsVolume says whether a target's transfers are measured in this round.
func (p *Plan) wantsVolume(t Target) bool {
	if p.VolumeEvery <= 0 || len(t.Hosts) == 0 {
		return false
	}
	for _, w := range t.Probes {
		if w == ProbeHTTPS {
			return p.VolumeEvery == 1 || p.Rotation.Nth(t.ID, uint64(p.VolumeEvery))
		}
	}
	return false
}

// volume measures pairs of transfers at one address: the target's object with the target's name in the
// hello, and the same object with a neutral one. What comes slower, or to a halt, for the one and not
// for the other, does so for its name. N goes first, and nothing is repeated where T has failed.
func (p *Plan) volume(ctx context.Context, s *sheet, t Target, sp spot) {
	ep := netip.AddrPortFrom(sp.addr, t.Ports[0])
	place := schedule.Place{Transport: "tcp", Endpoint: ep}
	unlock := p.places.lock("tcp", ep)
	defer unlock()
	release, ok := slot(ctx, p.slots)
	defer release()
	if !ok || p.Ledger != nil && (p.Ledger.Rests(place) || p.Ledger.Exhausted(place)) {
		return // the visit has said why
	}
	for range transferPairs {
		if p.Budget != nil && !p.Budget.Allow(pairBytes) {
			s.skip(measurements.Skip{Target: t.ID, Layer: measurements.LayerHTTP, Family: measurements.FamilyOf(sp.addr), Endpoint: ep.String(), Reason: measurements.SkipBudget})
			return
		}
		c := chain{p: p, s: s, ep: ep, roots: t.Roots, role: role{target: t.ID, origin: sp.origin, trial: s.trial()}}
		n := c
		n.role.control = measurements.N
		neutral, made := measurements.Observation{}, false
		if !p.Without[measurements.N] {
			if neutral, made = n.transfer(ctx, neutralFor(t, sp.host), sp.host, t.Path); !made {
				return
			}
		}
		target, made := c.transfer(ctx, sp.host, sp.host, t.Path)
		if !made {
			return
		}
		if !target.OK() {
			if p.Ledger != nil && ctx.Err() == nil {
				p.Ledger.Fail(place)
			}
			return
		}
		if !neutral.OK() || neutral.Transfer == nil || target.Transfer.Goodput()*slowerBy > neutral.Transfer.Goodput() {
			return
		}
	}
}

// transfer connects, shakes hands under one name and asks for a host's object; made is false where it
// did not come to asking.
func (c chain) transfer(ctx context.Context, sni, host, path string) (o measurements.Observation, made bool) {
	conn, _ := c.connect(ctx)
	if conn == nil {
		return o, false
	}
	sctx, cancel := c.p.step(ctx)
	secure, h := c.p.Host.TLS(sctx, conn, TLSInput{Name: sni, Shape: measurements.Small, ALPN: alpn, Roots: c.roots})
	cancel()
	c.note(h)
	if secure == nil {
		return o, false
	}
	if !h.OK() && c.role.control == measurements.T {
		_ = secure.Close()
		return o, false // what an imposter serves is the visit's evidence
	}
	o = Transfer(ctx, secure, HTTPInput{Host: host, Path: path}, c.p.Timeout)
	o.HTTP.Verified, o.HTTP.Body = h.OK(), nil
	c.note(o)
	return o, true
}

package probe

import (
	"context"
	"net/netip"
	"slices"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

const (
	// transferPairs is how many pairs make a median, where the first one shows a difference. Chosen by us:
	// the least number that has one.
	transferPairs = 3
	// slowerBy is when more than one pair is made: the lesser of the two thresholds of throttling.
	slowerBy = 3
	// slowRate is at or below what goodput, in bit/s, a server that is slow under every name is compared with
	// another: where a policer leaves it (DESIGN section 4, throttle.*).
	slowRate = 256_000
	// pairBytes is the estimate for a pair, asked of the budget before it.
	pairBytes = 2*transferBytes + visitBytes
)

// sooner is how many times as often transfers are measured of which something was found: with the default interval
// every four hours, and nine megabytes a day for a target whose transfers are slow. Chosen by us: what comes again
// within six hours counts once (measurements.Repetition).
const sooner = 2

// wantsVolume says whether a target's transfers are measured in this round. Two apps may call a target by one name: the
// sheet's key has the app.
func (p *Plan) wantsVolume(s *sheet, t Target) bool {
	if p.VolumeEvery <= 0 || len(t.Hosts) == 0 || !slices.Contains(t.Probes, ProbeHTTPS) {
		return false
	}
	every := p.VolumeEvery
	if p.Suspicion != nil && p.Suspicion.Transfers(s.key(t)) {
		every = max(every/sooner, 1)
	}
	return every == 1 || p.Rotation.Nth(s.key(t), uint64(every))
}

// volume measures how the target's object comes from one address, and, where it comes slowly under every
// name, from another of its addresses, and from the first once more: what held it back the first time may
// have been the line. Where it comes slowly from both, neutral hosts' objects stand in for the other, and so where it is cut off (gauge). Where it
// comes well and QUIC is served, it is fetched over QUIC too.
func (p *Plan) volume(ctx context.Context, s *sheet, t Target, sp spot, others []spot) {
	here := p.pairs(ctx, s, t, sp, "tcp", 0)
	if here.cut > 0 {
		p.gaugeStreams(ctx, measurements.FamilyOf(sp.addr), here.cut)
		return
	}
	if here.slow() {
		i := slices.IndexFunc(others, func(o spot) bool { return o.addr != sp.addr && o.host == sp.host })
		if i >= 0 && p.pairs(ctx, s, t, others[i], "tcp", transferPairs).target > here.target*slowerBy {
			p.pairs(ctx, s, t, sp, "tcp", 1)
		} else {
			p.gauge(ctx, s, t, sp)
		}
		return
	}
	if here.target <= 0 || !slices.Contains(t.Probes, ProbeH3) {
		return
	}
	if quic := p.pairs(ctx, s, t, sp, "quic", 0); quic.target > 0 && quic.target*slowerBy <= here.target {
		p.pairs(ctx, s, t, sp, "tcp", transferPairs-1)
		p.pairs(ctx, s, t, sp, "quic", transferPairs-1)
	}
}

// goodput is what the last pair at a place brought, in bit/s; 0 where nothing can be said.
type goodput struct {
	target, neutral float64
	cut             int64 // how many bytes came before the target's transfer failed; 0 where it did not
}

// slow says that whoever asks is served slowly there.
func (g goodput) slow() bool {
	return g.target > 0 && g.neutral > 0 && g.target <= slowRate && g.neutral <= slowRate
}

// differ says that another pair is worth its bytes: the target's comes slower, or both come slowly.
func (g goodput) differ() bool { return g.target*slowerBy <= g.neutral || g.slow() }

// pairs measures pairs of transfers at one address: the target's object with the target's name in the
// hello, and the same object with a neutral one. What comes slower, or to a halt, for the one and not
// for the other, does so for its name. N goes first, and nothing is repeated where T has failed. As many as
// least are made however alike the two are, and transferPairs where they differ.
func (p *Plan) pairs(ctx context.Context, s *sheet, t Target, sp spot, transport string, least int) (last goodput) {
	ep := netip.AddrPortFrom(sp.addr, t.Ports[0])
	place := schedule.Place{Transport: "tcp", Endpoint: ep}
	if transport == "quic" {
		place.Transport = "udp" // the visit's own: a failure of either lets both rest
	}
	unlock := p.places.lock(place.Transport, ep)
	defer unlock()
	release, ok := slot(ctx, p.slots)
	defer release()
	if !ok || p.Ledger != nil && (p.Ledger.Rests(place) || p.Ledger.Exhausted(place)) {
		return goodput{} // the visit has said why
	}
	for done := 0; done < transferPairs; done++ {
		if p.Budget != nil && !p.Budget.Allow(pairBytes) {
			s.skip(measurements.Skip{Target: t.ID, Layer: measurements.LayerHTTP, Family: measurements.FamilyOf(sp.addr), Endpoint: ep.String(), Reason: measurements.SkipBudget})
			return last
		}
		c := chain{p: p, s: s, ep: ep, roots: t.Roots, role: role{target: t.ID, origin: sp.origin, trial: s.trial()}, triggered: p.triggered(place)}
		target, neutral := c.pair(ctx, t, sp.host, transport)
		if target == nil {
			return goodput{}
		}
		if !target.OK() {
			if p.Ledger != nil && ctx.Err() == nil {
				p.Ledger.Fail(place)
			}
			return goodput{cut: target.Transfer.Bytes}
		}
		last = goodput{target: target.Transfer.Goodput()}
		if neutral != nil && neutral.OK() {
			last.neutral = neutral.Transfer.Goodput()
		}
		if done+1 >= least && !last.differ() {
			return last
		}
	}
	return last
}

// pair transfers the same object twice, control N first; nil is what did not come to asking. Over QUIC there
// is no N: the handshake verifies at once, and few edges have a certificate for a neutral name.
func (c chain) pair(ctx context.Context, t Target, host, transport string) (target, neutral *measurements.Observation) {
	n := c
	n.role.control = measurements.N
	if transport == "tcp" && !c.p.Without[measurements.N] {
		o, made := n.transfer(ctx, transport, neutralFor(t, host), host, t.Path)
		if !made {
			return nil, nil
		}
		neutral = &o
	}
	if o, made := c.transfer(ctx, transport, host, host, t.Path); made {
		target = &o
	}
	return target, neutral
}

// transfer connects, shakes hands under one name and asks for a host's object; made is false where it
// did not come to asking.
func (c chain) transfer(ctx context.Context, transport, sni, host, path string) (o measurements.Observation, made bool) {
	in, object := TLSInput{Name: sni, Shape: measurements.Small, ALPN: alpn, Roots: c.roots}, HTTPInput{Host: host, Path: path, Number: c.s.object}
	var h measurements.Observation
	if transport == "quic" {
		o, h, made = c.transferQUIC(ctx, in, object)
	} else {
		o, h, made = c.transferTLS(ctx, in, object)
	}
	if !made {
		return o, false
	}
	o.HTTP.Verified, o.HTTP.Body = h.OK(), nil
	c.note(o)
	return o, true
}

func (c *chain) transferTLS(ctx context.Context, in TLSInput, object HTTPInput) (o, h measurements.Observation, made bool) {
	conn, _ := c.connect(ctx)
	if conn == nil {
		return o, h, false
	}
	sctx, cancel := c.p.step(ctx)
	secure, h := c.p.Host.TLS(sctx, conn, in)
	cancel()
	c.note(h)
	if secure == nil {
		return o, h, false
	}
	if !c.worthAsking(h) {
		_ = secure.Close()
		return o, h, false
	}
	return Transfer(ctx, secure, object, c.p.Timeout), h, true
}

func (c *chain) transferQUIC(ctx context.Context, in TLSInput, object HTTPInput) (o, h measurements.Observation, made bool) {
	c.role.conn = c.s.conn()
	in.ALPN = nil
	sctx, cancel := c.p.step(ctx)
	conn, h := c.p.Host.QUIC(sctx, c.ep, in)
	cancel()
	c.note(h)
	if conn == nil {
		return o, h, false
	}
	if !c.worthAsking(h) {
		_ = conn.Close()
		return o, h, false
	}
	return TransferQUIC(ctx, conn, object, c.p.Timeout), h, true
}

// worthAsking leaves what an imposter serves to the visit, whose evidence it is.
func (c chain) worthAsking(h measurements.Observation) bool {
	return h.OK() || c.role.control != measurements.T
}

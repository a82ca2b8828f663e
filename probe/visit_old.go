package probe

import (
	"context"
	"math/rand/v2"

	"github.com/telltale-probe/telltale/measurements"
)

// oldEvery is in how many of the visits with control N a handshake in TLS 1.2 follows: about twice a day
// for each target, where rounds are a quarter of an hour apart. Chosen by us: no browser of today makes
// one, so that a filter of certificates harms few, and what it costs comes out of everybody's budget.
const oldEvery = 8

// visitOld makes a handshake in TLS 1.2 once the others have passed, control N first. In TLS 1.2 the server's
// certificate passes in clear: what reads certificates, and not the names in hellos, shows here alone.
func (c chain) visitOld(ctx context.Context, t Target, sp spot) bool {
	if !c.wantsOld(t, sp) {
		return true
	}
	c.role.trial = c.s.trial()
	n := c
	n.role.control = measurements.N
	n.tls(ctx, neutralFor(t, sp.host), "", measurements.Old, 0)
	if !c.s.shookHands(n.role) {
		return true // whoever serves this place doesn't speak it any more
	}
	return c.tls(ctx, sp.host, "", measurements.Old, 0)
}

// wantsOld takes one address of a name in a thorough round, and otherwise leaves it to chance.
func (c chain) wantsOld(t Target, sp spot) bool {
	if c.p.Thorough {
		return sp.neutral == measurements.Small
	}
	return c.p.Suspicion != nil && c.p.Suspicion.Suspected(c.s.key(t)) || rand.IntN(oldEvery) == 0
}

// shookHands says whether the trial's handshake under this control came to its end, whatever name the
// certificate bears: an edge that does not serve the neutral name shows its own.
func (s *sheet) shookHands(r role) bool {
	return s.some(r, func(o *measurements.Observation) bool {
		return o.Operation == measurements.TLSHandshake && (o.OK() || o.Failure.IsCertificate())
	})
}

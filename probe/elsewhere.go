package probe

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/reference"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// helpers is what a round knows of the helper that the reference announces (control X).
type helpers struct {
	answered chan struct{} // closed when the reference has answered, or has not

	mu    sync.Mutex
	never map[netip.Addr]bool     // the gate's: neutral hosts have consented to nothing
	deaf  map[schedule.Place]bool // where a neutral name got no answer in this round
}

// avoid keeps control X from the addresses of the gate.
func (h *helpers) avoid(gate *measurements.Measurement) {
	h.never, h.deaf = map[netip.Addr]bool{}, map[schedule.Place]bool{}
	for i := range gate.Observations {
		if o := &gate.Observations[i]; o.Operation != measurements.Resolve {
			h.never[o.Addr().Unmap()] = true
		}
	}
}

func (h *helpers) isDeaf(p schedule.Place) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.deaf[p]
}

func (h *helpers) setDeaf(p schedule.Place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deaf[p] = true
}

// helper is the one that a fresh answer of the reference announces; nil where there is none.
func (r *Reference) helper(now time.Time) *reference.Helper {
	if r.answer == nil || r.answer.Fresh(now) != nil {
		return nil
	}
	return r.answer.Helper
}

// askHelper makes control X for a target, once for TLS and once for QUIC, where a handshake with its name
// died and one with a neutral name, at the same place, had not.
func (p *Plan) askHelper(ctx context.Context, s *sheet, t Target) {
	if !p.AskHelper || p.Without[measurements.X] || p.Without[measurements.R] || p.Reference == nil {
		return
	}
	for _, layer := range []measurements.Layer{measurements.LayerTLS, measurements.LayerQUIC} {
		died := s.diedByName(t.ID, layer)
		if len(died) == 0 {
			continue
		}
		select {
		case <-p.helpers.answered:
		case <-ctx.Done():
			return
		}
		p.askHelperAbout(ctx, s, t, died)
	}
}

// diedByName lists the handshakes of a target that control X may be asked about. One that another shape of
// hello survived says nothing about names.
func (s *sheet) diedByName(target string, l measurements.Layer) (out []measurements.Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	neutral, passed := map[int]*measurements.Observation{}, map[int]bool{}
	for i := range s.m.Observations {
		o := &s.m.Observations[i]
		switch {
		case o.Target != target || o.Trial == 0 || o.Layer() != l || o.Operation == measurements.QUICVersion:
		case o.Control == measurements.N:
			neutral[o.Trial] = o
		case o.Control == measurements.T && o.OK():
			passed[o.Trial] = true
		}
	}
	for i := range s.m.Observations {
		o := &s.m.Observations[i]
		if o.Target != target || o.Control != measurements.T || o.Layer() != l || o.OK() || o.TLS == nil || o.Name == "" || passed[o.Trial] {
			continue
		}
		if c := (measurements.Case{T: o, N: neutral[o.Trial]}); c.Kind() != "" && c.NeutralPassed() {
			out = append(out, *o)
		}
	}
	return out
}

// askHelperAbout makes the control for the first of the handshakes for which there is a helper, and says
// why where there is none.
func (p *Plan) askHelperAbout(ctx context.Context, s *sheet, t Target, died []measurements.Observation) {
	h := p.Reference.helper(time.Now())
	for _, o := range died {
		for _, ep := range helperAddresses(h, o.Family) {
			if !p.helpers.never[ep.Addr()] && ep.Addr() != o.Addr().Unmap() {
				p.elsewhere(ctx, s, t, &o, ep, h.Key)
				return
			}
		}
	}
	s.skip(measurements.Skip{Target: t.ID, Layer: died[0].Layer(), Family: died[0].Family, Reason: measurements.SkipNoHelper})
}

// helperAddresses are a helper's of one family, in random order.
func helperAddresses(h *reference.Helper, f measurements.Family) (out []netip.AddrPort) {
	if h == nil {
		return nil
	}
	for _, i := range rand.Perm(len(h.Addresses)) {
		if ep, err := reference.ParseHelperAddress(h.Addresses[i]); err == nil && measurements.FamilyOf(ep.Addr()) == f {
			out = append(out, ep)
		}
	}
	return out
}

// elsewhere is control X: a neutral name at the helper, then the name that died, with the same shape of
// hello. The name is sent only where the neutral one met the announced key: no bystander hears it, and
// nobody who stands in between.
func (p *Plan) elsewhere(ctx context.Context, s *sheet, t Target, died *measurements.Observation, ep netip.AddrPort, key string) {
	transport := "tcp"
	if died.Operation == measurements.QUICHandshake {
		transport = "udp"
	}
	place := schedule.Place{Transport: transport, Endpoint: ep}
	unlock := p.places.lock(transport, ep)
	defer unlock()
	release, ok := slot(ctx, p.slots)
	defer release()
	reason := p.barred(place, ok)
	if reason == "" && p.helpers.isDeaf(place) {
		reason = measurements.SkipNoHelper
	}
	if reason != "" {
		s.skip(measurements.Skip{Target: t.ID, Layer: died.Layer(), Family: died.Family, Endpoint: ep.String(), Reason: reason})
		return
	}
	c := chain{p: p, s: s, ep: ep, role: role{target: t.ID, control: measurements.N, trial: s.trial(), origin: measurements.FromHelper}, triggered: p.triggered(place)}
	in := TLSInput{Name: neutralFor(Target{}, died.Name), Shape: died.TLS.Shape, Key: key}
	if !c.shake(ctx, transport, in) {
		p.helpers.setDeaf(place)
		return
	}
	c.role.control, in.Name = measurements.X, died.Name
	if !c.shake(ctx, transport, in) && p.Ledger != nil && ctx.Err() == nil {
		p.Ledger.Fail(place)
	}
}

// shake makes one handshake, and no more. Over TCP it is silent first: a helper that has too much to do
// hangs up at once, and that must not be taken for what becomes of a name.
func (c chain) shake(ctx context.Context, transport string, in TLSInput) bool {
	sctx, cancel := c.p.step(ctx)
	defer cancel()
	if transport == "udp" {
		c.role.conn = c.s.conn()
		conn, o := c.p.Host.QUIC(sctx, c.ep, in)
		c.note(o)
		if conn != nil {
			_ = conn.Close()
		}
		return o.OK()
	}
	conn, opened := c.connect(ctx)
	if conn == nil || !c.settle(ctx, conn, opened) {
		return false
	}
	in.ALPN = slices.Clone(alpn)
	sctx, done := c.p.step(ctx)
	defer done()
	secure, o := c.p.Host.TLS(sctx, conn, in)
	c.note(o)
	if secure != nil {
		_ = secure.Close()
	}
	return o.OK()
}

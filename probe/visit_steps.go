package probe

import (
	"context"
	"math/rand/v2"
	"sync"

	"github.com/telltale-probe/telltale/measurements"
)

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
		return n.tls(ctx, neutralFor(t, host), at, ofNeutral, bodyOf(w))
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
	return c.tls(ctx, host, path, shape, bodyOf(w)) && (!neutral || c.visitOld(ctx, t, sp))
}

func bodyOf(w Probe) int64 {
	if w == ProbeLEGY {
		return legyBody
	}
	return appBody
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
	return s.some(r, func(o *measurements.Observation) bool {
		return o.Operation == measurements.Connect && !o.OK()
	})
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
	return s.some(r, func(o *measurements.Observation) bool {
		return o.Operation == measurements.QUICHandshake && o.Failure == measurements.Timeout
	})
}

// shape is that of a visit's first hello, control N's and the target's alike: a target that dies in another
// shape than N passed in has changed two things. `once` begins with the small one and tries the other
// after it; the daemon takes one at random.
func (p *Plan) shape() measurements.Shape {
	if p.Shape != "" {
		return p.Shape
	}
	if p.Thorough {
		return measurements.Small
	}
	return p.shapes.draw()
}

// shapes are drawn in pairs, one of each, in random order: a round has as many of either, however chance falls. A large
// hello and its answer cost twice a small one's, and fifty of them by luck would be a round that is too dear.
type shapes struct {
	mu   sync.Mutex
	left measurements.Shape // the other one of a pair; "" between pairs
}

func (s *shapes) draw() measurements.Shape {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.left; last != "" {
		s.left = ""
		return last
	}
	if rand.IntN(2) == 0 {
		s.left = measurements.Default
		return measurements.Small
	}
	s.left = measurements.Small
	return measurements.Default
}

package probe

import (
	"context"
	mrand "math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/telltale-probe/telltale/measurements"
)

const (
	// mostEncrypted bounds the resolvers that are asked for encrypted DNS in a round: two tell a filter from
	// a server that is down. Chosen by us.
	mostEncrypted = 2
	// resolverTarget is the name in the gate's record of what is asked of resolvers as such.
	resolverTarget = "resolver"
)

// encryptedDNS asks whether encrypted DNS passes, once the gate is measured: what kills it may not let the neutral
// hosts at the same address pass for a while. `once` asks each time, the daemon in one of eight rounds.
func (p *Plan) encryptedDNS(ctx context.Context, s *sheet) {
	if ctx.Err() != nil || p.Without[measurements.D] || len(p.Controls) == 0 || !p.Thorough && !p.Rotation.Includes("encrypted") || !s.anyHandshake() {
		return
	}
	var wg sync.WaitGroup
	asked := 0
	for _, r := range p.Trusted {
		if alpn := encryptedALPN(r); len(alpn) > 0 && asked < mostEncrypted {
			asked++
			wg.Go(func() { p.askEncrypted(ctx, s, r, alpn) })
		}
	}
	wg.Wait()
}

// encryptedALPN is what a hello to a resolver offers; none where it is asked in clear.
func encryptedALPN(r Resolver) []string {
	switch {
	case strings.HasPrefix(r.URL, "https://"):
		return slices.Clone(alpn)
	case strings.HasPrefix(r.URL, "tls://"):
		return []string{"dot"} // RFC 7858, section 3.1, needs none; this one is registered for it
	}
	return nil
}

// anyHandshake says whether a TLS handshake passed.
func (s *sheet) anyHandshake() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.m.Observations, func(o measurements.Observation) bool {
		return o.Operation == measurements.TLSHandshake && o.OK()
	})
}

// askEncrypted makes a hello with the resolver's own name (D) at its own place, where one with a neutral name (N), in
// the same small shape, was answered just before; where none was, it asks for a name over plain TCP (control P).
func (p *Plan) askEncrypted(ctx context.Context, s *sheet, r Resolver, alpn []string) {
	sctx, cancel := p.step(ctx)
	w, err := p.Host.wayTo(sctx, r)
	cancel()
	if err != nil {
		return // a resolver whose own name is not resolved says nothing of how it is reached
	}
	c := chain{p: p, s: s, ep: w.endpoint, role: role{target: resolverTarget, control: measurements.N, trial: s.trial()}}
	if c.greet(ctx, neutralFor(Target{}, w.host), alpn) {
		c.role.control = measurements.D
		c.greet(ctx, w.host, alpn)
		return
	}
	pctx, cancel := context.WithTimeout(ctx, p.Timeout/pingShare) // as V's: it only says whether anything is there
	defer cancel()
	name := p.Controls[mrand.IntN(len(p.Controls))].Host
	o := p.Host.Resolve(pctx, Resolver{URL: "tcp://" + netip.AddrPortFrom(w.endpoint.Addr(), 53).String()}, name, measurements.IPv4)
	c.role.control, c.role.conn = measurements.P, 0
	c.s.note(c.role, o)
}

// greet makes a handshake and says whether the peer answered it, whatever it said. Each step has its own time: on a
// slow line the second hello would have what the first left of it.
func (c chain) greet(ctx context.Context, name string, alpn []string) bool {
	conn, _ := c.connect(ctx)
	if conn == nil {
		return false
	}
	sctx, cancel := c.step(ctx, false)
	defer cancel()
	secure, h := c.p.Host.TLS(sctx, conn, TLSInput{Name: name, Shape: measurements.Small, ALPN: alpn})
	c.note(h)
	if secure != nil {
		_ = secure.Close()
	}
	_, alert := h.Failure.Alert()
	return secure != nil || alert || h.Failure == measurements.SSLFailedHandshake
}

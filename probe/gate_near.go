package probe

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"github.com/telltale-probe/telltale/measurements"
)

// mostNearPings bounds them in each family: two operators' hosts are enough. Chosen by us.
const mostNearPings = 2

// nearPings asks who keeps QUIC from us, where somebody refuses that of every neutral host in a family, or swallows it.
func (p *Plan) nearPings(ctx context.Context, s *sheet) {
	if ctx.Err() != nil || p.Without[measurements.V] {
		return
	}
	var wg sync.WaitGroup
	for _, o := range slices.Concat(s.withoutQUIC(measurements.IPv4), s.withoutQUIC(measurements.IPv6)) {
		ep, err := netip.ParseAddrPort(o.Endpoint)
		if err != nil {
			continue
		}
		wg.Go(func() {
			sctx, cancel := p.step(ctx)
			defer cancel()
			s.note(role{target: o.Target, control: measurements.V, conn: s.conn()}, p.Host.NearPing(sctx, ep))
		})
	}
	wg.Wait()
}

// withoutQUIC lists the neutral hosts' QUIC handshakes in a family, each host's first, if ICMP has refused all of
// them, of two hosts at least; and the first alone if all of them met silence, while TLS over that family passed.
func (s *sheet) withoutQUIC(f measurements.Family) (kept []measurements.Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hosts, silent, alive := map[string]bool{}, 0, false
	for i := range s.m.Observations {
		o := &s.m.Observations[i]
		switch {
		case o.Family != f:
			continue
		case o.Operation == measurements.TLSHandshake && o.OK():
			alive = true
			continue
		case o.Operation != measurements.QUICHandshake:
			continue
		case o.Failure == measurements.Timeout:
			silent++
		case o.Failure != measurements.ConnectionRefused && !o.Failure.IsUnreachable():
			return nil
		}
		if !hosts[o.Target] {
			hosts[o.Target] = true
			kept = append(kept, *o)
		}
	}
	switch {
	case len(hosts) < 2 || silent > 0 && (silent < len(kept) || !alive):
		return nil
	case silent > 0:
		return kept[:1]
	}
	return kept[:min(len(kept), mostNearPings)]
}

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

// nearPings asks who refuses QUIC, where somebody refuses that of every neutral host in a family.
func (p *Plan) nearPings(ctx context.Context, s *sheet) {
	if ctx.Err() != nil || p.Without[measurements.V] {
		return
	}
	var wg sync.WaitGroup
	for _, o := range slices.Concat(s.refusedEverywhere(measurements.IPv4), s.refusedEverywhere(measurements.IPv6)) {
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

// refusedEverywhere lists the neutral hosts' QUIC handshakes in a family, each host's first, if ICMP has refused all
// of them, of two hosts at least.
func (s *sheet) refusedEverywhere(f measurements.Family) (refused []measurements.Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hosts := map[string]bool{}
	for i := range s.m.Observations {
		o := &s.m.Observations[i]
		if o.Operation != measurements.QUICHandshake || o.Family != f {
			continue
		}
		if o.Failure != measurements.ConnectionRefused && !o.Failure.IsUnreachable() {
			return nil
		}
		if !hosts[o.Target] {
			hosts[o.Target] = true
			refused = append(refused, *o)
		}
	}
	if len(hosts) < 2 {
		return nil
	}
	return refused[:min(len(refused), mostNearPings)]
}

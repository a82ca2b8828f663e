package probe

import (
	"context"
	"net/netip"
	"sync"

	"github.com/telltale-probe/telltale/measurements"
)

// mostNearPings bounds them: two operators' hosts in two families are enough. Chosen by us.
const mostNearPings = 4

// nearPings asks who refuses QUIC, where somebody refuses that of every neutral host.
func (p *Plan) nearPings(ctx context.Context, s *sheet) {
	if ctx.Err() != nil || p.Without[measurements.V] {
		return
	}
	var wg sync.WaitGroup
	for _, o := range s.refusedEverywhere() {
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

// refusedEverywhere lists the neutral hosts' QUIC handshakes if ICMP has refused each of them, of two hosts at least.
func (s *sheet) refusedEverywhere() (refused []measurements.Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hosts := map[string]bool{}
	for i := range s.m.Observations {
		o := &s.m.Observations[i]
		if o.Operation != measurements.QUICHandshake {
			continue
		}
		if o.Failure != measurements.ConnectionRefused && !o.Failure.IsUnreachable() {
			return nil
		}
		hosts[o.Target] = true
		refused = append(refused, *o)
	}
	if len(hosts) < 2 {
		return nil
	}
	return refused[:min(len(refused), mostNearPings)]
}

package probe

import (
	"context"
	mrand "math/rand/v2"
	"net/netip"
	"slices"
	"sync"

	"github.com/telltale-probe/telltale/measurements"
)

const (
	// How many operators' neutral hosts get our large hello as well, in a thorough round and in others. Two
	// must fail alike before the line is blamed; one more is for an operator's own outage. Chosen by us.
	largeThorough, largeOtherwise = 3, 2
	// requestPadding makes a request of two segments on any path, as a large hello is: it has about
	// 1,700 bytes, and no common segment holds more than 1,460.
	requestPadding = 2000
)

// largeHosts draws the neutral hosts that get our large hello after the small one, one for each operator.
// A path that loses large packets loses theirs too, and so does not pass for a filter of somebody's hellos.
func (p *Plan) largeHosts() map[string]bool {
	most := largeOtherwise
	if p.Thorough {
		most = largeThorough
	}
	chosen, operators := map[string]bool{}, map[string]bool{}
	for _, i := range mrand.Perm(len(p.Controls)) {
		c := &p.Controls[i]
		if len(chosen) < most && !operators[c.Operator] && slices.Contains(c.Probes, ProbeHTTPS) {
			chosen[c.Host], operators[c.Operator] = true, true
		}
	}
	return chosen
}

// largeRequests asks the neutral hosts in clear once more, in two segments, where large hellos of two hosts
// have met silence: if that is lost too it is the size of packets that kills them, and if not, their content.
func (p *Plan) largeRequests(ctx context.Context, s *sheet) {
	if ctx.Err() != nil || !s.largeHellosDie() {
		return
	}
	var wg sync.WaitGroup
	for _, c := range p.Controls {
		if !slices.Contains(c.Probes, ProbeHTTP) {
			continue
		}
		for _, ep := range s.answeredInClear(c.Host) {
			wg.Go(func() {
				chain{p: p, s: s, role: role{target: c.Host}, ep: ep, padding: requestPadding}.http(ctx, c.Host, c.Path, gateBody)
			})
		}
	}
	wg.Wait()
}

// largeHellosDie says whether the large hellos to two neutral hosts met silence.
func (s *sheet) largeHellosDie() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	hosts := map[string]bool{}
	for i := range s.m.Observations {
		o := &s.m.Observations[i]
		if o.Operation == measurements.TLSHandshake && o.TLS.Shape == measurements.Default && o.Failure == measurements.Timeout {
			hosts[o.Target] = true
		}
	}
	return len(hosts) >= largeOtherwise
}

// answeredInClear lists where a neutral host has answered a request in clear.
func (s *sheet) answeredInClear(host string) (at []netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.m.Observations {
		o := &s.m.Observations[i]
		if o.Target != host || o.Operation != measurements.HTTPExchange || o.Transport != "tcp" || !o.OK() {
			continue
		}
		if ep, err := netip.ParseAddrPort(o.Endpoint); err == nil {
			at = append(at, ep)
		}
	}
	return at
}

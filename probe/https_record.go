package probe

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// recordPause is how long a name's HTTPS record is not asked for again. Chosen by us: it is one more question to a
// trusted resolver, of which a round in which much fails has many already.
const recordPause = 24 * time.Hour

// h3In is the port at which an HTTPS record offers HTTP/3 at the name itself; 0 is nowhere. A record in alias mode, of
// another target or with a mandatory key that is neither of these promises nothing about the place that we look at.
// RFC 9460, sections 2.4, 7.1, 7.2 and 8.
func h3In(rr *dns.HTTPS, owner string) uint16 {
	if rr.Priority == 0 || rr.Target != "." && dns.CanonicalName(rr.Target) != dns.CanonicalName(owner) {
		return 0
	}
	offered, port := false, uint16(443)
	for _, v := range rr.Value {
		switch v := v.(type) {
		case *dns.SVCBAlpn:
			offered = slices.Contains(v.Alpn, "h3")
		case *dns.SVCBPort:
			port = v.Port
		case *dns.SVCBMandatory:
			if slices.ContainsFunc(v.Code, func(k dns.SVCBKey) bool { return k != dns.SVCB_ALPN && k != dns.SVCB_PORT }) {
				return 0
			}
		}
	}
	if !offered || port != 443 {
		return 0
	}
	return port
}

// askRecord asks a trusted resolver for a name's HTTPS record where TCP did not bring us the server's own word: what it
// offers there is remembered like an Alt-Svc, for as long as we do not ask again. Nothing is judged by it, so that it
// leaves no observation; what it costs is counted.
func (p *Plan) askRecord(ctx context.Context, s *sheet, t Target, host string) {
	at := offerKey{s.key(t), host}
	secure := slices.Contains(t.Probes, ProbeHTTPS) || slices.Contains(t.Probes, ProbeLEGY)
	if p.Without[measurements.D] || !secure || !slices.Contains(t.Ports, 443) || p.offers.port(at, false) != 0 || !p.offers.turn(at) {
		return
	}
	for _, r := range p.Trusted {
		if ctx.Err() != nil {
			return
		}
		sctx, cancel := p.step(ctx)
		port, o := p.Host.record(sctx, r, host)
		cancel()
		p.spend(schedule.Wire(o))
		if o.OK() {
			if port != 0 {
				p.offers.hear(at, altSvc{said: true, h3: port, age: recordPause})
			}
			return
		}
	}
}

// record asks a resolver for a name's HTTPS record. It fails as Resolve does; a name without one is none that fails.
func (h Host) record(ctx context.Context, r Resolver, name string) (port uint16, o measurements.Observation) {
	x, o := h.asked(ctx, r, recordOf(name))
	return x.h3, o
}

func recordOf(name string) question {
	return question{name: strings.TrimSuffix(name, "."), kind: dns.TypeHTTPS, class: dns.ClassINET}
}

// turn says whether a name's record may be asked for now, and takes the turn.
func (o *offers) turn(at offerKey) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if last, known := o.asked[at]; known && time.Since(last) < recordPause {
		return false
	}
	if o.asked == nil || len(o.asked) >= mostOffers {
		o.asked = map[offerKey]time.Time{}
	}
	o.asked[at] = time.Now()
	return true
}

package probe

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

const (
	// longestOffer bounds how long an offer is believed, whatever the server says. Chosen by us: large sites say a day or
	// a month, and who is asked several times an hour will say it again.
	longestOffer = 7 * 24 * time.Hour
	// mostOffers bounds what is taken over of offers. Chosen by us: several times the names of a large catalogue.
	mostOffers = 1024
)

// offers are the targets' names whose servers have offered HTTP/3 over a verified connection, as a browser remembers
// them: a name that only an Alt-Svc sends to QUIC is looked at over QUIC as well (RFC 7838, section 2.2). The zero
// value knows of none.
type offers struct {
	mu    sync.Mutex
	known map[offerKey]promise
	asked map[offerKey]time.Time // when their records were
}

type offerKey struct{ target, host string } // the target with its app

type promise struct {
	port  uint16
	until time.Time
}

// Offer is an offer of HTTP/3 as it is kept across restarts.
type Offer struct {
	Target string    `json:"target"` // with its app: "instagram/api"
	Host   string    `json:"host"`
	Port   uint16    `json:"port"`
	Until  time.Time `json:"until"`
}

// hear takes in what a verified answer says. What it says replaces what was said before; silence leaves that as it is.
func (o *offers) hear(at offerKey, said altSvc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case !said.said:
	case said.h3 == 0:
		if p, known := o.known[at]; known {
			o.known[at] = promise{p.port, time.Now()}
		}
	default:
		o.put(at, promise{said.h3, time.Now().Add(min(said.age, longestOffer))})
	}
}

func (o *offers) put(at offerKey, p promise) {
	if o.known == nil {
		o.known = map[offerKey]promise{}
	}
	if _, again := o.known[at]; !again && len(o.known) >= mostOffers {
		maps.DeleteFunc(o.known, func(_ offerKey, old promise) bool { return !time.Now().Before(old.until) })
		if len(o.known) >= mostOffers {
			return
		}
	}
	o.known[at] = p
}

// port is where HTTP/3 is offered; 0 is nowhere. An offer that is over counts where it is asked for, too.
func (o *offers) port(at offerKey, over bool) uint16 {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.known[at]
	if !over && !time.Now().Before(p.until) {
		return 0
	}
	return p.port
}

func (o *offers) list() (out []Offer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for at, p := range o.known {
		out = append(out, Offer{at.target, at.host, p.port, p.until})
	}
	slices.SortFunc(out, func(a, b Offer) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Host, b.Host))
	})
	return out
}

// restore puts those of an earlier process in place. A clock that was ahead when they were heard makes none last longer.
func (o *offers) restore(list []Offer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known = nil
	latest := time.Now().Add(longestOffer)
	for _, f := range list {
		if f.Port == 0 {
			continue
		}
		if f.Until.After(latest) {
			f.Until = latest
		}
		o.put(offerKey{f.Target, f.Host}, promise{f.Port, f.Until})
	}
}

// overQUIC is a target as it is visited at a name that is offered over HTTP/3, and that no target of the app's asks
// over it anyway. A handshake is all: an exchange over it that fails would be told from one over TCP by nobody.
// What goes on failing is looked at also when the offer is over, since else nothing would show that it works again.
func (p *Plan) overQUIC(s *sheet, t Target, host string) (Target, bool) {
	port := p.offers.port(offerKey{s.key(t), host}, p.followsQUIC(s.key(t)))
	asked := func(u Target) bool { return slices.Contains(u.Probes, ProbeH3) && slices.Contains(u.Hosts, host) }
	if port == 0 || asked(t) || slices.ContainsFunc(p.targetsOf(s.m.App), asked) {
		return t, false
	}
	t.Ports, t.Path, t.Probes = []uint16{port}, "", []Probe{ProbeH3}
	return t, true
}

// followsQUIC says whether QUIC to a target goes on failing.
func (p *Plan) followsQUIC(key string) bool {
	if p.Suspicion == nil {
		return false
	}
	return slices.ContainsFunc(p.Families, func(f measurements.Family) bool {
		return p.Suspicion.Follows(schedule.Way{Key: key, Family: f, Transport: "udp"})
	})
}

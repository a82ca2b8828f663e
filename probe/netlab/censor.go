package netlab

import (
	"math"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// event is a packet that a box understands.
type event struct {
	protocol Protocol
	name     string // the trigger's name, in lower case; "" where it bears none
	large    bool   // the hello needs more than one segment or datagram
	query    *dns.Msg
	first    []byte // of a stream in clear
}

// place is what residual blocking remembers.
type place struct {
	transport string
	endpoint  netip.AddrPort
}

type residue struct {
	rule        Rule
	from, until time.Time
}

// defaultPosition is where a box stands whose rule doesn't say: near the user, as most do (TSPU,
// IMC 2022, places them within the first hops).
const defaultPosition = 0.25

// pathHops is how many routers a path has, the server among them.
const pathHops = 10

// hop is the router at which the rule's box stands, from 1.
func (r *Rule) hop() int { return max(1, int(math.Ceil(r.position()*pathHops))) }

func (r *Rule) position() float64 {
	if r.Position == 0 {
		return defaultPosition
	}
	return r.Position
}

// match gives the rules that act on an event: those that race the server's answer, and last the one
// that decides, if one does. Those that only impair a flow have their way on it here, once. The caller
// holds the flow's lock, or is the only one who knows the flow.
func (n *Network) match(f *flow, e event) (act []*Rule) {
	if f.to.Addr().IsPrivate() && f.to.Port() == 53 {
		return nil // the home's own resolver: no box stands in between
	}
	n.mu.Lock()
	rules, since := n.rules, time.Since(n.start)
	n.mu.Unlock()
	for i := range rules {
		r := &rules[i]
		if !r.suits(f.transport, e) || !r.matches(f, e, since) || r.impairs() && f.drawn[r.done()] || !f.draws(r) {
			continue
		}
		n.mu.Lock()
		n.fired[r.ID]++
		if r.Residual > 0 && r.ends() {
			n.rest(f, r)
		}
		n.mu.Unlock()
		switch {
		case r.Action == Pass:
			return act
		case r.impairs():
			f.impair(r)
		case r.races():
			act = append(act, r)
		case r.onlyArms():
		default:
			return append(act, r)
		}
	}
	return act
}

// rest remembers what residual blocking has in store at a flow's server. A trigger that is seen while
// it waits to begin does not make it wait again. The caller holds the network's lock.
func (n *Network) rest(f *flow, r *Rule) {
	at, now := place{f.transport, f.to}, time.Now()
	left := residue{rule: *r, from: now, until: now.Add(r.Residual)}
	if r.onlyArms() {
		left.from = now.Add(r.Delay)
		if old, ok := n.residual[at]; ok && now.Before(old.until) && old.from.Before(left.from) {
			left.from = old.from
		}
	}
	n.residual[at] = left
}

// races says whether a rule adds an answer, and leaves the query to others.
func (r *Rule) races() bool {
	switch r.Action {
	case DNSForge, DNSNXDomain, DNSServfail, DNSRefused, DNSEmpty:
		return r.OnPath
	}
	return false
}

// onlyArms says whether a rule lets its trigger pass, and acts on what comes later.
func (r *Rule) onlyArms() bool { return r.Action == Drop && r.OnPath && r.Residual > 0 }

// impairs says whether a rule lets a packet pass, and others decide about it.
func (r *Rule) impairs() bool {
	switch r.Action {
	case Throttle, Delay, Lose, Cut, CutReset, CutClose:
		return true
	}
	return false
}

// ends says whether what the rule does is the end of a flow: residual blocking goes on from there. What
// a rule impairs, intercepts or redirects goes on itself, and would be the first to be hit.
func (r *Rule) ends() bool {
	return !r.impairs() && r.Action != Pass && r.Action != Intercept && r.Action != Imposter && r.Action != DNSRedirect
}

// endOf is when the window of a rule ends, zero for never.
func (n *Network) endOf(r *Rule) time.Time {
	if r.Until == 0 {
		return time.Time{}
	}
	return n.start.Add(r.Until)
}

// done is under what a flow remembers that a rule has impaired it: the rules see each datagram, and a
// loss of 5 % must not become one of 10 % with the second.
func (r *Rule) done() string { return r.ID + " done" }

func (f *flow) impair(r *Rule) {
	f.drawn[r.done()] = true
	switch r.Action {
	case Throttle:
		f.rate = r.Rate
	case Delay:
		f.late += r.Delay
		f.lateAt = r.position()
	case Lose:
		share := r.Probability
		if share == 0 {
			share = 1
		}
		f.link.box = &lossy{share, f.n.start.Add(r.From), f.n.endOf(r), f.link.box}
	default:
		f.cut = r
	}
}

// draws says whether a rule with a probability fires on this flow; it is drawn once a flow. Loss is
// drawn for each packet instead.
func (f *flow) draws(r *Rule) bool {
	if r.Probability == 0 || r.Action == Lose {
		return true
	}
	fires, drawn := f.drawn[r.ID]
	if !drawn {
		fires = f.n.chance(r.Probability)
		f.drawn[r.ID] = fires
	}
	return fires
}

// rests gives the action that residual blocking has in store for a flow's packets, nil for none.
func (n *Network) rests(f *flow) *Rule {
	n.mu.Lock()
	defer n.mu.Unlock()
	left, ok := n.residual[place{f.transport, f.to}]
	if now := time.Now(); !ok || now.Before(left.from) || !now.Before(left.until) {
		return nil
	}
	r := left.rule
	if r.Action != Reset && r.Action != ICMP {
		r.Action = Drop
	}
	return &r
}

// recall lets residual blocking act on an open stream, when its client sends.
func (f *flow) recall() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return
	}
	if r := f.n.rests(f); r != nil {
		f.act(r, event{})
	}
}

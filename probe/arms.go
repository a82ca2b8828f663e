package probe

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/telltale-probe/telltale/probe/app"
)

// plainArms are MTProto's framings that a filter can recognise by their first bytes. A visit takes one of them.
var plainArms = []app.Transport{app.Abridged, app.Intermediate, app.PaddedIntermediate, app.OverHTTP}

// armAt says whether a framing is spoken on a port: HTTP is on 80, and in clear on 443; nothing says that it is
// on 5222 (core.telegram.org/mtproto/transports). What a server never spoke, it may swallow.
func armAt(arm app.Transport, port uint16) bool {
	return arm != app.OverHTTP || port == 80 || port == 443
}

// turn is a visit to one port, in one framing; "" for targets that speak no MTProto.
type turn struct {
	port uint16
	arm  app.Transport
}

// turnsOf says in which order the ports of an address are visited, and in which framing each. n is the number
// of the round: the first turn's framings come one after the other, so that four rounds have had all of them,
// and each framing goes round its ports. The other ports get the other framings, in order: a place where one
// failed is not touched again, and two framings that die say more than one. kept, if it fits, comes first.
func turnsOf(ports []uint16, n uint64, kept turn) []turn {
	arms := slices.DeleteFunc(slices.Clone(plainArms), func(a app.Transport) bool {
		return !slices.ContainsFunc(ports, func(p uint16) bool { return armAt(a, p) })
	})
	round := n / uint64(len(arms))
	arms = turned(arms, n)
	first := turn{arm: arms[0]}
	usable := slices.DeleteFunc(slices.Clone(ports), func(p uint16) bool { return !armAt(first.arm, p) })
	first.port = usable[round%uint64(len(usable))]
	if slices.Contains(ports, kept.port) && slices.Contains(arms, kept.arm) && armAt(kept.arm, kept.port) {
		first = kept
	}
	out := []turn{first}
	rest := slices.DeleteFunc(slices.Clone(arms), func(a app.Transport) bool { return a == first.arm })
	for _, port := range turned(slices.DeleteFunc(slices.Clone(ports), func(p uint16) bool { return p == first.port }), n) {
		i := slices.IndexFunc(rest, func(a app.Transport) bool { return armAt(a, port) })
		if i < 0 { // more ports than framings
			rest = slices.Clone(arms)
			i = slices.IndexFunc(rest, func(a app.Transport) bool { return armAt(a, port) })
		}
		out = append(out, turn{port, rest[i]})
		rest = slices.Delete(rest, i, i+1)
	}
	return out
}

// turned begins a list elsewhere.
func turned[T any](list []T, n uint64) []T {
	if len(list) == 0 {
		return nil
	}
	at := int(n % uint64(len(list)))
	return append(slices.Clone(list[at:]), list[:at]...)
}

// turns says how an address is visited: MTProto's framings rotate, and under suspicion the one that failed last
// comes again, where it failed. Other targets' ports come in random order.
func (p *Plan) turns(t Target, key string, sp spot, w Probe) []turn {
	ports := p.ports(t)
	if w == ProbeMTProto {
		var kept turn
		if p.Suspicion != nil && p.Suspicion.Suspected(key) {
			kept = p.arms.of(sp.addr)
		}
		return turnsOf(ports, p.Rotation.Turn(sp.addr.String()), kept)
	}
	return shuffled(ports)
}

// armsDied remembers, for each address, the turn that failed last.
type armsDied struct {
	mu   sync.Mutex
	last map[netip.Addr]turn
}

func (a *armsDied) of(at netip.Addr) turn {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last[at]
}

// note takes in how an address's turns ended: the first that failed is the one to come back to, and one that
// passed is done with.
func (a *armsDied) note(at netip.Addr, turns []turn, ended []visited) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := slices.Index(ended, visitFailed); i >= 0 {
		if a.last == nil {
			a.last = map[netip.Addr]turn{}
		}
		a.last[at] = turns[i]
		return
	}
	if i := slices.Index(turns, a.last[at]); i >= 0 && ended[i] == visitPassed {
		delete(a.last, at)
	}
}

// visited is how a visit ended.
type visited int

const (
	visitSkipped visited = iota // nothing was done: it asks for nothing more
	visitPassed
	visitFailed
)

package scenarios

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
)

// Rates of trouble, chosen by us to be worse than most households': a censor's look-alikes come every
// day, and each layer has some.
//
// Not among them: a site of which some machines reset what others answer, whatever the name. Control N is spared there
// as often as the target is hit, and a reset beside a neutral name that was just answered is likely at once: of a hundred
// such troubles of two and a half hours, with one connection of two to six reset, about thirty were called so, none
// confirmed. Nor a name alone whose back end is gone (noise.Rates).
const (
	resolverEvery = 12 * time.Hour // the ISP's resolver fails for minutes
	lineEvery     = 24 * time.Hour // the line drops for minutes
	queueEvery    = 8 * time.Hour  // somebody at home uploads: all that is sent waits in the router (bufferbloat)
	targetEvery   = 8 * time.Hour  // one site or data centre is out, in one of several ways, for hours
	appEvery      = 36 * time.Hour // everything at one app's addresses is out
	edgeEvery     = 24 * time.Hour // an operator's site is out, for all the targets that have an address there
	peeringEvery  = 24 * time.Hour // the way to an operator's site is congested, as in the evening
	// One of the catalogue's names moves to other edges every six hours: with some forty names, each about once in ten
	// days. The answers of large content networks change by the minute, but the edges that were named go on answering;
	// that they stop is what can hurt, and it comes seldom.
	moveEvery = 6 * time.Hour
)

// early is how long before it begins a loss stands on the wire: flows that are open then meet it too. No visit takes longer.
const early = 2 * time.Minute

// trouble is something that goes wrong at a time. What it is, is drawn beforehand; whom it hits, in the world of that time,
// since names move.
type trouble struct {
	at    time.Duration // since the world's start
	begin beginning
	moves []string // the names that move then
}

type beginning = func(*netlab.World) error

// troubles draws what goes wrong, and when, in the order of time. All of it happens at the far end, or at the near one:
// none of it reads a name on the way.
func (l *Lab) troubles(rnd *rand.Rand, until time.Duration) []trouble {
	var out []trouble
	add := func(every, least, most time.Duration, draw func(from, to time.Duration) beginning) {
		for at := time.Duration(rnd.ExpFloat64() * float64(every)); at < until; at += time.Duration(rnd.ExpFloat64() * float64(every)) {
			out = append(out, trouble{at: max(at-early, 0), begin: draw(at, at+least+time.Duration(rnd.Int64N(int64(most-least))))})
		}
	}
	add(resolverEvery, time.Minute, 20*time.Minute, func(from, to time.Duration) beginning {
		rule := netlab.Rule{Protocol: netlab.DNS, Position: 1, From: from, Until: to}
		rule.Action = []netlab.Action{netlab.DNSServfail, netlab.Drop, netlab.DNSRefused}[rnd.IntN(3)]
		return func(w *netlab.World) error {
			rule.Addresses = resolverOf(w)
			return afflict(w, rule)
		}
	})
	add(lineEvery, time.Minute, 15*time.Minute, func(from, to time.Duration) beginning {
		rule := netlab.Rule{Protocol: netlab.Any, Action: netlab.Lose, From: from, Until: to}
		return func(w *netlab.World) error { return afflict(w, rule) }
	})
	add(queueEvery, time.Minute, 30*time.Minute, func(from, to time.Duration) beginning {
		late := 100*time.Millisecond + time.Duration(rnd.Int64N(int64(1400*time.Millisecond)))
		rule := netlab.Rule{Protocol: netlab.Any, Action: netlab.Delay, Delay: late, From: from, Until: to}
		return func(w *netlab.World) error { return afflict(w, rule) }
	})
	add(targetEvery, 5*time.Minute, 6*time.Hour, func(from, to time.Duration) beginning {
		t, how := l.anyTarget(rnd), drawOutage(rnd, from, to)
		return func(w *netlab.World) error { return afflict(w, how.at(prefixes(w, t))...) }
	})
	add(appEvery, 5*time.Minute, 2*time.Hour, func(from, to time.Duration) beginning {
		app := l.Apps[rnd.IntN(len(l.Apps))]
		hows := make([]outage, len(app.Targets))
		for i := range hows {
			hows[i] = drawOutage(rnd, from, to)
		}
		return func(w *netlab.World) error {
			var rules []netlab.Rule
			for i, t := range app.Targets {
				rules = append(rules, hows[i].at(prefixes(w, t))...)
			}
			return afflict(w, rules...)
		}
	})
	add(edgeEvery, 5*time.Minute, 2*time.Hour, func(from, to time.Duration) beginning {
		t, number, how := l.anyTarget(rnd), rnd.IntN(64), drawOutage(rnd, from, to)
		return func(w *netlab.World) error { return afflict(w, how.at(siteOf(w, t, number))...) }
	})
	add(peeringEvery, 10*time.Minute, 3*time.Hour, func(from, to time.Duration) beginning {
		t, number := l.anyTarget(rnd), rnd.IntN(64)
		rule := netlab.Rule{Protocol: netlab.Any, Action: netlab.Lose, Probability: 0.05 + 0.2*rnd.Float64(), From: from, Until: to}
		return func(w *netlab.World) error {
			rule.Addresses = siteOf(w, t, number)
			return afflict(w, rule)
		}
	})
	names := l.names()
	for at := time.Duration(rnd.ExpFloat64() * float64(moveEvery)); at < until && len(names) > 0; at += time.Duration(rnd.ExpFloat64() * float64(moveEvery)) {
		out = append(out, drawMove(rnd, at, names[rnd.IntN(len(names))]))
	}
	slices.SortStableFunc(out, func(a, b trouble) int { return int(a.at - b.at) })
	return out
}

// afflict puts rules on the wire, with names of their own, and takes away those that are over.
func afflict(w *netlab.World, rules ...netlab.Rule) error {
	rules = slices.DeleteFunc(rules, func(r netlab.Rule) bool { return r.Addresses != nil && len(r.Addresses) == 0 })
	for i := range rules {
		rules[i].ID = fmt.Sprintf("trouble-%v-%d", rules[i].From, i)
	}
	w.Network().Expire()
	w.Network().Censor(rules...)
	return nil
}

func (l *Lab) anyTarget(rnd *rand.Rand) probe.Target {
	app := l.Apps[rnd.IntN(len(l.Apps))]
	return app.Targets[rnd.IntN(len(app.Targets))]
}

// names are those of each target that has some: data centres have none.
func (l *Lab) names() (out [][]string) {
	for _, app := range l.Apps {
		for _, t := range app.Targets {
			if len(t.Hosts) > 0 {
				out = append(out, t.Hosts)
			}
		}
	}
	return out
}

// drawMove draws how a target's names move. Old edges serve for a quarter of an hour (operators wait for several times the TTL, a
// minute here) up to a day. In one case of four the ISP's resolver keeps the old addresses for hours, which may be for
// longer than anybody serves there; in one of two the certificate is another.
func drawMove(rnd *rand.Rand, at time.Duration, hosts []string) trouble {
	m := netlab.Move{Grace: 15*time.Minute + time.Duration(rnd.Int64N(int64(24*time.Hour))), Refuses: rnd.IntN(2) == 0, Renewed: rnd.IntN(2) == 0}
	if rnd.IntN(4) == 0 {
		m.Grace, m.Kept = m.Grace/8, 10*time.Minute+time.Duration(rnd.Int64N(int64(6*time.Hour)))
	}
	return trouble{at: at, moves: hosts, begin: func(w *netlab.World) error {
		var errs []error
		for _, host := range hosts {
			m := m
			m.Host = host
			errs = append(errs, w.Move(m))
		}
		return errors.Join(errs...)
	}}
}

// outage is how something is out: it refuses, is mute, ends handshakes or resets them. QUIC is silent.
type outage struct{ tcp, quic netlab.Rule }

func drawOutage(rnd *rand.Rand, from, to time.Duration) outage {
	rule := netlab.Rule{Position: 1, From: from, Until: to}
	switch rnd.IntN(4) {
	case 0:
		rule.Protocol, rule.Action = netlab.TCP, netlab.Reset
	case 1:
		rule.Protocol, rule.Action = netlab.TCP, netlab.Drop
	case 2:
		rule.Protocol, rule.Action = netlab.TLS, netlab.Close
	case 3:
		rule.Protocol, rule.Action = netlab.TLS, netlab.Reset
	}
	return outage{rule, netlab.Rule{Position: 1, From: from, Until: to, Protocol: netlab.UDP, Action: netlab.Drop}}
}

// at are the rules of an outage of what is at such addresses, whatever the name.
func (o outage) at(addresses []netip.Prefix) []netlab.Rule {
	if len(addresses) == 0 {
		return nil
	}
	o.tcp.Addresses, o.quic.Addresses = addresses, addresses
	return []netlab.Rule{o.tcp, o.quic}
}

// prefixes are a target's addresses.
func prefixes(w *netlab.World, t probe.Target) []netip.Prefix {
	out := addressesOf(w, t.Hosts)
	for _, a := range t.Addresses {
		out = append(out, netip.PrefixFrom(a, a.BitLen()))
	}
	return out
}

// siteOf is the block in which one of a target's addresses lies, an operator's /16 or /32: what else has an address
// there shares its fate, while the target's other addresses are fine.
func siteOf(w *netlab.World, t probe.Target, number int) []netip.Prefix {
	at := prefixes(w, t)
	if len(at) == 0 {
		return nil
	}
	a := at[number%len(at)].Addr()
	bits := 32
	if a.Is4() {
		bits = 16
	}
	return []netip.Prefix{netip.PrefixFrom(a, bits).Masked()}
}

// resolverOf are the addresses of the resolver under test.
func resolverOf(w *netlab.World) []netip.Prefix {
	var out []netip.Prefix
	if list, err := w.Host().SystemResolvers(); err == nil {
		for _, at := range list {
			out = append(out, netip.PrefixFrom(at.Addr(), at.Addr().BitLen()))
		}
	}
	return out
}

// play lets the troubles begin, each at its time, until ctx ends. It fails where one can't.
func play(ctx context.Context, w *netlab.World, troubles []trouble) error {
	start := time.Now()
	var errs []error
	for _, t := range troubles {
		timer := time.NewTimer(time.Until(start.Add(t.at)))
		select {
		case <-timer.C:
			errs = append(errs, t.begin(w))
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(errs...)
		}
	}
	return errors.Join(errs...)
}

package scenarios

import (
	"errors"
	"math/rand/v2"
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

// beginning lets one begin.
type beginning = func(*netlab.World) error

// wire is what one puts on the wire of a world.
type wire = func(*netlab.World) []netlab.Rule

// draw makes one that lasts from a time to another, since the world's start.
type draw = func(from, to time.Duration) wire

// troubles draws what goes wrong, and when, in the order of time. All of it happens at the far end, or at the near one:
// none of it reads a name on the way.
func (l *Lab) troubles(rnd *rand.Rand, until time.Duration) []trouble {
	var out []trouble
	add := func(every, least, most time.Duration, one draw) {
		for at := wait(rnd, every); at < until; at += wait(rnd, every) {
			rules := one(at, at+least+time.Duration(rnd.Int64N(int64(most-least))))
			out = append(out, trouble{at: max(at-early, 0), begin: func(w *netlab.World) error { afflict(w, rules(w)...); return nil }})
		}
	}
	nearTroubles(rnd, add)
	l.farTroubles(rnd, add)
	names := l.names()
	for at := wait(rnd, moveEvery); at < until && len(names) > 0; at += wait(rnd, moveEvery) {
		out = append(out, drawMove(rnd, at, names[rnd.IntN(len(names))]))
	}
	slices.SortStableFunc(out, func(a, b trouble) int { return int(a.at - b.at) })
	return out
}

// wait is the time to the next of what comes so often on average, at random.
func wait(rnd *rand.Rand, every time.Duration) time.Duration {
	return time.Duration(rnd.ExpFloat64() * float64(every))
}

// nearTroubles are the line's, and those of who runs it.
func nearTroubles(rnd *rand.Rand, add func(every, least, most time.Duration, one draw)) {
	add(resolverEvery, time.Minute, 20*time.Minute, func(from, to time.Duration) wire {
		rule := netlab.Rule{Protocol: netlab.DNS, Position: 1, From: from, Until: to}
		rule.Action = []netlab.Action{netlab.DNSServfail, netlab.Drop, netlab.DNSRefused}[rnd.IntN(3)]
		return func(w *netlab.World) []netlab.Rule { return at(resolverOf(w), rule) }
	})
	add(lineEvery, time.Minute, 15*time.Minute, func(from, to time.Duration) wire {
		rule := netlab.Rule{Protocol: netlab.Any, Action: netlab.Lose, From: from, Until: to}
		return func(*netlab.World) []netlab.Rule { return []netlab.Rule{rule} }
	})
	add(queueEvery, time.Minute, 30*time.Minute, func(from, to time.Duration) wire {
		late := 100*time.Millisecond + time.Duration(rnd.Int64N(int64(1400*time.Millisecond)))
		rule := netlab.Rule{Protocol: netlab.Any, Action: netlab.Delay, Delay: late, From: from, Until: to}
		return func(*netlab.World) []netlab.Rule { return []netlab.Rule{rule} }
	})
}

// farTroubles are the targets' own, and those of the ways there.
func (l *Lab) farTroubles(rnd *rand.Rand, add func(every, least, most time.Duration, one draw)) {
	add(targetEvery, 5*time.Minute, 6*time.Hour, func(from, to time.Duration) wire {
		t, how := l.anyTarget(rnd), drawOutage(rnd, from, to)
		return func(w *netlab.World) []netlab.Rule { return at(prefixes(w, t), how...) }
	})
	add(appEvery, 5*time.Minute, 2*time.Hour, func(from, to time.Duration) wire {
		app := l.Apps[rnd.IntN(len(l.Apps))]
		hows := make([][]netlab.Rule, len(app.Targets))
		for i := range hows {
			hows[i] = drawOutage(rnd, from, to)
		}
		return func(w *netlab.World) (out []netlab.Rule) {
			for i, t := range app.Targets {
				out = append(out, at(prefixes(w, t), hows[i]...)...)
			}
			return out
		}
	})
	add(edgeEvery, 5*time.Minute, 2*time.Hour, func(from, to time.Duration) wire {
		t, number, how := l.anyTarget(rnd), rnd.IntN(64), drawOutage(rnd, from, to)
		return func(w *netlab.World) []netlab.Rule { return at(siteOf(w, t, number), how...) }
	})
	add(peeringEvery, 10*time.Minute, 3*time.Hour, func(from, to time.Duration) wire {
		t, number := l.anyTarget(rnd), rnd.IntN(64)
		rule := netlab.Rule{Protocol: netlab.Any, Action: netlab.Lose, Probability: 0.05 + 0.2*rnd.Float64(), From: from, Until: to}
		return func(w *netlab.World) []netlab.Rule { return at(siteOf(w, t, number), rule) }
	})
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

// drawOutage draws how something is out: it refuses, is mute, ends handshakes or resets them. QUIC is silent.
func drawOutage(rnd *rand.Rand, from, to time.Duration) []netlab.Rule {
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
	return []netlab.Rule{rule, {Position: 1, From: from, Until: to, Protocol: netlab.UDP, Action: netlab.Drop}}
}

package scenarios

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// Noise is a household's network over weeks on which nobody censors: a lossy line, and troubles that
// come and go. Whatever is called blocked there is false.
type Noise struct {
	Loss  float64       // share of packets, in bursts
	Burst time.Duration // mean length of one
	Weeks int
	Seed  uint64
}

// NoiseReport counts what was found in it.
type NoiseReport struct {
	Rounds, Visits int // a visit is one target in one round
	Troubles       int
	States         map[measurements.State]int
	// False findings, each (place, signature) once a day, by confidence.
	False map[measurements.Confidence]int
	// Worst says where and why, for findings that were likely at least.
	Worst []string
}

// meanInterval is that of the default configuration.
const meanInterval = 15 * time.Minute

// Noise plays weeks of the daemon's rounds in virtual time. It stops early when ctx ends.
func (l *Lab) Noise(ctx context.Context, n Noise) (r NoiseReport, err error) {
	synctest.Test(&testing.T{}, func(*testing.T) { r, err = l.noise(ctx, n) })
	return r, err
}

func (l *Lab) noise(ctx context.Context, n Noise) (NoiseReport, error) {
	r := NoiseReport{States: map[measurements.State]int{}, False: map[measurements.Confidence]int{}}
	rnd := rand.New(rand.NewPCG(n.Seed, 0))
	world, err := netlab.New(netlab.Options{
		Apps: append(slices.Clone(l.Apps), l.Placebo), Controls: l.Controls, Trusted: l.Trusted, Seed: n.Seed,
		Access: netlab.Link{Latency: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: n.Loss, Burst: n.Burst},
	})
	if err != nil {
		return r, err
	}
	defer func() { _ = world.Close() }()
	until := time.Duration(n.Weeks) * 7 * 24 * time.Hour
	troubles := l.troubles(rnd, world, until)
	r.Troubles = len(troubles)
	world.Network().Censor(troubles...)
	plan, err := l.plan(&Scenario{}, l.Apps, world)
	if err != nil {
		return r, err
	}
	plan.Thorough, plan.Suspicion, plan.Placebo, plan.Spread = false, &schedule.Suspicion{}, l.Placebo, schedule.Spread(meanInterval)
	seen := map[string]time.Time{}
	watch := probe.Watch{Plan: plan, Interval: meanInterval, Jitter: 0.5, Rand: rnd}
	for start := time.Now(); time.Since(start) < until && ctx.Err() == nil; time.Sleep(watch.Pause()) {
		round := watch.Run(context.Background())
		verdict := watch.Learn(&round)
		r.count(&verdict, seen, n.Seed, time.Since(start))
	}
	return r, nil
}

// count takes a round's findings in.
func (r *NoiseReport) count(v *measurements.RoundVerdict, seen map[string]time.Time, seed uint64, at time.Duration) {
	r.Rounds++
	for _, app := range v.All() {
		for _, t := range app.Targets {
			r.Visits++
			r.States[t.State]++
			for _, f := range t.Layers {
				if f.State != measurements.Blocked && f.State != measurements.Throttled {
					continue
				}
				key := fmt.Sprint(app.App, t.Target, f.Layer, f.Family, f.Signature, f.Confidence)
				if last, known := seen[key]; known && v.Started.Sub(last) < 24*time.Hour {
					continue
				}
				seen[key] = v.Started
				r.False[f.Confidence]++
				if f.Confidence != measurements.Suspected {
					r.Worst = append(r.Worst, fmt.Sprintf("seed %d, %s: %s/%s %s %s: %s by %s: %v", seed, at.Round(time.Minute), app.App, t.Target, f.Family, f.Confidence, f.Signature, f.Rule, f.Reasons))
				}
			}
		}
	}
}

// Rates of trouble, chosen by us to be worse than most households': a censor's look-alikes come every
// day, and each layer has some.
const (
	resolverEvery = 12 * time.Hour // the ISP's resolver fails for minutes
	lineEvery     = 24 * time.Hour // the line drops for minutes
	targetEvery   = 8 * time.Hour  // one site or data centre is out, in one of several ways, for hours
	edgeEvery     = 36 * time.Hour // everything at one app's addresses is out
)

// troubles draws what goes wrong, and when. All of it happens at the far end, or at the near one: none
// of it reads a name on the way.
func (l *Lab) troubles(rnd *rand.Rand, w *netlab.World, until time.Duration) []netlab.Rule {
	var out []netlab.Rule
	add := func(every, least, most time.Duration, make func(from, to time.Duration) []netlab.Rule) {
		for at := time.Duration(rnd.ExpFloat64() * float64(every)); at < until; at += time.Duration(rnd.ExpFloat64() * float64(every)) {
			for _, rule := range make(at, at+least+time.Duration(rnd.Int64N(int64(most-least)))) {
				rule.ID = fmt.Sprintf("trouble-%d", len(out))
				out = append(out, rule)
			}
		}
	}
	resolver := resolverOf(w)
	add(resolverEvery, time.Minute, 20*time.Minute, func(from, to time.Duration) []netlab.Rule {
		action := []netlab.Action{netlab.DNSServfail, netlab.Drop, netlab.DNSRefused}[rnd.IntN(3)]
		return []netlab.Rule{{Protocol: netlab.DNS, Addresses: resolver, Action: action, Position: 1, From: from, Until: to}}
	})
	add(lineEvery, time.Minute, 15*time.Minute, func(from, to time.Duration) []netlab.Rule {
		return []netlab.Rule{{Protocol: netlab.Any, Action: netlab.Drop, Direction: "both", From: from, Until: to}}
	})
	add(targetEvery, 5*time.Minute, 6*time.Hour, func(from, to time.Duration) []netlab.Rule {
		app := l.Apps[rnd.IntN(len(l.Apps))]
		return outage(rnd, w, app.Targets[rnd.IntN(len(app.Targets))], from, to)
	})
	add(edgeEvery, 5*time.Minute, 2*time.Hour, func(from, to time.Duration) (rules []netlab.Rule) {
		app := l.Apps[rnd.IntN(len(l.Apps))]
		for _, t := range app.Targets {
			rules = append(rules, outage(rnd, w, t, from, to)...)
		}
		return rules
	})
	return out
}

// outage is a target that is out, at all its addresses and whatever the name: it refuses, is mute, ends
// handshakes or resets them.
func outage(rnd *rand.Rand, w *netlab.World, t probe.Target, from, to time.Duration) []netlab.Rule {
	at := prefixes(w, t)
	rule := netlab.Rule{Addresses: at, Position: 1, From: from, Until: to}
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
	quic := netlab.Rule{Addresses: at, Position: 1, From: from, Until: to, Protocol: netlab.UDP, Action: netlab.Drop}
	return []netlab.Rule{rule, quic}
}

// prefixes are a target's addresses.
func prefixes(w *netlab.World, t probe.Target) []netip.Prefix {
	var out []netip.Prefix
	for _, host := range t.Hosts {
		for _, a := range w.Addresses(host) {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	for _, a := range t.Addresses {
		out = append(out, netip.PrefixFrom(a, a.BitLen()))
	}
	return out
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

// Add adds another run's counts.
func (r *NoiseReport) Add(o *NoiseReport) {
	r.Rounds, r.Visits, r.Troubles = r.Rounds+o.Rounds, r.Visits+o.Visits, r.Troubles+o.Troubles
	for s, n := range o.States {
		r.States[s] += n
	}
	for c, n := range o.False {
		r.False[c] += n
	}
	r.Worst = append(r.Worst, o.Worst...)
}

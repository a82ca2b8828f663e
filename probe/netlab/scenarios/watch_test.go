package scenarios_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// episode is what a daemon of the default configuration makes of a block of Telegram's web client, which sets in
// some time after the start. All times are from the onset on, and 0 is never.
type episode struct {
	first             measurements.Confidence // of the first finding
	likely, confirmed time.Duration
	passed            time.Duration // from the end of the block to the first success
	over              time.Duration // from there to the finding's end
	share             float64       // the most of a day that an address was under a penalty
	looks, visits     int           // of the web client's name while it is blocked: rounds in which it failed, and addresses
}

// onset is when the block sets in: the daemon knows the line by then.
const onset = 6 * time.Hour

// watch plays it: the whole daemon's loop, with plan, ledger, budget, history and pauses, in virtual time.
func watch(t *testing.T, seed uint64, rule netlab.Rule, length, watched time.Duration, until func(*episode) bool) (e episode) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config.Default()
		app := cfg.Apps[0]
		w, err := netlab.New(netlab.Options{Apps: []probe.App{app}, Controls: cfg.Controls, Trusted: cfg.Trusted, Seed: seed,
			Access: netlab.Link{Latency: 20 * time.Millisecond, Jitter: 10 * time.Millisecond}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.Close() }()
		rule.ID, rule.Protocol, rule.Names, rule.From, rule.Until = "block", netlab.TLS, []string{"web.telegram.org"}, onset, onset+length
		w.Network().Censor(rule)
		system, err := w.Host().ResolversOfSystem()
		if err != nil {
			t.Fatal(err)
		}
		daemon := &probe.Watch{Interval: cfg.Interval, Jitter: cfg.Jitter, Rand: rand.New(rand.NewPCG(seed, 9)), Plan: &probe.Plan{
			Host: w.Host(), Apps: w.Apps(app), Controls: cfg.Controls, System: system, Trusted: cfg.Trusted, Families: cfg.Families, Timeout: cfg.Timeout, Parallel: cfg.Parallel,
			Ledger: schedule.NewLedger(cfg.Residual), Budget: schedule.NewBudget(cfg.DailyBudget), Suspicion: &schedule.Suspicion{}, Spread: schedule.Spread(cfg.Interval),
		}}
		for start := time.Now(); time.Since(start) < onset+watched && (until == nil || !until(&e)); time.Sleep(daemon.Pause()) {
			round := daemon.Run(context.Background())
			verdict := daemon.Learn(&round)
			e.note(&round, &verdict, time.Since(start)-onset, length)
			e.share = max(e.share, daemon.Plan.Ledger.WorstShare())
		}
	})
	return e
}

// note takes a round in.
func (e *episode) note(round *measurements.Round, v *measurements.RoundVerdict, at, length time.Duration) {
	failed := map[string]bool{}
	for _, o := range round.Apps[0].Observations {
		if o.Target == "web" && o.Control == measurements.T && o.Operation == measurements.TLSHandshake && !o.OK() && at < length {
			failed[o.Endpoint] = true
		}
	}
	if len(failed) > 0 {
		e.looks++
		e.visits += len(failed)
	}
	for _, target := range v.Apps[0].Targets {
		for _, l := range target.Layers {
			if target.Target != "web" || l.Layer != measurements.LayerTLS || l.Family != measurements.IPv4 {
				continue
			}
			if l.State == measurements.Blocked {
				e.found(l.Confidence, at)
			}
			if l.State == measurements.OK && at > length && e.passed == 0 {
				e.passed = at - length
			}
		}
	}
	for _, s := range v.Ended {
		if s.Target == "web" && s.Family == measurements.IPv4 && at > length && e.over == 0 {
			e.over = at - length - e.passed
		}
	}
}

func (e *episode) found(c measurements.Confidence, at time.Duration) {
	if e.first == "" {
		e.first = c
	}
	if c != measurements.Suspected && e.likely == 0 {
		e.likely = at
	}
	if c == measurements.Confirmed && e.confirmed == 0 {
		e.confirmed = at
	}
}

// seeds are the daemons that are asked: of n a third, by chance, where not everything is tried. Their subtests bear
// their numbers.
func seeds(n int) (out []uint64) {
	for _, seed := range rand.Perm(n) {
		out = append(out, uint64(seed))
	}
	if testing.Short() || !exhaustive() {
		return out[:n/3]
	}
	return out
}

// A hard reset by name is likely at the first look and confirmed within three hours, in the whole daemon; while it
// stands, each address is looked at seldom enough, and often enough that the end is seen within hours,
// whenever it comes.
func TestAHardResetIsConfirmedInTime(t *testing.T) {
	onceIsEnough(t)
	for _, seed := range seeds(6) {
		length := time.Duration(5+5*seed) * time.Hour // so that ends come at all times of day
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			e := watch(t, seed, netlab.Rule{Action: netlab.Reset}, length, length+14*time.Hour, func(e *episode) bool { return e.over > 0 })
			t.Logf("a block of %v: %+v", length, e)
			if e.first != measurements.Likely || e.likely > time.Hour {
				t.Errorf("first %s, likely after %v", e.first, e.likely)
			}
			if e.confirmed == 0 || e.confirmed > 3*time.Hour {
				t.Errorf("confirmed after %v", e.confirmed)
			}
			if e.passed == 0 || e.passed > 5*time.Hour {
				t.Errorf("the end was seen after %v", e.passed)
			}
			if e.over == 0 || e.over > 12*time.Hour {
				t.Errorf("it was over %v after that", e.over)
			}
			if e.share > 0.05 {
				t.Errorf("an address was under a penalty for %.3f of a day", e.share)
			}
		})
	}
}

// partly is a block of a quarter of the handshakes, watched until it is likely.
func partly(t *testing.T, action netlab.Action, seed uint64) episode {
	return watch(t, seed, netlab.Rule{Action: action, Probability: 0.26}, 48*time.Hour, 25*time.Hour, func(e *episode) bool { return e.likely > 0 })
}

// overdue says whether it took more than a day.
func (e *episode) overdue() bool { return e.likely == 0 || e.likely > 24*time.Hour }

// others are the daemons that are asked where one was late, and mostOverdue how many of them may be. Chance lets a quarter of
// the handshakes pass for a day once in some hundred plays (one of 209, by silence); of so many others more are late once in
// some 10,000 of those, and mostly where every third is.
const (
	others      = 20
	mostOverdue = 3
)

// A block of a quarter of the handshakes is likely within a day, by resets and by silence.
func TestAPartialBlockIsLikelyWithinADay(t *testing.T) {
	onceIsEnough(t)
	for _, action := range []netlab.Action{netlab.Reset, netlab.Drop} {
		for _, seed := range seeds(3) {
			t.Run(fmt.Sprint(action, seed), func(t *testing.T) {
				t.Parallel()
				e := partly(t, action, seed)
				t.Logf("%+v", e)
				if e.share > 0.05 {
					t.Errorf("an address was under a penalty for %.3f of a day", e.share)
				}
				if !e.overdue() {
					return
				}
				t.Logf("likely after %v; %d others are asked", e.likely, others)
				var late atomic.Int32
				side(others, func(i int) {
					if e := partly(t, action, 100*(seed+1)+uint64(i)); e.overdue() {
						late.Add(1)
					}
				})
				if n := late.Load(); n > mostOverdue {
					t.Errorf("likely after %v, and later than a day in %d of %d others", e.likely, n, others)
				}
			})
		}
	}
}

// Visits begin all over the time for which a round may spread them, what is under suspicion within the first minute,
// while what the gate said is fresh; and a round that is told to stop does so at once.
func TestVisitsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config.Default()
		w, err := netlab.New(netlab.Options{Apps: cfg.Apps, Controls: cfg.Controls, Trusted: cfg.Trusted})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.Close() }()
		plan := &probe.Plan{Host: w.Host(), Apps: w.Apps(cfg.Apps...), Controls: cfg.Controls, Trusted: cfg.Trusted, Families: cfg.Families, Timeout: cfg.Timeout, Parallel: cfg.Parallel,
			Spread: schedule.Spread(cfg.Interval), Suspicion: &schedule.Suspicion{}}
		plan.Suspicion.Suspect("telegram/web")
		plan.Suspicion.Suspect("line/web")
		round := plan.Run(context.Background())
		byMinute := map[time.Duration]int{}
		for _, m := range round.Apps {
			seen := map[string]bool{}
			for _, o := range m.Observations {
				if seen[o.Target] || o.Control != measurements.T {
					continue
				}
				seen[o.Target] = true
				at := o.Started.Sub(round.Started).Truncate(time.Minute)
				byMinute[at]++
				if o.Target == "web" && (m.App == "telegram" || m.App == "line") && at > time.Minute {
					t.Errorf("%s/%s is under suspicion, and was visited after %v", m.App, o.Target, at)
				}
			}
		}
		if byMinute[0] == 0 || byMinute[4*time.Minute] == 0 || len(byMinute) < 5 {
			t.Errorf("visits began so: %v", byMinute)
		}
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		began := time.Now()
		if plan.Run(ctx); time.Since(began) > time.Minute+time.Second {
			t.Errorf("told to stop after a minute, it took %v", time.Since(began))
		}
	})
}

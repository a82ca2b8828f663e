package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
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
	// Rounds, if set, ends it after so many: a week takes a minute.
	Rounds int
}

// NoiseReport counts what was found in it.
type NoiseReport struct {
	Rounds, Visits int // a visit is one target in one round
	Time           time.Duration
	Troubles       int
	States         map[measurements.State]int
	// False findings, each (place, signature) once a day, by confidence.
	False map[measurements.Confidence]int
	// Worst says where and why, for findings that were likely at least.
	Worst []string
	// History is what the daemon knows at the end, as it would be stored: of one run, not of a sum.
	History []byte
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
	until := time.Duration(n.Weeks) * 7 * 24 * time.Hour
	d, err := l.daemon(n, until)
	if err != nil {
		return r, err
	}
	r.Troubles = len(d.troubles)
	seen := map[string]time.Time{}
	err = d.live(func() bool {
		return time.Since(d.start) < until && ctx.Err() == nil && (n.Rounds == 0 || r.Rounds < n.Rounds)
	}, func(v *measurements.RoundVerdict) {
		r.count(v, seen, n.Seed, v.Started.Sub(d.start))
	})
	if err != nil {
		return r, err
	}
	r.Time = time.Since(d.start)
	r.History, err = json.Marshal(&d.watch.History)
	return r, err
}

// daemon is one that watches such a network.
type daemon struct {
	world    *netlab.World
	watch    *probe.Watch
	troubles []trouble
	start    time.Time
}

// daemon sets one up, for so long. It is over after live.
func (l *Lab) daemon(n Noise, until time.Duration) (*daemon, error) {
	rnd := rand.New(rand.NewPCG(n.Seed, 0))
	world, err := netlab.New(netlab.Options{
		Apps: append(slices.Clone(l.Apps), l.Placebo), Controls: l.Controls, Trusted: l.Trusted, Seed: n.Seed, Jitter: 10 * time.Millisecond,
		Access: netlab.Link{Latency: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: n.Loss, Burst: n.Burst},
	})
	if err != nil {
		return nil, err
	}
	plan, err := l.plan(&Scenario{}, l.Apps, world)
	if err != nil {
		return nil, errors.Join(err, world.Close())
	}
	plan.Thorough, plan.Suspicion, plan.Placebo, plan.Spread = false, &schedule.Suspicion{}, l.Placebo, schedule.Spread(meanInterval)
	troubles := l.troubles(rnd, until)
	return &daemon{world, &probe.Watch{Plan: plan, Interval: meanInterval, Jitter: 0.5, Rand: rnd}, troubles, time.Now()}, nil
}

// live makes rounds, tells of each verdict, and ends the world when no more are wanted.
func (d *daemon) live(more func() bool, tell func(*measurements.RoundVerdict)) error {
	ctx, stop := context.WithCancel(context.Background())
	played := make(chan error, 1)
	go func() { played <- play(ctx, d.world, d.troubles) }()
	for more() {
		round := d.watch.Run(ctx)
		verdict := d.watch.Learn(&round)
		tell(&verdict)
		time.Sleep(d.watch.Pause())
	}
	stop()
	return errors.Join(<-played, d.world.Close())
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

// Add adds another run's counts.
func (r *NoiseReport) Add(o *NoiseReport) {
	r.Rounds, r.Visits, r.Troubles, r.Time = r.Rounds+o.Rounds, r.Visits+o.Visits, r.Troubles+o.Troubles, r.Time+o.Time
	for s, n := range o.States {
		r.States[s] += n
	}
	for c, n := range o.False {
		r.False[c] += n
	}
	r.Worst = append(r.Worst, o.Worst...)
}

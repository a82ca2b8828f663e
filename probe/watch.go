package probe

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// Watch makes rounds one after the other and learns from each: what `run` does for months, and what tests and
// `lab noise` do in virtual time. One goroutine uses it; Replace alone may be called from any.
type Watch struct {
	Plan    *Plan
	History measurements.History
	// Interval is the mean time from the start of a round to that of the next, and Jitter the share of it
	// that is left to chance (schedule.Next).
	Interval time.Duration
	Jitter   float64
	// Rand draws the pauses; nil is the process's own generator.
	Rand *rand.Rand

	begun   bool // a round was made
	started time.Time

	mu   sync.Mutex
	next *replacement
}

// replacement is another plan, and its pace.
type replacement struct {
	plan     *Plan
	interval time.Duration
	jitter   float64
}

// Replace takes another plan, and another pace, from the end of the running round on. What the plan before remembers goes
// over: what rests, what was spent, what is suspected, whose turn it is.
func (w *Watch) Replace(next *Plan, interval time.Duration, jitter float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next = &replacement{next, interval, jitter}
}

// adopt puts the plan in place that was given meanwhile.
func (w *Watch) adopt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next != nil {
		w.next.plan.inherit(w.Plan)
		w.Plan, w.Interval, w.Jitter, w.next = w.next.plan, w.next.interval, w.next.jitter, nil
	}
}

// Run makes a round. The first one's visits begin at once: who has just started the program looks at the page.
func (w *Watch) Run(ctx context.Context) measurements.Round {
	w.adopt()
	spread := w.Plan.Spread
	if !w.begun {
		w.Plan.Spread = 0
	}
	w.started = time.Now()
	round := w.Plan.Run(ctx)
	w.Plan.Spread, w.begun = spread, true
	return round
}

// Skip lets a round that was due pass.
func (w *Watch) Skip() { w.started = time.Now() }

// Learn judges a round and takes it in.
func (w *Watch) Learn(round *measurements.Round) measurements.RoundVerdict {
	verdict := measurements.Judge(round, &w.History)
	w.History.Learn(round, &verdict)
	Suspect(w.Plan.Suspicion, &verdict, &w.History)
	w.Plan.Rotation = w.Plan.Rotation.Next()
	return verdict
}

// Pause is the time from now until the next round: sooner than usual where something began to fail lately
// and is not confirmed yet.
func (w *Watch) Pause() time.Duration {
	w.adopt()
	now := time.Now()
	next := w.started.Add(schedule.Next(w.Interval, w.Jitter, w.Rand))
	if ledger := w.Plan.Ledger; ledger != nil && ledger.Residual() > 0 {
		if soon := w.Plan.Suspicion.Soon(w.History.Suspected(now), ledger, w.Rand); !soon.IsZero() && soon.Before(next) {
			next = soon
		}
	}
	return max(next.Sub(now), w.Interval/leastPause)
}

// leastPause is the part of the interval that passes between rounds even where the last one was long. Chosen by us.
const leastPause = 4

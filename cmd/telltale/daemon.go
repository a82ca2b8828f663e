package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/metrics"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/measurements/web"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// daemon makes rounds, judges and keeps them, and shows the last one. `run` and `demo` are two
// daemons on two internets.
type daemon struct {
	log     zerolog.Logger
	store   *store.Store
	metrics *metrics.Metrics
	every   func() time.Duration // until the next round
	begun   bool                 // a round was made since the start
	push    *pusher              // nil: nothing is pushed
	// judged is told of every round.
	judged func(*measurements.Round, *measurements.RoundVerdict)

	mu      sync.Mutex
	plan    *probe.Plan
	history measurements.History
	view    web.View
}

// The names of what is kept over restarts, beside the evidence.
const (
	stateHistory = "history"
	stateMetrics = "metrics"
	stateLedger  = "ledger"
	stateBudget  = "budget"
	stateEpoch   = "epoch"
)

// settleTime is how long after the last step's timeout a round's memory goes back to the system: a small
// machine has use for it in the quarter of an hour that follows. Not at once: the runtime keeps stopped
// timers until they would have fired, and by them each step's connection.
const settleTime = 5 * time.Second

// loop makes rounds until ctx ends. A round that is cut short is kept as far as it came.
func (d *daemon) loop(ctx context.Context) {
	for ctx.Err() == nil {
		d.round(ctx)
		pause := d.pause()
		d.mu.Lock()
		d.view.NextRound = time.Now().Add(pause)
		settled := d.plan.Timeout + settleTime
		d.mu.Unlock()
		timer, free := time.NewTimer(pause), time.AfterFunc(settled, debug.FreeOSMemory)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		free.Stop()
	}
}

// freshness is how long after a failure the next visits come sooner. Chosen by us: long enough to
// confirm what a first look made likely (measurements/sequential.go).
const freshness = 3 * time.Hour

// pause is the time until the next round: sooner where something began to fail lately, and is not
// confirmed yet, but never within the residual time.
func (d *daemon) pause() time.Duration {
	usual := d.every()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.plan.Ledger == nil || d.plan.Ledger.Residual() == 0 {
		return usual
	}
	now := time.Now()
	for _, s := range d.history.Suspected(now) {
		if s.Confidence != measurements.Confirmed && now.Sub(s.Onset) < freshness {
			return min(usual, schedule.Soon(d.plan.Ledger.Residual(), nil))
		}
	}
	return usual
}

func (d *daemon) round(ctx context.Context) {
	d.mu.Lock()
	plan := d.plan
	d.view.Running = true
	d.mu.Unlock()

	spread := plan.Spread
	if !d.begun {
		plan.Spread = 0 // who has just started it looks at the page
	}
	round := plan.Run(ctx)
	d.mu.Lock()
	plan.Spread, d.begun = spread, true
	verdict := measurements.Judge(&round, &d.history)
	d.history.Learn(&round, &verdict)
	probe.Suspect(plan.Suspicion, &verdict, &d.history)
	plan.Rotation = plan.Rotation.Next()
	d.view.Running, d.view.Verdict, d.view.LastRound = false, &verdict, time.Now()
	d.mu.Unlock()

	d.metrics.Observe(round, verdict)
	d.metrics.PenaltyShare(plan.Ledger.WorstShare())
	d.keep(&round, &verdict)
	d.log.Info().Str("round", round.ID).Float64("seconds", verdict.DurationSeconds).Str("network", string(verdict.Network.State)).Msg("round judged")
	if d.judged != nil {
		d.judged(&round, &verdict)
	}
}

// keep writes the evidence, and what the next start must know. A store that fails costs evidence,
// never the daemon.
func (d *daemon) keep(round *measurements.Round, verdict *measurements.RoundVerdict) {
	if d.store == nil {
		return
	}
	d.mu.Lock()
	history, err := json.Marshal(&d.history) // before the page, which waits for the lock, waits for the disk
	k := store.Kept{Round: *round, Verdict: *verdict, States: map[string]any{
		stateHistory: json.RawMessage(history), stateMetrics: d.metrics.State(), stateLedger: d.plan.Ledger.Snapshot(), stateBudget: d.plan.Budget.Snapshot(),
	}}
	d.mu.Unlock()
	if err != nil {
		delete(k.States, stateHistory)
	}
	err = errors.Join(d.push.with(round, &k, d.store.Keep), err)
	d.metrics.StoreSize(d.store.Size())
	if err != nil {
		d.log.Error().Err(err).Msg("evidence could not be kept")
	}
}

// restore reads what an earlier run kept. What can't be read is said, and forgotten.
func (d *daemon) restore() {
	var (
		state  metrics.State
		ledger []schedule.Entry
		budget schedule.BudgetState
	)
	for name, to := range map[string]any{stateHistory: &d.history, stateMetrics: &state, stateLedger: &ledger, stateBudget: &budget} {
		if err := d.store.LoadState(name, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.log.Warn().Err(err).Str("state", name).Msg("what an earlier run kept can't be read")
		}
	}
	d.plan.EpochKey = d.epochKey()
	d.metrics.Restore(state)
	d.plan.Ledger.Restore(ledger)
	d.metrics.PenaltyShare(d.plan.Ledger.WorstShare())
	d.plan.Budget.Restore(budget)
	probe.Resuspect(d.plan.Suspicion, &d.history)
}

// epochKey reads the key of the epochs' names, and makes one where there is none: without it the networks
// of an earlier run would not be known again.
func (d *daemon) epochKey() []byte {
	key, err := storedEpochKey(d.store)
	if err == nil {
		return key
	}
	if !errors.Is(err, fs.ErrNotExist) {
		d.log.Warn().Err(err).Msg("the key of the networks' names can't be read: their histories start anew")
	}
	key = probe.NewEpochKey()
	if err := d.store.SaveKey(stateEpoch, key); err != nil {
		d.log.Error().Err(err).Msg("the key of the networks' names could not be kept")
	}
	return key
}

// epochKeyLength is that of the keys that we make; a shorter one could be searched for.
const epochKeyLength = 32

func storedEpochKey(s *store.Store) (key []byte, err error) {
	if err := s.LoadKey(stateEpoch, &key); err != nil {
		return nil, err
	}
	if len(key) != epochKeyLength {
		return nil, fmt.Errorf("store: state %s: a key of %d bytes", stateEpoch, len(key))
	}
	return key, nil
}

// reload takes another configuration in, from the next round on. Counters, ledger and budget stay.
func (d *daemon) reload(cfg *config.Config, host probe.Host) error {
	plan, err := newPlan(cfg, host)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	plan.Ledger.Restore(d.plan.Ledger.Snapshot())
	plan.Budget.Restore(d.plan.Budget.Snapshot())
	plan.Suspicion, plan.Rotation, plan.EpochKey = d.plan.Suspicion, d.plan.Rotation, d.plan.EpochKey
	d.metrics.Configure(metricsOptions(cfg))
	d.plan = plan
	d.view.Consent = !cfg.Consent.IsZero()
	return nil
}

// show is what the page shows.
func (d *daemon) show() web.View {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.view
}

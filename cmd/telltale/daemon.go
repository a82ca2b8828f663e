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
	watch   *probe.Watch
	push    *pusher // nil: nothing is pushed
	// judged is told of every round.
	judged func(*measurements.Round, *measurements.RoundVerdict)

	mu   sync.Mutex
	view web.View
}

// The names of what is kept over restarts, beside the evidence.
const (
	stateHistory = "history"
	stateMetrics = "metrics"
	stateLedger  = "ledger"
	stateBudget  = "budget"
	stateTurns   = "turns"
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
		pause, settled := d.watch.Pause(), d.watch.Plan.Timeout+settleTime
		d.mu.Lock()
		d.view.NextRound = time.Now().Add(pause)
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

func (d *daemon) round(ctx context.Context) {
	d.mu.Lock()
	d.view.Running = true
	d.mu.Unlock()

	round := d.watch.Run(ctx)
	verdict := d.watch.Learn(&round)
	d.mu.Lock()
	d.view.Running, d.view.Verdict, d.view.LastRound = false, &verdict, time.Now()
	d.mu.Unlock()

	d.metrics.Observe(round, verdict)
	d.metrics.PenaltyShare(d.watch.Plan.Ledger.WorstShare())
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
	plan := d.watch.Plan
	history, err := json.Marshal(&d.watch.History)
	k := store.Kept{Round: *round, Verdict: *verdict, States: map[string]any{
		stateHistory: json.RawMessage(history), stateMetrics: d.metrics.State(), stateLedger: plan.Ledger.Snapshot(), stateBudget: plan.Budget.Snapshot(), stateTurns: plan.Memory(),
	}}
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
		turns  *probe.Memory
	)
	for name, to := range map[string]any{stateHistory: &d.watch.History, stateMetrics: &state, stateLedger: &ledger, stateBudget: &budget, stateTurns: &turns} {
		if err := d.store.LoadState(name, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.log.Warn().Err(err).Str("state", name).Msg("what an earlier run kept can't be read")
		}
	}
	plan := d.watch.Plan
	plan.EpochKey = d.epochKey()
	d.metrics.Restore(state)
	plan.Ledger.Restore(ledger)
	d.metrics.PenaltyShare(plan.Ledger.WorstShare())
	plan.Budget.Restore(budget)
	plan.Recall(turns)
	probe.Resuspect(plan.Suspicion, &d.watch.History)
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
	d.watch.Replace(plan, cfg.Interval, cfg.Jitter)
	d.metrics.Configure(metricsOptions(cfg))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.view.Consent = !cfg.Consent.IsZero()
	return nil
}

// show is what the page shows.
func (d *daemon) show() web.View {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.view
}

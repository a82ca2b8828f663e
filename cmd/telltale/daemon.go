package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/metrics"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/measurements/web"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/privacy"
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
	// learnt is what rounds have found out about the volunteer, for the log to leave out.
	learnt atomic.Pointer[privacy.Own]

	// changed wakes the loop after a reload; nil: there are none.
	changed chan struct{}

	mu   sync.Mutex
	cut  context.CancelFunc // ends the round in progress; nil between rounds
	view web.View           // its Consent is what rounds are made by
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

// loop makes rounds until ctx ends. A round that is cut short is kept as far as it came. Without consent a round
// that is due is skipped, and the first one after consent comes at once.
func (d *daemon) loop(ctx context.Context) {
	for ctx.Err() == nil {
		agreed := d.round(ctx)
		free := time.AfterFunc(d.watch.Plan.Timeout+settleTime, giveBack)
		d.wait(ctx, agreed)
		free.Stop()
	}
}

// wait returns when the next round is due; had says whether there was consent to the last one.
func (d *daemon) wait(ctx context.Context, had bool) {
	due := time.Now().Add(d.watch.Pause())
	interval, jitter := d.watch.Interval, d.watch.Jitter
	for {
		has := d.promise(due)
		if has && !had {
			return
		}
		had = has
		timer := time.NewTimer(time.Until(due))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			return
		case <-d.changed:
			timer.Stop()
		}
		sooner := time.Now().Add(d.watch.Pause()) // which takes the other plan in
		if paced := d.watch.Interval == interval && d.watch.Jitter == jitter; !paced && sooner.Before(due) {
			due = sooner
		}
		interval, jitter = d.watch.Interval, d.watch.Jitter
	}
}

// promise tells the page when the next round is due, and says whether it will be made.
func (d *daemon) promise(due time.Time) (consent bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.view.NextRound = due
	return d.view.Consent
}

// begin says whether a round may be made, which end cuts short: nobody may have agreed to one.
func (d *daemon) begin(end context.CancelFunc) (agreed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.view.Consent {
		d.view.Running, d.cut = true, end
	}
	return d.view.Consent
}

// withdraw ends the round in progress, and makes none from now on.
func (d *daemon) withdraw() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.view.Consent {
		d.log.Warn().Msg("consent was withdrawn: nothing is measured until it is given again")
	}
	d.view.Consent = false
	if d.cut != nil {
		d.cut()
	}
}

// round makes a round, keeps and shows it, and says whether there was consent to it.
func (d *daemon) round(ctx context.Context) (agreed bool) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	if !d.begin(end) {
		d.metrics.RoundSkipped(metrics.SkipConsent)
		d.watch.Skip()
		return false
	}

	round := d.watch.Run(ctx)
	d.learnt.Store(d.watch.Plan.Learnt())
	verdict := d.watch.Learn(&round)
	d.mu.Lock()
	d.cut = nil
	d.view.Running, d.view.Verdict, d.view.LastRound = false, &verdict, time.Now()
	d.mu.Unlock()

	d.tellUnknown(&round)
	d.metrics.Observe(round, verdict)
	d.metrics.PenaltyShare(d.watch.Plan.Ledger.WorstShare())
	d.keep(&round, &verdict)
	d.log.Info().Str("round", round.ID).Float64("seconds", verdict.DurationSeconds).Str("network", string(verdict.Network.State)).Msg("round judged")
	if d.judged != nil {
		d.judged(&round, &verdict)
	}
	return true
}

// tellUnknown logs failures that have no word, each text once: a step of ours may have a bug.
func (d *daemon) tellUnknown(round *measurements.Round) {
	said := map[measurements.Failure]bool{}
	for _, m := range append([]measurements.Measurement{round.Gate}, round.Apps...) {
		for i := range m.Observations {
			o := &m.Observations[i]
			if !o.Failure.IsUnknown() || said[o.Failure] || len(said) == mostSaid {
				continue
			}
			said[o.Failure] = true
			d.log.Warn().Str("app", m.App).Str("target", o.Target).Str("step", string(o.Operation)).Str("failure", string(o.Failure)).Msg("a step failed in a way that has no word")
		}
	}
}

// mostSaid bounds the lines that a round's unknown failures get in the log. Chosen by us.
const mostSaid = 8

// keep writes the evidence, and what the next start must know. A store that fails costs evidence,
// never the daemon.
func (d *daemon) keep(round *measurements.Round, verdict *measurements.RoundVerdict) {
	if d.store == nil {
		return
	}
	plan := d.watch.Plan
	history, err := json.Marshal(&d.watch.History)
	k := store.Kept{Round: *round, Verdict: *verdict, States: map[string]any{
		stateHistory: json.RawMessage(history), stateMetrics: d.metrics.State(), stateLedger: plan.Resting(), stateBudget: plan.Budget.Snapshot(), stateTurns: plan.Memory(),
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

// reload takes another configuration in, from the next round on. Counters stay; what the round in progress still adds
// to ledger and budget goes over to the next one.
//
// Consent that is gone ends the round in progress, whatever else the configuration holds.
func (d *daemon) reload(cfg *config.Config, host probe.Host) error {
	if cfg.Consent.IsZero() {
		d.withdraw()
	}
	plan, err := newPlan(cfg, host)
	if err != nil {
		return err
	}
	if d.store != nil {
		d.store.SetBounds(cfg.Retention, cfg.MaxSize)
	}
	d.watch.Replace(plan, cfg.Interval, cfg.Jitter)
	d.metrics.Configure(metricsOptions(cfg))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.view.Consent = !cfg.Consent.IsZero()
	select {
	case d.changed <- struct{}{}:
	default: // the loop is told already, or there is none
	}
	return nil
}

// show is what the page shows.
func (d *daemon) show() web.View {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.view
}

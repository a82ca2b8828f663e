package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os/signal"
	"slices"
	"syscall"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// onceCmd makes one round now.
type onceCmd struct {
	Format string   `enum:"table,json,ooni" default:"table" help:"One of ${enum}."`
	App    []string `placeholder:"ID" help:"Only this app. Repeatable."`
}

// Run makes one thorough round: control N before every target, both shapes of hello.
func (o *onceCmd) Run(c *cli, t terminal) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if err := only(cfg, o.App); err != nil { // wrong usage, with and without consent
		return err
	}
	if cfg.Consent.IsZero() {
		return errors.New("nothing is measured without consent: 'telltale consent' says what running this means, and records your answer")
	}
	host := realHost(cfg)
	plan, err := newPlan(cfg, host)
	if err != nil {
		return err
	}
	history := stored(cfg, plan, c.logger(t.err, cfg, nil))
	plan.Rotation = schedule.Rotation(rand.Uint32())          // what goes round in turns goes on from one `once` to the next by chance
	plan.Thorough, plan.Spread, plan.VolumeEvery = true, 0, 0 // who waits wants it now; what takes days to tell is the daemon's
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if isTerminal(t.err) && !c.Quiet {
		_, _ = fmt.Fprintf(t.err, "measuring %d apps …\n", len(plan.Apps))
	}
	round := plan.Run(ctx)
	verdict := measurements.Judge(&round, history)
	if err := o.print(t, &round, &verdict); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errors.New("stopped before the round was over; what was seen until then is above")
	}
	return nil
}

// only keeps the apps that were asked for.
func only(cfg *config.Config, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	var have []string
	for _, a := range cfg.Apps {
		have = append(have, a.ID)
	}
	for _, id := range ids {
		if !slices.Contains(have, id) {
			return usagef("--app=%s: no such app; enabled are %v", id, have)
		}
	}
	cfg.Placebo.Targets = nil
	cfg.Apps = slices.DeleteFunc(cfg.Apps, func(a probe.App) bool { return !slices.Contains(ids, a.ID) })
	return nil
}

// stored is the history of a daemon on this machine; nil where there is none. The plan gets what it remembers, and
// the key by which it names networks. What is there and can't be read is said: rules say less without it.
func stored(cfg *config.Config, plan *probe.Plan, log zerolog.Logger) *measurements.History {
	tell := func(err error) {
		if !errors.Is(err, fs.ErrNotExist) {
			log.Warn().Err(err).Msg("what this machine's daemon has learnt can't be read; this round is judged without it")
		}
	}
	kept, err := store.Open(cfg.StorePath, store.Options{ReadOnly: true})
	if err != nil {
		tell(err)
		return nil
	}
	defer func() { _ = kept.Close() }()
	var h measurements.History
	if err := kept.LoadState(stateHistory, &h); err != nil {
		tell(err)
		return nil
	}
	var turns *probe.Memory
	if kept.LoadState(stateTurns, &turns) == nil {
		plan.Recall(turns)
	}
	if key, err := storedEpochKey(kept); err == nil {
		plan.EpochKey = key
	}
	return &h
}

func (o *onceCmd) print(t terminal, round *measurements.Round, verdict *measurements.RoundVerdict) error {
	switch o.Format {
	case "json":
		e := json.NewEncoder(t.out)
		e.SetEscapeHTML(false)
		return e.Encode(verdict)
	case "ooni":
		for _, m := range append([]measurements.Measurement{round.Gate}, round.Apps...) {
			line, err := ooni.Record(m)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(t.out, "%s\n", line); err != nil {
				return err
			}
		}
		return nil
	}
	printTable(t.out, verdict)
	return nil
}

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/measurements/web"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
)

// demoCmd is the whole daemon on an emulated internet.
type demoCmd struct {
	Once bool `help:"Two rounds, before and after the onset; print the verdicts and end."`
}

const (
	demoTimeout = time.Second // of a step: nobody wants to watch ten seconds of silence
	// demoParallel is more than a household's line should bear: here nobody's line bears it.
	demoParallel = 32
	demoPause    = 4 * time.Second // from round to round
	// demoOnset is when the composite scenario's rules set in, and a little more.
	demoOnset = 5200 * time.Millisecond
)

// demoConfig is the default one, in a hurry. It has no daily budget: the demo makes a day's rounds in
// a quarter of an hour, and nothing of them crosses a wire.
func demoConfig() *config.Config {
	cfg := config.Default()
	cfg.Timeout, cfg.Residual, cfg.Parallel, cfg.DailyBudget, cfg.Consent = demoTimeout, 0, demoParallel, 0, time.Now()
	return cfg
}

// Run serves metrics and the page of a daemon that measures the emulated internet. It never touches
// the real store or config, and opens no socket but that of the page.
func (d *demoCmd) Run(c *cli, t terminal) error {
	scenario, err := scenarios.Demo()
	if err != nil {
		return err
	}
	cfg := demoConfig()
	world, err := newLab().World(&scenario)
	if err != nil {
		return err
	}
	defer func() { _ = world.Close() }()
	cfg.Apps = world.Apps(cfg.Apps...)
	dir, cleanup, err := demoStore(c.StorePath)
	if err != nil {
		return err
	}
	defer cleanup()
	listener, err := demoListener(c.ListenAddress, cfg.Listen)
	if err != nil {
		return err
	}
	address := "http://" + listener.Addr().String()
	_, _ = fmt.Fprintf(t.out, "An emulated internet: nothing leaves this machine.\n%s\nmetrics: %s/metrics  page: %s/\n\n", wrap("", scenario.Sentence, tableWidth), address, address)

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return d.serve(ctx, c, t, cfg, world, dir, listener, address)
}

func (d *demoCmd) serve(ctx context.Context, c *cli, t terminal, cfg *config.Config, world *netlab.World, dir string, listener web.Listener, address string) error {
	log := c.logger(t.err)
	if c.LogLevel == "info" {
		log = log.Level(zerolog.WarnLevel) // the table says what the rounds found
	}
	counted := newMetrics(cfg)
	kept, err := store.Open(dir, storeOptions(cfg, log, counted))
	if err != nil {
		return err
	}
	defer func() { _ = kept.Close() }()
	plan, err := newPlan(cfg, world.Host())
	if err != nil {
		return err
	}
	plan.Thorough, plan.Spread, plan.VolumeEvery = true, 0, 0 // what takes days to tell is the daemon's
	demon := &daemon{log: log, store: kept, metrics: counted, watch: &probe.Watch{Plan: plan, Interval: demoPause}}
	demon.metrics.RegisterSelf()
	demon.view = web.View{Version: version, Consent: true}
	server := web.New(web.Config{View: demon.show, Gatherer: demon.metrics, Registerer: demon.metrics.Registerer(), Log: log})

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	var served error
	wg.Go(func() { served = server.Serve(ctx, listener) })
	if d.Once {
		d.twice(ctx, demon, world.Network().Start(), t)
		if ctx.Err() == nil {
			_, _ = fmt.Fprintf(t.out, "\nThe metrics were at %s/metrics while it ran.\n", address)
		}
	} else {
		demon.judged = func(_ *measurements.Round, v *measurements.RoundVerdict) { showRound(t, v, address) }
		demon.loop(ctx)
	}
	stop()
	wg.Wait()
	return served
}

// twice makes a round on the clean line, so that the history knows it, and one after the onset.
func (d *demoCmd) twice(ctx context.Context, demon *daemon, start time.Time, t terminal) {
	demon.round(ctx)
	timer := time.NewTimer(time.Until(start.Add(demoOnset)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return
	}
	demon.round(ctx)
	if v := demon.show().Verdict; v != nil {
		printTable(t.out, v)
	}
}

// showRound redraws the table on a terminal; piped, it writes a plain line for each app and finding.
func showRound(t terminal, v *measurements.RoundVerdict, address string) {
	if isTerminal(t.out) {
		_, _ = fmt.Fprint(t.out, "\x1b[H\x1b[2J") // home, erase display (ECMA-48)
		printBrief(t.out, v)
		_, _ = fmt.Fprintf(t.out, "\nmetrics: %s/metrics   Ctrl-C ends the demo\n", address)
		return
	}
	at := v.Started.UTC().Format(time.TimeOnly)
	for _, app := range v.Apps {
		_, _ = fmt.Fprintf(t.out, "%s %s %s\n", at, app.App, app.State)
		for _, target := range app.Targets {
			for _, l := range target.Layers {
				if l.State != measurements.OK {
					_, _ = fmt.Fprintf(t.out, "%s %s %s %s %s %s %s %s\n", at, app.App, target.Target, l.Layer, l.Family, l.State, l.Signature, l.Confidence)
				}
			}
		}
	}
}

// demoStore is a temporary store, unless one is named.
func demoStore(path string) (dir string, cleanup func(), err error) {
	if path != "" {
		return path, func() {}, nil
	}
	dir, err = os.MkdirTemp("", "telltale-demo-")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}

// demoListener takes the address that was asked for; without one, 9877 or the next free port.
func demoListener(asked []string, standard string) (web.Listener, error) {
	if len(asked) > 0 {
		return web.Listen(asked[0], 1)
	}
	return web.Listen(standard, 100)
}

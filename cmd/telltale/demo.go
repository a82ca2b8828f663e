package main

import (
	"context"
	"errors"
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
	demoPause    = 4 * time.Second // from the start of a round to that of the next
	// demoOnset is when the composite scenario's rules set in, and a little more.
	demoOnset = 5200 * time.Millisecond

	// demoOnce is how long --once may take, and demoClean its first round: on a machine that is too busy for two
	// whole rounds it prints what it has.
	demoOnce  = 13 * time.Second
	demoClean = 6 * time.Second
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
	if mistakes := c.mistakes(); len(mistakes) > 0 {
		return mistakes
	}
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
	_, _ = fmt.Fprintf(t.out, "An emulated internet: nothing leaves this machine.\n%s\nmetrics: %s/metrics  page: %s/\n(telltale_blocking and its timestamps show after the second round)\n\n", wrap("", scenario.Sentence, tableWidth), address, address)

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return d.serve(ctx, c, t, cfg, world, dir, listener, address)
}

func (d *demoCmd) serve(ctx context.Context, c *cli, t terminal, cfg *config.Config, world *netlab.World, dir string, listener web.Listener, address string) error {
	demon := &daemon{}
	log := c.logger(t.err, cfg, demon.learnt.Load)
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
	demon.log, demon.store, demon.metrics, demon.watch = log, kept, counted, &probe.Watch{Plan: plan, Interval: demoPause}
	demon.metrics.RegisterSelf()
	demon.view = web.View{Version: version, Consent: true}
	server := web.New(web.Config{View: demon.show, Gatherer: demon.metrics, Registerer: demon.metrics.Registerer(), Evidence: kept, Log: log})

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	var stopped, served error
	wg.Go(func() { served = server.Serve(ctx, listener) })
	unfold := delayed(world.Network())
	if d.Once {
		demon.judged = func(*measurements.Round, *measurements.RoundVerdict) { unfold(demoOnset) }
		d.twice(ctx, demon, t)
		if ctx.Err() == nil {
			_, _ = fmt.Fprintf(t.out, "\nThe metrics were at %s/metrics while it ran.\n", address)
		} else {
			stopped = errors.New("stopped before the second round was over: there is no verdict")
		}
	} else {
		live(ctx, demon, t, unfold, address)
	}
	stop()
	wg.Wait()
	return errors.Join(stopped, served)
}

// live shows round after round until ctx ends. The round that this cuts short is not shown: the last whole one says
// more than a table of what was not reached any more.
func live(ctx context.Context, demon *daemon, t terminal, unfold func(soFar time.Duration), address string) {
	demon.judged = func(_ *measurements.Round, v *measurements.RoundVerdict) {
		unfold(demoOnset) // at once: the next round may begin soon, and is to be the first after the onset
		if ctx.Err() == nil {
			showRound(t, v, address)
		}
	}
	demon.loop(ctx)
}

// delayed takes the scenario's rules off the line until the first call of the function that it returns: only then
// its clock starts, so far on. A first round that takes long, on a busy machine, is on a clean line all the same.
func delayed(n *netlab.Network) (unfold func(soFar time.Duration)) {
	rules := n.Rules()
	n.SetRules()
	var once sync.Once
	return func(soFar time.Duration) {
		once.Do(func() {
			n.SetStart(time.Now().Add(-soFar))
			n.SetRules(rules...)
		})
	}
}

// twice makes a round on the clean line, so that the history knows it, and a thorough one after the onset. Time
// may end either.
func (d *demoCmd) twice(ctx context.Context, demon *daemon, t terminal) {
	within, cancel := context.WithTimeout(ctx, demoOnce)
	defer cancel()
	clean, enough := context.WithTimeout(within, demoClean)
	demon.watch.Plan.Thorough = false
	demon.round(clean)
	enough()
	demon.watch.Plan.Thorough = true
	demon.round(within)
	if ctx.Err() != nil {
		return
	}
	if v := demon.show().Verdict; v != nil {
		printTable(t.out, v)
	}
	if within.Err() != nil {
		_, _ = fmt.Fprintln(t.out, "\nThis machine was too busy for whole rounds: what was not reached has no verdict.")
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

package main

import (
	"context"
	"errors"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/measurements/web"
	"github.com/telltale-probe/telltale/probe"
)

// runCmd is the daemon.
type runCmd struct{}

// Run measures until SIGTERM or SIGINT; SIGHUP reads the configuration again. Without consent it serves the page and
// measures nothing.
func (runCmd) Run(c *cli, t terminal) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	d := &daemon{}
	log := c.logger(t.err, cfg, d.learnt.Load)
	plan, err := newPlan(cfg, realHost(cfg))
	if err != nil {
		return err
	}
	counted := newMetrics(cfg)
	kept, err := store.Open(cfg.StorePath, storeOptions(cfg, log, counted))
	if err != nil {
		return err
	}
	defer func() { _ = kept.Close() }()
	d.log, d.store, d.metrics, d.changed = log, kept, counted, make(chan struct{}, 1)
	d.watch = &probe.Watch{Plan: plan, Interval: cfg.Interval, Jitter: cfg.Jitter}
	d.metrics.RegisterSelf()
	d.restore()
	speak := &speaker{log: log, keys: kept}
	defer speak.close()
	if err := speak.configure(cfg); err != nil {
		return err
	}
	d.judged = speak.hear
	d.push = &pusher{log: log, store: kept, metrics: counted}
	defer d.push.close()
	d.view = web.View{Version: version, Consent: !cfg.Consent.IsZero()}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	heard, release := hangUps()
	defer release()
	if err := d.push.configure(ctx, cfg); err != nil {
		return err
	}
	reload := c.reloader(ctx, cfg, d, speak)
	server := web.New(web.Config{
		View: d.show, Gatherer: d.metrics, Registerer: d.metrics.Registerer(), Listen: c.listen(cfg), WebConfigFile: c.WebConfigFile, Log: log, Reference: speak.say, Evidence: kept,
		Reload: reload,
	})
	if err := server.Listen(); err != nil { // before anything is measured
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() { d.loop(ctx) })
	wg.Go(func() { heed(ctx, heard, reload) })
	if cfg.Consent.IsZero() {
		log.Warn().Msg("nothing is measured without consent: see 'telltale consent', then reload")
	}
	err = server.ListenAndServe(ctx)
	stop()
	wg.Wait()
	return err
}

// reloader gives what reads the configuration again, tells everybody of it, and logs what came of it, whoever asked. cfg
// is that of the start.
func (c *cli) reloader(ctx context.Context, cfg *config.Config, d *daemon, speak *speaker) func() error {
	var reloading sync.Mutex // one after the other
	inForce := cfg
	// One that fails must not keep the others from hearing that consent is gone.
	tell := func(next *config.Config) error {
		err := d.reload(next, realHost(next))
		if err == nil {
			inForce = next
		}
		return errors.Join(err, speak.configure(next), d.push.configure(ctx, next))
	}
	return func() (err error) {
		reloading.Lock()
		defer reloading.Unlock()
		defer func() {
			if err != nil {
				d.log.Error().Err(err).Msg("the configuration was not reloaded")
			} else {
				d.log.Info().Msg("the configuration was reloaded")
			}
		}()
		next, err := c.config()
		if err != nil && config.Withdrawn(c.file()) {
			// Of the rest the configuration in force stays, which is the start's no more after a reload.
			next := *inForce
			next.Consent = time.Time{}
			return errors.Join(err, tell(&next))
		}
		if err != nil {
			return err
		}
		if keys := c.needRestart(cfg, next); len(keys) > 0 {
			d.log.Warn().Strs("keys", keys).Msg("these keys count from the next start on")
		}
		return tell(next)
	}
}

// needRestart lists the keys that a reload changed in vain: the store and the page's sockets are open.
func (c *cli) needRestart(was, is *config.Config) (keys []string) {
	if !slices.Equal(c.listen(was), c.listen(is)) {
		keys = append(keys, "web.listen")
	}
	if was.StorePath != is.StorePath {
		keys = append(keys, "store.path")
	}
	return keys
}

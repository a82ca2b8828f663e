package main

import (
	"context"
	"os/signal"
	"sync"
	"syscall"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/measurements/web"
	"github.com/telltale-probe/telltale/probe"
)

// runCmd is the daemon.
type runCmd struct{}

// Run measures until SIGTERM or SIGINT. Without consent it serves the page and measures nothing.
func (runCmd) Run(c *cli, t terminal) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	log := c.logger(t.err)
	host := realHost(cfg)
	plan, err := newPlan(cfg, host)
	if err != nil {
		return err
	}
	counted := newMetrics(cfg)
	kept, err := store.Open(cfg.StorePath, storeOptions(cfg, log, counted))
	if err != nil {
		return err
	}
	defer func() { _ = kept.Close() }()
	d := &daemon{log: log, store: kept, metrics: counted, watch: &probe.Watch{Plan: plan, Interval: cfg.Interval, Jitter: cfg.Jitter}}
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
	if err := d.push.configure(ctx, cfg); err != nil {
		return err
	}
	consented := make(chan struct{})
	var once sync.Once
	agree := func(cfg *config.Config) {
		if !cfg.Consent.IsZero() {
			once.Do(func() { close(consented) })
		}
	}
	agree(cfg)
	server := web.New(web.Config{
		View: d.show, Gatherer: d.metrics, Registerer: d.metrics.Registerer(), Listen: c.listen(cfg), WebConfigFile: c.WebConfigFile, Log: log, Reference: speak.say,
		Reload: func() error {
			next, err := c.config()
			if err != nil {
				return err
			}
			if err := d.reload(next, host); err != nil {
				return err
			}
			if err := speak.configure(next); err != nil {
				return err
			}
			if err := d.push.configure(ctx, next); err != nil {
				return err
			}
			agree(next)
			return nil
		},
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-consented:
			d.loop(ctx)
		case <-ctx.Done():
		}
	})
	if cfg.Consent.IsZero() {
		log.Warn().Msg("nothing is measured without consent: see 'telltale consent', then reload")
	}
	err = server.ListenAndServe(ctx)
	stop()
	wg.Wait()
	return err
}

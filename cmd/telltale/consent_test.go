package main

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/web"
	"github.com/telltale-probe/telltale/probe"
)

// silentWorld is an internet in which every connection waits for ever, and says how many were begun.
type silentWorld struct{ dials atomic.Int32 }

func (w *silentWorld) host() probe.Host {
	return probe.Host{
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			w.dials.Add(1)
			<-ctx.Done()
			return nil, ctx.Err()
		},
		Routable: func(a netip.Addr) bool { return a.Is4() },
	}
}

// oneTarget is a configuration with a single endpoint, and consent where it is given.
func oneTarget(consent time.Time) *config.Config {
	cfg := config.Default()
	cfg.Consent, cfg.Controls, cfg.Placebo, cfg.Jitter = consent, nil, probe.App{}, 0
	cfg.System = &probe.Resolver{URL: "udp://192.0.2.53:53"}
	cfg.Apps = []probe.App{{ID: "alpha", Targets: []probe.Target{{
		ID: "chat", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Ports: []uint16{443}, Probes: []probe.Probe{probe.ProbeTCP}, Essential: true,
	}}}}
	return cfg
}

// watching runs a daemon's loop in the bubble, until stop is called.
func watching(t *testing.T, cfg *config.Config, host probe.Host) (d *daemon, stop func()) {
	t.Helper()
	plan, err := newPlan(cfg, host)
	if err != nil {
		t.Fatal(err)
	}
	plan.EpochKey = probe.NewEpochKey() // else the store's
	d = &daemon{log: zerolog.Nop(), metrics: newMetrics(cfg), watch: &probe.Watch{Plan: plan, Interval: cfg.Interval, Jitter: cfg.Jitter}, changed: make(chan struct{}, 1),
		view: web.View{Consent: !cfg.Consent.IsZero()}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.loop(ctx) }()
	return d, func() { cancel(); <-done }
}

func skippedForConsent(t *testing.T, d *daemon) float64 {
	t.Helper()
	families, err := d.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "telltale_rounds_skipped_total" && m.GetLabel()[0].GetValue() == "consent" {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatal("rounds that are skipped for want of consent are not counted")
	return 0
}

// Whoever withdraws consent between two rounds is left in peace, until it is given again; the rounds that were
// due meanwhile are counted as skipped.
func TestConsentWithdrawnBetweenRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w silentWorld
		agreed, withdrawn := oneTarget(time.Now()), oneTarget(time.Time{})
		d, stop := watching(t, agreed, w.host())
		defer stop()
		time.Sleep(2 * time.Minute) // a round ends with its timeout
		before := w.dials.Load()
		if before == 0 || d.show().Running {
			t.Fatalf("%d dials, running: %v", before, d.show().Running)
		}
		if err := d.reload(withdrawn, w.host()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4*agreed.Interval + time.Minute)
		if got := w.dials.Load(); got != before {
			t.Errorf("%d dials without consent", got-before)
		}
		if got := skippedForConsent(t, d); got < 3 || got > 5 {
			t.Errorf("%v rounds counted as skipped", got)
		}
		if err := d.reload(agreed, w.host()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if w.dials.Load() == before {
			t.Error("consent was given again, and no round is made")
		}
	})
}

// A round in progress ends at once with what it has seen.
func TestConsentWithdrawnInMidRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w silentWorld
		agreed := oneTarget(time.Now())
		heard := make(chan *measurements.Round, 1)
		d, stop := watching(t, agreed, w.host())
		defer stop()
		d.judged = func(r *measurements.Round, _ *measurements.RoundVerdict) { heard <- r }
		time.Sleep(agreed.Timeout*2 + time.Second) // the resolver was asked for its name, over UDP and TCP
		if !d.show().Running {
			t.Fatal("no round is in progress")
		}
		begun, before := time.Now(), w.dials.Load()
		if err := d.reload(oneTarget(time.Time{}), w.host()); err != nil {
			t.Fatal(err)
		}
		round := <-heard
		if took := time.Since(begun); took > 0 {
			t.Errorf("it still took %v", took)
		}
		stopped := func(s measurements.Skip) bool { return s.Reason == measurements.SkipStopped }
		if len(round.Apps) != 1 || !slices.ContainsFunc(round.Apps[0].Skipped, stopped) || len(round.Gate.Observations) == 0 {
			t.Errorf("partial evidence: %+v", round)
		}
		time.Sleep(24 * time.Hour)
		if got := w.dials.Load(); got != before || d.show().Running {
			t.Errorf("%d dials without consent", got-before)
		}
	})
}

// Without consent from the start nothing is measured; the first round comes with it, not when it would be due.
func TestConsentGivenLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w silentWorld
		d, stop := watching(t, oneTarget(time.Time{}), w.host())
		defer stop()
		time.Sleep(time.Hour)
		if w.dials.Load() > 0 || skippedForConsent(t, d) == 0 {
			t.Fatalf("%d dials without consent, %v rounds counted as skipped", w.dials.Load(), skippedForConsent(t, d))
		}
		if err := d.reload(oneTarget(time.Now()), w.host()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if w.dials.Load() == 0 {
			t.Error("no round after consent")
		}
	})
}

// Consent that is gone counts even where the rest of the configuration can't be taken in.
func TestConsentWithdrawnWithABrokenConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w silentWorld
		d, stop := watching(t, oneTarget(time.Now()), w.host())
		defer stop()
		time.Sleep(2 * time.Minute)
		broken := oneTarget(time.Time{})
		broken.System = nil // and this host has no resolvers
		host := w.host()
		host.SystemResolvers = func() ([]netip.AddrPort, error) { return nil, nil }
		before := w.dials.Load()
		if err := d.reload(broken, host); err == nil {
			t.Fatal("a host without resolvers is fine?")
		}
		time.Sleep(24 * time.Hour)
		if got := w.dials.Load(); got != before {
			t.Errorf("%d dials without consent", got-before)
		}
	})
}

package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/measurements/web"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// A reload takes the whole of [schedule] in, and the roots; what a round in progress learns after it is not
// forgotten: its failures and bytes count in the new plan as well.
func TestReloadInMidRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w silentWorld
		d, stop := watching(t, oneTarget(time.Now()), w.host())
		defer stop()
		time.Sleep(time.Second)
		old := d.watch.Plan // of the running round
		next := oneTarget(time.Now())
		next.Interval, next.Residual, next.DailyBudget = 2*time.Hour, time.Hour, 50<<20
		if err := d.reload(next, w.host()); err != nil {
			t.Fatal(err)
		}
		at := schedule.Place{Transport: "tcp", Endpoint: netip.MustParseAddrPort("192.0.2.1:443")}
		old.Ledger.Fail(at)
		old.Budget.Spend(40 << 20)
		stop()
		pause := d.watch.Pause() // between rounds the other plan comes in
		plan := d.watch.Plan
		if until := plan.Ledger.Until(at); until != time.Now().Add(next.Residual) || plan == old {
			t.Errorf("a failure of the running round rests until %v", until)
		}
		if plan.Budget.Spent() < 40<<20 || plan.Budget.Allow(20<<20) {
			t.Errorf("%d bytes are known of", plan.Budget.Spent())
		}
		if pause > next.Interval || pause < next.Interval-time.Minute {
			t.Errorf("the next round comes after %v", pause)
		}
	})
}

// A shorter interval holds at once: nobody waits for a week that is no longer asked for.
func TestReloadOfTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w silentWorld
		seldom, often := oneTarget(time.Now()), oneTarget(time.Now())
		seldom.Interval, often.Interval = 7*24*time.Hour, time.Minute
		d, stop := watching(t, seldom, w.host())
		defer stop()
		time.Sleep(time.Hour)
		before := w.dials.Load()
		if err := d.reload(often, w.host()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if w.dials.Load() == before {
			t.Error("no round since the reload")
		}
	})
}

// A reload that leaves the pace as it is leaves the next round where chance has put it: who reloads again and again, as
// anybody on the network may who reaches the page, would else have the soonest of many draws.
func TestReloadsDrawNoSoonerRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w silentWorld
		cfg := oneTarget(time.Now())
		cfg.Interval, cfg.Jitter = 24*time.Hour, 1
		d, stop := watching(t, cfg, w.host())
		defer stop()
		time.Sleep(time.Minute)
		due := d.show().NextRound
		for range 200 {
			if err := d.reload(cfg, w.host()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if now := d.show().NextRound; due.IsZero() || !now.Equal(due) {
			t.Errorf("the next round was due at %v, and is now at %v", due, now)
		}
	})
}

// What a reload can't change is named; a flag that wins over the file is no change.
func TestKeysThatNeedARestart(t *testing.T) {
	was := &config.Config{Listen: "127.0.0.1:9877", StorePath: "a"}
	for _, test := range []struct {
		name string
		c    cli
		is   config.Config
		want []string
	}{
		{"nothing", cli{}, *was, nil},
		{"both", cli{}, config.Config{Listen: "127.0.0.1:9878", StorePath: "b"}, []string{"web.listen", "store.path"}},
		{"behind a flag", cli{ListenAddress: []string{"127.0.0.1:1"}}, config.Config{Listen: "127.0.0.1:9878", StorePath: "a"}, nil},
	} {
		if got := test.c.needRestart(was, &test.is); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// Consent that is withdrawn by a file with a mistake leaves the configuration in force, and not that of the start:
// evidence would be deleted by the bounds, and a helper listen by the keys, that a reload has changed since.
func TestWithdrawalKeepsTheConfigurationInForce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "telltale.toml")
	write := func(consent, interval string) {
		t.Helper()
		text := fmt.Sprintf("[consent]\naccepted = %q\n[schedule]\ninterval = %q\n", consent, interval)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("2026-11-01", "1m")
	c := &cli{ConfigFile: file}
	started, err := c.config()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := newPlan(started, realHost(started))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	m := newMetrics(started)
	d := &daemon{log: zerolog.Nop(), store: kept, metrics: m, watch: &probe.Watch{Plan: plan, Interval: started.Interval}, push: &pusher{log: zerolog.Nop(), store: kept, metrics: m}, view: web.View{Consent: true}}
	reload := c.reloader(t.Context(), started, d, &speaker{log: zerolog.Nop()})

	write("2026-11-01", "3h")
	if err := reload(); err != nil {
		t.Fatal(err)
	}
	write("", "never")
	if err := reload(); err == nil {
		t.Error("no word of the mistake")
	}
	d.watch.Pause() // takes the replacement in
	if d.view.Consent || d.watch.Interval != 3*time.Hour {
		t.Errorf("consent %t and a round every %v, want none and 3h0m0s", d.view.Consent, d.watch.Interval)
	}
}

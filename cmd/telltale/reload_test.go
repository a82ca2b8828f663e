package main

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/config"
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

package probe

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// Another configuration counts from the next round on, and forgets nothing of what must be left alone; nor of
// what a round that runs meanwhile adds to it.
func TestWatchReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := func() *Plan {
			return &Plan{Ledger: schedule.NewLedger(time.Hour), Budget: schedule.NewBudget(1 << 20), Suspicion: &schedule.Suspicion{}}
		}
		first, second := plan(), plan()
		w := Watch{Plan: first, Interval: time.Hour, started: time.Now()}
		first.Rotation, first.EpochKey = 7, []byte("key")
		w.Replace(plan(), time.Second, 1)
		w.Replace(second, time.Minute, 0)
		place := schedule.Place{Transport: "tcp", Endpoint: netip.MustParseAddrPort("192.0.2.1:443")}
		first.Ledger.Fail(place) // the round still runs
		first.Budget.Spend(1000)
		first.Suspicion.Suspect("app/chat")
		if w.Plan != first {
			t.Error("it counts while a round runs")
		}
		if w.Pause() != time.Minute || w.Plan != second || w.next != nil {
			t.Error("it does not count from the end of the round on")
		}
		if !second.Ledger.Rests(place) || second.Budget.Spent() != 1000 || !second.Suspicion.Suspected("app/chat") || second.Rotation != 7 || string(second.EpochKey) != "key" {
			t.Errorf("forgot what was: %+v", second)
		}
	})
}

// Rounds keep their distance from start to start, a long one's too; and what began to fail is looked at sooner,
// where places rest at all.
func TestPause(t *testing.T) {
	failing := func(since time.Duration) measurements.History {
		var h measurements.History
		r := measurements.Round{Started: time.Now().Add(-since), Apps: []measurements.Measurement{{App: "app"}}}
		v := &measurements.RoundVerdict{Apps: []measurements.AppVerdict{{App: "app", Targets: []measurements.TargetVerdict{{Target: "chat", State: measurements.Blocked,
			Layers: []measurements.LayerVerdict{{Layer: measurements.LayerTLS, Family: measurements.IPv4, State: measurements.Blocked, Signature: measurements.TLSResetSNI, Confidence: measurements.Likely}}}}}}}
		h.Learn(&r, v)
		return h
	}
	const usual, residual = 2 * time.Hour, 10 * time.Minute
	for _, c := range []struct {
		name           string
		history        func() measurements.History
		residual, took time.Duration
		least, most    time.Duration
	}{
		{"nothing fails", func() measurements.History { return measurements.History{} }, residual, 0, usual, usual},
		{"the round took a quarter of an hour", func() measurements.History { return measurements.History{} }, residual, 15 * time.Minute, usual - 15*time.Minute, usual - 15*time.Minute},
		{"the round took for ever", func() measurements.History { return measurements.History{} }, residual, 3 * time.Hour, usual / 4, usual / 4},
		{"it fails since a minute", func() measurements.History { return failing(time.Minute) }, residual, 0, schedule.Apart, 40 * time.Minute},
		{"it fails since half a day", func() measurements.History { return failing(12 * time.Hour) }, residual, 0, usual, usual},
		{"nothing rests (demo)", func() measurements.History { return failing(time.Minute) }, 0, 0, usual, usual},
	} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(24 * time.Hour)
			w := Watch{Plan: &Plan{Ledger: schedule.NewLedger(c.residual), Suspicion: &schedule.Suspicion{}}, Interval: usual, History: c.history(), started: time.Now()}
			time.Sleep(c.took)
			if got := w.Pause(); got < c.least || got > c.most {
				t.Errorf("%s: a pause of %v, want %v to %v", c.name, got, c.least, c.most)
			}
		})
	}
}

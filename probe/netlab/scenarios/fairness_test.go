package scenarios_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// A budget that is too small for the rounds that were asked for costs every hour, every app and every target
// its share, and nobody all of it: evenings are seen as often as mornings.
func TestASmallBudgetIsSharedFairly(t *testing.T) {
	onceIsEnough(t)
	const daily = 12 << 20
	byHour, byApp, byTarget, spent := map[int]int{}, map[string]int{}, map[string]int{}, int64(0)
	perRound := 0
	synctest.Test(t, func(t *testing.T) {
		cfg := config.Default()
		cfg.Apps = cfg.Apps[2:] // two of them, for the sake of time: line and instagram
		w, err := netlab.New(netlab.Options{Apps: cfg.Apps, Controls: cfg.Controls, Trusted: cfg.Trusted})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.Close() }()
		system, err := w.Host().ResolversOfSystem()
		if err != nil {
			t.Fatal(err)
		}
		budget := schedule.NewBudget(daily)
		plan := &probe.Plan{Host: w.Host(), Apps: cfg.Apps, Controls: cfg.Controls, System: system, Trusted: cfg.Trusted,
			Families: []measurements.Family{measurements.IPv4}, Timeout: cfg.Timeout, Parallel: cfg.Parallel, Spread: schedule.Spread(cfg.Interval),
			Ledger: schedule.NewLedger(cfg.Residual), Budget: budget, Suspicion: &schedule.Suspicion{}}
		start, rnd := time.Now(), rand.New(rand.NewPCG(1, 2))
		for hour := 0; hour < 24; hour = int(time.Since(start) / time.Hour) {
			round := plan.Run(context.Background())
			for i := range round.Apps {
				for _, target := range visited(&round.Apps[i]) {
					byHour[hour/6]++
					byApp[round.Apps[i].App]++
					byTarget[round.Apps[i].App+"/"+target]++
				}
			}
			perRound++
			plan.Rotation = plan.Rotation.Next()
			time.Sleep(schedule.Next(15*time.Minute, 0.5, rnd))
		}
		spent = budget.Spent()
	})
	if spent > daily {
		t.Errorf("%d bytes were spent of %d", spent, daily)
	}
	sum := 0
	for _, n := range byTarget {
		sum += n
	}
	if most := perRound * len(byTarget); sum > most*9/10 || sum < most/10 {
		t.Fatalf("%d of %d visits were made: the budget does not bind as the test wants", sum, most)
	}
	t.Logf("%d visits in %d rounds; quarters of the day %v, apps %v", sum, perRound, byHour, byApp)
	even(t, "quarter of the day", byHour, 0.4)
	even(t, "target", byTarget, 0.5)
}

// visited lists the targets to which a connection was made.
func visited(m *measurements.Measurement) (out []string) {
	seen := map[string]bool{}
	for i := range m.Observations {
		if o := &m.Observations[i]; o.Operation != measurements.Resolve && !seen[o.Target] {
			seen[o.Target] = true
			out = append(out, o.Target)
		}
	}
	return out
}

// even fails where a share differs from the mean by more than so much of it.
func even[K comparable](t *testing.T, of string, counts map[K]int, within float64) {
	t.Helper()
	sum := 0
	for _, n := range counts {
		sum += n
	}
	mean := float64(sum) / float64(len(counts))
	for k, n := range counts {
		if d := float64(n)/mean - 1; d > within || d < -within {
			t.Errorf("%s %v was seen %d times, the mean is %.1f", of, k, n, mean)
		}
	}
}

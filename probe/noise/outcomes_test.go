package noise

import (
	"bytes"
	"math"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	ms "github.com/telltale-probe/telltale/measurements"
)

// garbageOf lets the collector of garbage come less often, which saves a third of the package's time: of what a
// simulation leaves behind, little is kept. Chosen by us.
const garbageOf = 400

func TestMain(m *testing.M) {
	debug.SetGCPercent(garbageOf)
	os.Exit(m.Run())
}

// short is a simulation that a test can afford, and less of it where not everything is asked for, as .ci/run does; the
// whole one is `telltale lab noise --outcomes 1e8`.
func short() OutcomeOptions {
	if os.Getenv("TELLTALE_MATRIX") == "exhaustive" {
		return OutcomeOptions{TargetRounds: 400_000, Seeds: 4, Onsets: 24}
	}
	return OutcomeOptions{TargetRounds: 200_000, Seeds: 2, Onsets: 24}
}

// A vantage where nobody blocks is told of no confirmed block, and of few that are likely; blocks are
// found in time; and the tables fit a terminal.
func TestOutcomes(t *testing.T) {
	o := short()
	r := SimulateOutcomes(o)
	if r.TargetRounds < o.TargetRounds || r.Time < time.Duration(o.Seeds)*30*24*time.Hour {
		t.Errorf("%d target-rounds in %v", r.TargetRounds, r.Time)
	}
	if n := r.False[ms.Confirmed]; n != 0 {
		t.Errorf("%d confirmed where nobody blocks", n)
	}
	if months := r.Time.Hours() / monthOfHours; float64(r.False[ms.Likely]) > 3*months {
		t.Errorf("%d likely in %.1f months where nobody blocks", r.False[ms.Likely], months)
	}
	if r.False[ms.Suspected] == 0 {
		t.Error("nothing was ever suspected: the noise is too quiet to show anything")
	}
	for _, onset := range r.Onsets {
		if onset.Blocks != o.Onsets {
			t.Errorf("%d blocks of %s", onset.Blocks, onset.Died)
		}
		if got := onset.Within(onset.Likely, 24*time.Hour); got < 0.95 {
			t.Errorf("%s of %.0f %%: %.0f %% are likely within a day", onset.Died, 100*onset.Share, 100*got)
		}
	}
	if hard := r.Onsets[0]; hard.Within(hard.Confirmed, 3*time.Hour) < 0.9 {
		t.Errorf("of hard resets %v were confirmed", hard.Confirmed)
	}
	if r.Penalty == 0 || r.Penalty > 0.05 || r.Onsets[0].Penalty == 0 || r.Onsets[0].Penalty > 0.05 {
		t.Errorf("an address was under a penalty for %.4f of a day, in a hard block %.4f", r.Penalty, r.Onsets[0].Penalty)
	}
	var b bytes.Buffer
	r.Write(&b)
	for _, line := range strings.Split(b.String(), "\n") {
		if n := len([]rune(line)); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	t.Log("\n" + b.String())
}

// The same seed gives the same counts, another one other counts.
func TestOutcomesAreRepeatable(t *testing.T) {
	o := short()
	o.TargetRounds, o.Onsets = o.TargetRounds/4, -1
	count := func() OutcomeReport { r := SimulateOutcomes(o); r.Took = 0; return r }
	a, b := count(), count()
	if !reflect.DeepEqual(a, b) {
		t.Errorf("the same seed gave %+v and %+v", a, b)
	}
	if o.Seed = 1; reflect.DeepEqual(a, count()) {
		t.Error("another seed gave the same")
	}
}

// Nothing fails, nothing is said. Where names are denied by the resolver's cache all the time, the
// history does not let the count of likely findings run away with it.
func TestRatesDecide(t *testing.T) {
	o := OutcomeOptions{TargetRounds: 100_000, Seeds: 2, Onsets: -1, Rates: Rates{Offline: Episodes{PerMonth: 1, Median: time.Hour}}}
	if r := SimulateOutcomes(o); len(r.False) != 0 {
		t.Errorf("in a perfect world: %v", r.False)
	}
	o.Rates.Reset = 1e-3 // a hundred times what is assumed
	r := SimulateOutcomes(o)
	months := r.Time.Hours() / monthOfHours
	if suspected, likely := r.False[ms.Suspected], float64(r.False[ms.Likely]); suspected == 0 || likely > 10*months {
		t.Errorf("%d suspected and %v likely in %.1f months of resets by chance", suspected, likely, months)
	}
	if r.False[ms.Confirmed] != 0 {
		t.Errorf("resets by chance are confirmed: %v", r.False)
	}
}

func TestUpper(t *testing.T) {
	// Garwood's one-sided bounds, from any table of the chi-square distribution.
	for count, want := range map[int]float64{0: 2.996, 1: 4.744, 5: 10.513, 10: 16.962, 100: 118.079, 1000: 1054} {
		if got := Upper(count); math.Abs(got-want) > 0.002*want {
			t.Errorf("%d: %.3f, want %.3f", count, got, want)
		}
	}
}

// BenchmarkTargetRound is the cost of one target's visit, with its share of judging and learning.
func BenchmarkTargetRound(b *testing.B) {
	visits := int64(0)
	for b.Loop() {
		bubble(func() {
			v := newVantage(1, Default())
			for v.visits < 100_000 {
				v.step()
			}
			visits += v.visits
		})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(visits), "ns/target-round")
}

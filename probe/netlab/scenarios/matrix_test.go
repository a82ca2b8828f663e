package scenarios_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
)

// garbageOf and mostMemory let the collector of garbage come less often, which saves a sixth of the package's time: what
// worlds leave behind is much, and what is kept of them little. Chosen by us: of a small machine it may take this much.
const (
	garbageOf  = 400
	mostMemory = 768 << 20
)

func TestMain(m *testing.M) {
	probe.DisableScrambling()
	debug.SetGCPercent(garbageOf)
	debug.SetMemoryLimit(mostMemory)
	os.Exit(m.Run())
}

// matrix is every scenario with what was found in it, run once for all tests of the package. Under the race detector,
// which takes ten times as long, it is a sixth of them, by chance: what could race is the same code in all.
var matrix = sync.OnceValues(func() ([]*scenarios.Result, error) {
	all, err := scenarios.All()
	if err != nil {
		return nil, err
	}
	if underRace {
		all = sixth(all)
	}
	out := make([]*scenarios.Result, len(all))
	errs := make([]error, len(all))
	side(len(all), func(i int) { out[i], errs[i] = played(&all[i]) })
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", all[i].Name, err)
		}
	}
	return out, nil
})

// replays is how often a world that went wrong is played again. Chosen by us: four seconds for each.
const replays = 20

// played runs a scenario. There is chance in all of them, and goroutines take their turns as they like: what went wrong
// once is played again, and is wrong if any of these plays is, so that what goes wrong once in thirty shows in half of
// the runs. A false finding that is likely or more is wrong at once.
func played(s *scenarios.Scenario) (*scenarios.Result, error) {
	first, err := lab().Run(s)
	if err != nil || first.Right() || s.Innocent && grave(first) {
		return first, err
	}
	var last *scenarios.Result
	for range replays {
		if last, err = lab().Run(s); err != nil || !last.Right() {
			return first, err
		}
	}
	fmt.Printf("%s was wrong once, and right %d times after it: %v\n", s.Name, replays, first.Wrong)
	return last, nil
}

// grave says whether something is called blocked that is more than suspected.
func grave(r *scenarios.Result) bool {
	for _, app := range r.Verdict.Apps {
		for _, target := range app.Targets {
			for _, l := range target.Layers {
				if l.State == measurements.Blocked && l.Confidence != measurements.Suspected {
					return true
				}
			}
		}
	}
	return false
}

func sixth(all []scenarios.Scenario) (out []scenarios.Scenario) {
	for i, part := 0, rand.IntN(6); i < len(all); i++ {
		if i%6 == part {
			out = append(out, all[i])
		}
	}
	return out
}

// side runs f for 0 to n-1, two at a time.
func side(n int, f func(int)) {
	slots := make(chan struct{}, 2)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			f(i)
		})
	}
	wg.Wait()
}

// onceIsEnough skips, under the race detector, what plays the same worlds again: the code that could race is the
// code that the matrix has run already, and some minutes of it have made the detector itself give up ("CHECK
// failed: tsan_rtl.cpp").
func onceIsEnough(t *testing.T) {
	t.Helper()
	if underRace {
		t.Skip("the matrix has run this code under the race detector; what is needed, the run without it tells")
	}
}

// exhaustive says whether everything that can be switched off or taken away is, one by one, as .ci/run does; else
// chance takes a share, so that the tests of a working day stay under two minutes.
func exhaustive() bool { return os.Getenv("TELLTALE_MATRIX") == "exhaustive" }

func results(t *testing.T) []*scenarios.Result {
	t.Helper()
	all, err := matrix()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Every scenario is judged as its file says: nothing is missing, nothing is added.
func TestEveryScenarioIsJudgedRight(t *testing.T) {
	for _, r := range results(t) {
		t.Run(r.Scenario.Name, func(t *testing.T) {
			for _, w := range r.Wrong {
				t.Error(w)
			}
		})
	}
}

// No innocent scenario leads to a block, but for those that say why they may be suspected; those to no more.
func TestInnocentWorldsAreNotCalledBlocked(t *testing.T) {
	for _, r := range results(t) {
		if !r.Scenario.Innocent {
			continue
		}
		for _, app := range r.Verdict.Apps {
			for _, target := range app.Targets {
				for _, l := range target.Layers {
					if (l.State == measurements.Blocked || l.State == measurements.Throttled) && !(l.Confidence == measurements.Suspected && (r.Scenario.Suspicion != "" || r.Scenario.Suspects())) {
						t.Errorf("%s: %s/%s %s is called blocked (%s, %s)", r.Scenario.Name, app.App, target.Target, l.Layer, l.Signature, l.Confidence)
					}
				}
			}
		}
	}
}

// Every round says on which network it was made; behind a tunnel not even the country of home is said.
func TestRoundsSayTheirVantage(t *testing.T) {
	for _, r := range results(t) {
		for _, m := range append([]measurements.Measurement{r.Round.Gate}, r.Round.Apps...) {
			v, offline := m.Vantage, r.Scenario.NoIPv4 && r.Scenario.NoIPv6
			tunnel := r.Scenario.Tunnel || r.Scenario.Network.Signature == measurements.LocalTunnel // or one that only its addresses tell
			if v.Tunnel != tunnel || v.Moved != (r.Scenario.Roams != "") || (v.Epoch == "") != offline {
				t.Errorf("%s: %+v", r.Scenario.Name, v)
			}
			if home := v.Country != "" && v.ASN != 0 && v.Label != ""; home == v.Tunnel || v.Tunnel && v.Country+v.Label != "" {
				t.Errorf("%s: %+v", r.Scenario.Name, v)
			}
		}
	}
}

// Switching off any rule makes at least one scenario wrong: there is no rule that nothing needs.
func TestEveryRuleIsNeeded(t *testing.T) {
	onceIsEnough(t)
	all := slices.Clone(results(t))
	for i, rule := range measurements.Rules {
		slices.SortStableFunc(all, func(a, b *scenarios.Result) int { return spoke(b, rule.ID) - spoke(a, rule.ID) }) // these miss it first
		others := slices.Delete(slices.Clone(measurements.Rules), i, i+1)
		if !slices.ContainsFunc(all, func(r *scenarios.Result) bool {
			v := measurements.JudgeWith(others, &r.Round, r.History)
			return len(r.Scenario.Compare(&v)) > 0
		}) {
			t.Errorf("without rule %q every scenario is still right", rule.ID)
		}
	}
}

// spoke is how often a rule decided in a scenario.
func spoke(r *scenarios.Result, rule string) (n int) {
	for _, app := range r.Verdict.All() {
		for _, target := range app.Targets {
			for _, l := range target.Layers {
				if l.Rule == rule {
					n++
				}
			}
		}
	}
	return n
}

// Switching off any control makes at least one scenario wrong.
func TestEveryControlIsNeeded(t *testing.T) {
	onceIsEnough(t)
	all, err := scenarios.All()
	if err != nil {
		t.Fatal(err)
	}
	controls := slices.Sorted(maps.Keys(needy))
	side(len(controls), func(i int) {
		control := controls[i]
		first := slices.IndexFunc(all, func(s scenarios.Scenario) bool { return s.Name == needy[control] })
		if first < 0 {
			t.Errorf("no scenario %s", needy[control])
			return
		}
		for j := range all {
			l := lab()
			l.Without = map[measurements.Control]bool{control: true}
			r, err := l.Run(&all[(first+j)%len(all)])
			if err != nil {
				t.Error(err)
				return
			}
			if !r.Right() {
				t.Logf("without control %s, %s is wrong", control, r.Scenario.Name)
				return
			}
		}
		t.Errorf("without control %s every scenario is still right", control)
	})
}

// needy is, for each control, a scenario that is wrong without it: the one to begin with. Any other does as well.
var needy = map[measurements.Control]string{
	measurements.N: "app-telegram-web-door-by-name", measurements.D: "dns-block-page-served",
	measurements.V: "innocent-router-refuses-udp443", measurements.P: "app-mtproto-recognised-and-dropped",
	measurements.F: "app-mtproto-recognised-and-dropped", measurements.R: "app-telegram-one-data-centre-of-five",
	measurements.X: "reference-helper-name-alone-quic", scenarios.Gate: "app-imposter-at-one-data-centre",
}

// onePart is the share of the worlds that one run without TELLTALE_MATRIX=exhaustive switches things off in.
const onePart = 16

// Switching off any censor, or any fault of which something is expected, makes its scenario wrong.
func TestEveryCensorIsNeeded(t *testing.T) {
	onceIsEnough(t)
	part := rand.IntN(onePart)
	all, err := scenarios.All()
	if err != nil {
		t.Fatal(err)
	}
	side(len(all), func(i int) {
		s := &all[i]
		certain := slices.ContainsFunc(s.Expect, func(e scenarios.Expect) bool { return !e.Maybe })
		if !certain && len(s.Stands) == 0 && s.Network.State == "" {
			return // what may be found as well as not: that nothing else is, is all that is said
		}
		if !exhaustive() && i%onePart != part {
			return
		}
		for k := range len(s.Rules) + len(s.Faults) {
			l := lab()
			l.WithoutRule = k + 1
			r, err := l.Run(s)
			if err != nil {
				t.Error(err)
			} else if r.Right() {
				t.Errorf("%s: without its rule or fault %d it is still right", s.Name, k+1)
			}
		}
	})
}

// The tally counts each target of each scenario once, in the row of what was true of it.
func TestTally(t *testing.T) {
	var sum scenarios.Tally
	for _, r := range results(t) {
		before := sum
		sum.Add(r)
		n := 0
		for _, app := range r.Verdict.All() {
			n += len(app.Targets)
		}
		if got := sum.Censored.Targets + sum.Free.Targets - before.Censored.Targets - before.Free.Targets; got != n {
			t.Errorf("%s has %d targets, %d were counted", r.Scenario.Name, n, got)
		}
		hit, maybe := false, false
		for _, e := range r.Scenario.Expect {
			hit = hit || !r.Scenario.Innocent && e.State != measurements.OK && !e.Maybe
			maybe = maybe || !r.Scenario.Innocent && e.Maybe
		}
		if !maybe && hit != (sum.Censored != before.Censored) {
			t.Errorf("%s: counted as censored: %+v, before it %+v", r.Scenario.Name, sum.Censored, before.Censored)
		}
	}
	for _, row := range []scenarios.Row{sum.Censored, sum.Free} {
		if row.Confirmed+row.Likely+row.Suspected+row.Inconclusive+row.Other+row.OK+row.Skipped != row.Targets {
			t.Errorf("the row does not add up: %+v", row)
		}
	}
	if sum.Free.AtLeast(measurements.Likely) > 0 {
		t.Errorf("false findings: %+v", sum.Free)
	}
	if underRace {
		return // a sixth of the worlds need not have all confidences
	}
	if likely, confirmed := sum.Censored.AtLeast(measurements.Likely), sum.Censored.AtLeast(measurements.Confirmed); !(0 < confirmed && confirmed < likely && likely < sum.Censored.AtLeast(measurements.Suspected)) {
		t.Errorf("sensitivities: %+v", sum.Censored)
	}
}

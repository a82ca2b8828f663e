package scenarios_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	ms "github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
	"github.com/telltale-probe/telltale/measurements/ooni/oonitest"
	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
)

// strength is how much is said against somebody about a target in one IP family: 0 where nothing is called
// blocked or throttled, else more with the confidence. Layers are one here: without control D a lie of the
// resolver may look like one of whoever answers at the false address.
func strength(v *ms.RoundVerdict) map[string]int {
	out := map[string]int{}
	for _, app := range v.Apps {
		for _, t := range app.Targets {
			for _, l := range t.Layers {
				place := fmt.Sprint(app.App, " ", t.Target, " ", l.Family)
				if l.State == ms.Blocked || l.State == ms.Throttled {
					out[place] = max(out[place], 1+slices.Index([]ms.Confidence{ms.Suspected, ms.Likely, ms.Confirmed}, l.Confidence))
				}
			}
		}
	}
	return out
}

// blockedBy lists which rules call something blocked, and with which signature.
func blockedBy(v *ms.RoundVerdict) (out []string) {
	for _, app := range v.Apps {
		for _, t := range app.Targets {
			for _, l := range t.Layers {
				if l.State == ms.Blocked || l.State == ms.Throttled {
					out = append(out, l.Rule+" "+string(l.Signature))
				}
			}
		}
	}
	return out
}

// againPart and formedPart are the shares of these worlds, and of the measurements whose form is looked at, where not
// everything is tried.
const (
	againPart  = 8
	formedPart = 4
)

// The matrix is judged again, from its evidence.
//
// Evidence that is missing never makes more of what is left: each observation of a round is taken out in
// turn, each control, and the gate. Every innocent scenario is edited so, and of the censored ones one for
// each rule and signature that blocks; of these an eighth, by chance, where not everything is tried. A record says how many observations it was made of; they are taken out of
// records that do not say it, too, as older ones don't: what keeps those right are the rules.
//
// The evidence is OONI's data format in every world (of a fourth, by chance). And no rule gives a signature that it does not list, or
// more confidence by itself than it says.
func TestMatrixAgain(t *testing.T) {
	if underRace {
		t.Skip("judging is one goroutine's work: there is nothing to race, and it takes minutes")
	}
	seen, said, censored, innocent := map[string]bool{}, map[string]bool{}, 0, 0
	for _, ran := range results(t) {
		keepTheirWord(t, ran, said)
		for _, m := range append([]ms.Measurement{ran.Round.Gate}, ran.Round.Apps...) {
			if exhaustive() || rand.IntN(formedPart) == 0 {
				wellFormed(t, ran.Scenario.Name, m)
			}
		}
		fresh := ran.Scenario.Innocent
		for _, by := range blockedBy(&ran.Verdict) {
			fresh = fresh || !seen[by]
			seen[by] = true
		}
		if !fresh {
			continue
		}
		if ran.Scenario.Innocent {
			innocent++
		} else {
			censored++
		}
		if !exhaustive() && rand.IntN(againPart) != 0 {
			continue
		}
		t.Run(ran.Scenario.Name, func(t *testing.T) {
			t.Parallel()
			withoutEach(t, ran)
		})
	}
	if len(said) < len(ms.Rules)/2 {
		t.Errorf("only %d of %d rules spoke", len(said), len(ms.Rules))
	}
	if censored < 20 || innocent < 40 {
		t.Errorf("%d censored and %d innocent scenarios; these block: %v", censored, innocent, seen)
	}
}

// wellFormed says whether the evidence would be taken, by ourselves and by who reads OONI's data.
func wellFormed(t *testing.T, world string, m ms.Measurement) {
	t.Helper()
	if err := m.Check(); err != nil {
		t.Errorf("%s: the evidence on %s would be refused: %v", world, m.App, err)
	}
	line, err := ooni.Record(m)
	if err != nil {
		t.Errorf("%s: %v", world, err)
		return
	}
	var format oonitest.Checker
	bad := format.Check(line)
	for _, b := range bad[:min(len(bad), 10)] {
		t.Errorf("%s, %s: %s", world, m.App, b)
	}
}

func withoutEach(t *testing.T, ran *scenarios.Result) {
	whole := ran.Round
	compare := func(what string, before map[string]int, r *ms.Round) {
		v := ms.Judge(r, ran.History)
		for place, now := range strength(&v) {
			if now > before[place] {
				t.Errorf("without %s: %s rises from %d to %d: %v", what, place, before[place], now, blockedBy(&v))
			}
		}
	}
	before := strength(&ran.Verdict)
	blind := whole
	blind.Gate.Observations = nil
	compare("the gate", before, &blind)
	for _, c := range []ms.Control{ms.N, ms.D, ms.V} {
		r := whole
		r.Apps = slices.Clone(r.Apps)
		for i := range r.Apps {
			r.Apps[i].Observations = slices.DeleteFunc(slices.Clone(r.Apps[i].Observations), func(o ms.Observation) bool { return o.Control == c })
		}
		compare("control "+string(c), before, &r)
	}
	for _, i := range some(len(whole.Gate.Observations)) {
		r := whole
		r.Gate.Observations = slices.Delete(slices.Clone(r.Gate.Observations), i, i+1)
		compare("the gate's "+describeStep(&whole.Gate.Observations[i]), before, &r)
	}
	for a := range whole.Apps {
		// Each app is judged alone, which is quicker, and held against what is said of it alone.
		alone := whole
		alone.Apps = whole.Apps[a : a+1]
		if together[ran.Scenario.Name] == "" {
			compare("the other apps", before, &alone)
		}
		v := ms.Judge(&alone, ran.History)
		before := strength(&v)
		for _, i := range some(len(whole.Apps[a].Observations)) {
			withoutOne(ran, a, i, func(what string, r *ms.Round) { compare(what, before, r) })
		}
	}
}

// withoutOne takes out one observation of one app: where the record says how many there were, and where it does not;
// and then what it saw alone.
func withoutOne(ran *scenarios.Result, app, i int, compare func(what string, r *ms.Round)) {
	r, whole := ran.Round, &ran.Round.Apps[app]
	r.Apps = slices.Clone(r.Apps[app : app+1])
	edited := &r.Apps[0]
	what := whole.App + "'s " + describeStep(&whole.Observations[i])
	edited.Observations = slices.Delete(slices.Clone(whole.Observations), i, i+1)
	compare(what, &r)
	if leans[ran.Scenario.Name] == "" {
		edited.Made = 0
		compare(what+", uncounted", &r)
	}
	edited.Observations = slices.Clone(whole.Observations)
	o := &edited.Observations[i]
	o.TCP, o.TLS, o.HTTP, o.QUIC = nil, nil, nil, nil
	compare("what was seen by "+what, &r)
}

// some gives two of n indices, at random: runs of days see all of them. Where everything is tried, all.
func some(n int) []int {
	all := rand.Perm(n)
	if exhaustive() {
		return all
	}
	return all[:min(n, 2)]
}

// leans are the worlds whose record says that observations are missing (Measurement.Made), and which need that word: one
// observation alone is what excuses there.
var leans = map[string]string{
	"innocent-router-drops-udp443-after-an-update": "the one answer from nearby tells whose box swallows UDP/443",
	"innocent-resolver-cannot-reach-name-servers":  "its answer, which comes late, is what excuses",
	"innocent-resolver-slow-for-some-names":        "its answer, which comes late, is what excuses",
	"innocent-router-resets-one-in-three":          "each neutral host that dies by chance is a witness, and there are few",
	"innocent-router-resets-a-few":                 "each trial that comes out the wrong way round is a witness, and there are few",
	"innocent-router-refuses-one-in-twenty":        "the one connect that passed at the same place is what excuses the one that was refused",
	"innocent-few-new-flows-get-no-room":           "the one connect that passed is what excuses the one that was lost",
	"innocent-one-new-flow-in-ten-gets-no-room":    "the one connect that passed is what excuses the one that was lost",
	"innocent-site-out-over-ipv6":                  "the one connect that failed too is what excuses QUIC",
}

// together are the worlds in which it takes more than one app to tell: what excuses one is what the others met.
var together = map[string]string{
	"innocent-router-refuses-one-in-twenty":        "another app's place that refuses one connect and accepts one",
	"innocent-router-resets-a-few":                 "trials of other apps that come out the wrong way round",
	"innocent-few-new-flows-get-no-room":           "new flows of several apps are lost, which no block of one does",
	"innocent-one-new-flow-in-ten-gets-no-room":    "new flows of several apps are lost, which no block of one does",
	"tls-reset-by-name-without-room-for-new-flows": "new flows of several apps are lost, beside the one that is blocked",
}

func describeStep(o *ms.Observation) string {
	return fmt.Sprintf("%s %s%s of %s at %s (%s)", o.Operation, o.Control, o.Family, o.Target, o.Endpoint, o.Failure)
}

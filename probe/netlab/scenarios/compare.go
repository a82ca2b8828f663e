package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"github.com/telltale-probe/telltale/measurements"
)

// Result is a scenario, what was found in it, and how that differs from what was expected.
type Result struct {
	Scenario *Scenario
	Round    measurements.Round // the last one
	History  *measurements.History
	Verdict  measurements.RoundVerdict
	// Wrong lists every difference, one sentence each. Empty means right.
	Wrong []string
}

// Right says whether everything was found as expected, and nothing else.
func (r *Result) Right() bool { return len(r.Wrong) == 0 }

// Compare holds a verdict against a scenario's expectations.
func (s *Scenario) Compare(v *measurements.RoundVerdict) []string {
	var wrong []string
	wrong = append(wrong, s.compareNetwork(v.Network)...)
	met := make([]bool, len(s.Expect))
	for _, app := range v.All() {
		if want, ok := s.States[app.App]; ok && want != app.State {
			wrong = append(wrong, fmt.Sprintf("%s: want %s, found %s", app.App, want, app.State))
		}
		for _, t := range app.Targets {
			for i := range t.Layers {
				if !s.expected(app.App, t.Target, &t.Layers[i], met) {
					wrong = append(wrong, fmt.Sprintf("%s/%s: found %s, not expected", app.App, t.Target, describe(&t.Layers[i])))
				}
			}
		}
	}
	for i, e := range s.Expect {
		if !met[i] && !e.Maybe {
			wrong = append(wrong, "expected, not found: "+e.String())
		}
	}
	wrong = append(wrong, s.compareStanding(v.Standing)...)
	slices.Sort(wrong)
	return wrong
}

// compareStanding holds what stands by the history against what is expected to stand.
func (s *Scenario) compareStanding(stands []measurements.Standing) []string {
	if len(s.Stands) == 0 {
		return nil
	}
	var wrong []string
	met := make([]bool, len(s.Stands))
	for _, st := range stands {
		l := measurements.LayerVerdict{Layer: st.Layer, Family: st.Family, Signature: st.Signature, Confidence: st.Confidence, State: measurements.Blocked}
		fits := false
		for i, e := range s.Stands {
			if e.matches(st.App, st.Target, &l) {
				met[i], fits = true, true
			}
		}
		if !fits {
			wrong = append(wrong, fmt.Sprintf("%s/%s: %s stands, not expected", st.App, st.Target, describe(&l)))
		}
	}
	for i, e := range s.Stands {
		if !met[i] && !e.Maybe {
			wrong = append(wrong, "expected to stand, does not: "+e.String())
		}
	}
	return wrong
}

func (s *Scenario) compareNetwork(n measurements.NetworkVerdict) []string {
	want := s.Network
	if want.State == "" {
		want.State = measurements.OK
	}
	if n.State != want.State || n.Signature != want.Signature {
		return []string{fmt.Sprintf("network: want %s %s, found %s %s", want.State, want.Signature, n.State, n.Signature)}
	}
	return nil
}

// expected says whether a finding needs no expectation (plain ok), or meets one.
func (s *Scenario) expected(app, target string, l *measurements.LayerVerdict, met []bool) bool {
	fits := l.State == measurements.OK && l.Signature == ""
	for i, e := range s.Expect {
		if e.matches(app, target, l) {
			met[i], fits = true, true
		}
	}
	return fits
}

func (e *Expect) matches(app, target string, l *measurements.LayerVerdict) bool {
	return is(e.App, app) && is(e.Target, target) && is(e.Layer, l.Layer) && is(e.Family, l.Family) &&
		is(e.State, l.State) && e.Signature == l.Signature && is(e.Confidence, l.Confidence) && is(e.Rule, l.Rule)
}

func is[T ~string](want, have T) bool { return want == "" || want == have }

// String writes an expectation as one phrase.
func (e *Expect) String() string {
	return join("/", e.App, e.Target) + " " + join(" ", string(e.Layer), string(e.Family), string(e.State), string(e.Signature), string(e.Confidence), e.Rule)
}

func describe(l *measurements.LayerVerdict) string {
	return join(" ", string(l.Layer), string(l.Family), string(l.State), string(l.Signature), string(l.Confidence), "by "+l.Rule)
}

func join(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}

// Summary is a verdict in a phrase: every signature found with its confidence, or "ok".
func Summary(v *measurements.RoundVerdict) string {
	var found []string
	if v.Network.State != measurements.OK {
		found = append(found, join(" ", "network", string(v.Network.State), string(v.Network.Signature)))
	}
	for _, app := range v.All() {
		for _, t := range app.Targets {
			for _, l := range t.Layers {
				if l.State != measurements.OK || l.Signature != "" {
					found = append(found, join(" ", string(l.State), string(l.Signature), string(l.Confidence)))
				}
			}
		}
	}
	return summary(found)
}

// Expected is what the scenario expects, in the same form.
func (s *Scenario) Expected() string {
	var want []string
	if s.Network.State != "" && s.Network.State != measurements.OK {
		want = append(want, join(" ", "network", string(s.Network.State), string(s.Network.Signature)))
	}
	for _, e := range s.Expect {
		want = append(want, join(" ", string(e.State), string(e.Signature), string(e.Confidence)))
	}
	return summary(want)
}

func summary(phrases []string) string {
	if len(phrases) == 0 {
		return "ok"
	}
	slices.Sort(phrases)
	return strings.Join(slices.Compact(phrases), ", ")
}

package scenarios_test

import (
	"slices"
	"testing"

	ms "github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
)

// keepTheirWord holds what the rules say of a round against what they say that they say. Without a
// history, so that repetition adds nothing. It notes which rules spoke.
func keepTheirWord(t *testing.T, ran *scenarios.Result, said map[string]bool) {
	t.Helper()
	v := ms.Judge(&ran.Round, nil)
	for _, app := range v.Apps {
		for _, target := range app.Targets {
			for i := range target.Layers {
				said[target.Layers[i].Rule] = true
				keepsWord(t, ran.Scenario.Name, &target.Layers[i])
			}
		}
	}
}

func keepsWord(t *testing.T, scenario string, l *ms.LayerVerdict) {
	t.Helper()
	at := slices.IndexFunc(ms.Rules, func(r ms.Rule) bool { return r.ID == l.Rule })
	if at < 0 {
		if !slices.Contains([]string{"passes", "unexplained", "dns-redirect", "dns-encrypted"}, l.Rule) {
			t.Errorf("%s: no rule %q", scenario, l.Rule)
		}
		return
	}
	r := &ms.Rules[at]
	if l.Signature != "" && !slices.Contains(r.Signatures, l.Signature) {
		t.Errorf("%s: %s does not list %s", scenario, r.ID, l.Signature)
	}
	order := []ms.Confidence{"", ms.Suspected, ms.Likely, ms.Confirmed}
	if slices.Index(order, l.Confidence) > slices.Index(order, r.Confidence) {
		t.Errorf("%s: %s gives %s, and says that it gives %q at most", scenario, r.ID, l.Confidence, r.Confidence)
	}
}

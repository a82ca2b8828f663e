package measurements

import (
	"slices"
	"testing"
)

// Today's set is the whole list, the first one has none of what came later, and all name sets that exist.
func TestRulesOf(t *testing.T) {
	today, ok := RulesOf(RulesVersion)
	if !ok || len(today) != len(Rules) {
		t.Errorf("today's set has %d of %d rules", len(today), len(Rules))
	}
	first, ok := RulesOf(RulesVersions[0])
	if !ok || len(first) == 0 || len(first) >= len(today) {
		t.Errorf("the first set has %d rules, today's %d", len(first), len(today))
	}
	if slices.ContainsFunc(first, func(r Rule) bool { return r.ID == "line-congested" }) {
		t.Error("the first set knows a rule that came later")
	}
	if _, ok := RulesOf("never"); ok {
		t.Error("a set that never was")
	}
	for _, r := range Rules {
		for _, v := range []string{r.Since, r.Until} {
			if v != "" && !slices.Contains(RulesVersions, v) {
				t.Errorf("%s: no such set: %s", r.ID, v)
			}
		}
	}
	if !slices.IsSorted(RulesVersions) || RulesVersions[len(RulesVersions)-1] != RulesVersion {
		t.Errorf("%v", RulesVersions)
	}
}

package measurements

import "slices"

// RulesVersions are the sets of rules that ever judged, the oldest first. A rule that is added names
// the set with which it came (Rule.Since), one that goes the set with which it went (Rule.Until): so old
// rules stay at hand, to judge the same evidence side by side with today's. A rule whose meaning changes
// goes in its old form and comes, under the same id, in its new one.
//
// What all rules stand on (cases, the gate, the history) has no versions: an old set tells what its rules
// said of what is known today, not what the program of that day said.
var RulesVersions = []string{"2026-11-23", "2026-11-23.2", RulesVersion}

// RulesOf gives a set by its version; ok is false where there never was one.
func RulesOf(version string) (rules []Rule, ok bool) {
	if !slices.Contains(RulesVersions, version) {
		return nil, false
	}
	return rulesOf(version), true
}

func rulesOf(version string) (rules []Rule) {
	at := slices.Index(RulesVersions, version)
	for i := range allRules {
		if allRules[i].in(at) {
			rules = append(rules, allRules[i])
		}
	}
	return rules
}

// in says whether the rule belongs to the set of that index.
func (r *Rule) in(set int) bool {
	came, went := 0, len(RulesVersions)
	if r.Since != "" {
		came = slices.Index(RulesVersions, r.Since)
	}
	if r.Until != "" {
		went = slices.Index(RulesVersions, r.Until)
	}
	return came <= set && set < went
}

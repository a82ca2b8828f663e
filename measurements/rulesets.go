package measurements

import "slices"

// RulesVersions are the sets of rules that ever judged, the oldest first. A rule that is added names
// the set with which it came (Rule.Since), one that goes the set with which it went (Rule.Until): so old
// rules stay at hand, to judge the same evidence side by side with today's.
var RulesVersions = []string{"2026-11-23", RulesVersion}

// RulesOf gives a set by its version; ok is false where there never was one.
func RulesOf(version string) (rules []Rule, ok bool) {
	at := slices.Index(RulesVersions, version)
	if at < 0 {
		return nil, false
	}
	for _, r := range Rules {
		if slices.Index(RulesVersions, r.Since) > at || r.Until != "" && slices.Index(RulesVersions, r.Until) <= at {
			continue
		}
		rules = append(rules, r)
	}
	return rules, true
}

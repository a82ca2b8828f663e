package measurements

import (
	"fmt"
	"slices"
)

// RulesVersion names today's rules in every record, so that a verdict can be told from one that
// other rules gave to the same evidence. It changes with every change of a rule's meaning.
const RulesVersion = "2026-11-26.1"

// Rule is one way to explain a case. Rules are pure: what they know is in the Case.
type Rule struct {
	ID     string  // stable, append-only: the public name of the reasoning
	Says   string  // what it says, in a sentence
	Layers []Layer // where it is tried; nil means every layer
	Source string  // who found out that this tells what
	Since  string  // the set of rules with which it came; "" is the first (RulesVersions)
	Until  string  // the set with which it went; "" while it holds

	Signatures []Signature // what it may give; it may always give none
	Needs      string      // the evidence without which it is silent, or says less
	Refuses    string      // what it does not say, though it looks so
	Confidence Confidence  // the strongest that it gives by itself; "" where it calls nothing blocked

	// Judge gives the finding, or nil where the rule has nothing to say.
	Judge func(*Case) *Finding

	weighs bool // by byName, byReference or whateverTheName, whose weights changed (reweighed)
	former bool // it weighs as before that
}

// Finding is what a rule makes of a case.
type Finding struct {
	State      State
	Signature  Signature
	Confidence Confidence
	Rule       string
	Reasons    []string
}

// allRules are the rules of every set that ever judged, in the order in which they are tried. The first
// that says anything about a failed case wins. The order is the argument: our own line first, then the
// address, then the step, from proof in hand to silence; what no rule explains stays inconclusive.
var allRules = reweighed(slices.Concat(quotaRules, lineRules, householdRules, homeNameRules, congestionRules, falteredRules, addressRules, referenceRules, dnsRules, tcpRules, rootRules, certificateRules, shapeRules, tlsRules, httpRules, quicRules, appRules, volumeRules, throttleRules))

// Rules are today's, in that order.
var Rules = rulesOf(RulesVersion)

// judge tries the rules on a case.
func judge(rules []Rule, c *Case) *Finding {
	for i := range rules {
		r := &rules[i]
		if !r.appliesTo(c.Layer) {
			continue
		}
		c.former = r.former
		if f := r.Judge(c); f != nil {
			f.Rule = r.ID
			if why := c.otherHops(); why != "" && f.State == Blocked {
				f.Reasons = append(f.Reasons, why)
			}
			return whole(c, doubted(c, weakened(c, unplaced(c, f))))
		}
	}
	if !c.Failed() {
		return &Finding{State: OK, Rule: "passes"}
	}
	return &Finding{
		State: Inconclusive, Rule: "unexplained",
		Reasons: []string{fmt.Sprintf("%s failed with %s, which no rule explains", c.T.Operation, c.T.Failure.Reason())},
	}
}

func (r *Rule) appliesTo(l Layer) bool {
	if r.Layers == nil {
		return true
	}
	for _, x := range r.Layers {
		if x == l {
			return true
		}
	}
	return false
}

// blocked builds a finding; reasons are sentences for people.
func blocked(s Signature, c Confidence, reasons ...string) *Finding {
	return &Finding{State: Blocked, Signature: s, Confidence: c, Reasons: reasons}
}

// inconclusive builds one that may carry the signature that the failure looks like; "" where it looks like none.
func inconclusive(s Signature, reasons ...string) *Finding {
	return &Finding{State: Inconclusive, Signature: s, Reasons: reasons}
}

package measurements

import "fmt"

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
var allRules = concat(quotaRules, lineRules, householdRules, homeNameRules, congestionRules, addressRules, referenceRules, dnsRules, tcpRules, rootRules, certificateRules, shapeRules, tlsRules, httpRules, quicRules, appRules, volumeRules, throttleRules)

// Rules are today's, in that order.
var Rules = rulesOf(RulesVersion)

func concat(lists ...[]Rule) []Rule {
	var out []Rule
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// judge tries the rules on a case.
func judge(rules []Rule, c *Case) *Finding {
	for i := range rules {
		r := &rules[i]
		if !r.appliesTo(c.Layer) {
			continue
		}
		if f := r.Judge(c); f != nil {
			f.Rule = r.ID
			if why := c.otherHops(); why != "" && f.State == Blocked {
				f.Reasons = append(f.Reasons, why)
			}
			return weakened(c, unplaced(c, f))
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

// blocked, inconclusive and local build findings; reasons are sentences for people.

func blocked(s Signature, c Confidence, reasons ...string) *Finding {
	return &Finding{State: Blocked, Signature: s, Confidence: c, Reasons: reasons}
}

// inconclusive may carry the signature that the failure looks like; "" where it looks like none.
func inconclusive(s Signature, reasons ...string) *Finding {
	return &Finding{State: Inconclusive, Signature: s, Reasons: reasons}
}

// byName weighs a failure that the target's name met and a neutral name, just before at the same
// place, did not. A reset or an alert, which somebody had to send for this name, is likely at once.
// Silence must come again, because loss makes silence too; and so must an end (FIN), which is what an
// edge says whose backend for this one name is gone (DESIGN section 4, rules 5 and 7).
//
// Control X says "again" like another address of the target. Where it passes it takes nothing back: a
// filter may want name and prefix together (DESIGN section 2).
func byName(c *Case, s Signature, reasons ...string) *Finding {
	reasons = append(reasons, c.elsewhereReason()...)
	switch {
	case !c.Silent() && c.T.Failure != EOF:
		return blocked(s, Likely, reasons...)
	case c.AgainElsewhere(), c.NameAloneTriggers():
		return blocked(s, Likely, append(reasons, "it came again at another address")...)
	case c.AgainLater(s):
		return blocked(s, Likely, append(reasons, "it came again in a later round")...)
	}
	return blocked(s, Suspected, append(reasons, "seen once, it may be loss, or the server's own")...)
}

// whateverTheName weighs a failure that does not depend on the name: an outage or a ban looks the
// same as a block. Only evidence from the path, a reference vantage that passes there, or the same
// failure in two networks, speaks for a block; the last alone is never more than suspected (rule 6).
func whateverTheName(c *Case, s Signature, reasons ...string) *Finding {
	if c.FromThePath() {
		return blocked(s, Likely, append(reasons, "the answer came faster than the server can be reached")...)
	}
	if f := byReference(c, s, reasons...); f != nil {
		return f
	}
	if c.FailsAlikeInTwoNetworks() && !c.view.line.Fine[c.Family] {
		return inconclusive(s, append(reasons, "endpoints of the app in two networks fail alike, and so do half of the neutral operators' or more")...)
	}
	if c.FailsAlikeInTwoNetworks() {
		return blocked(s, Suspected, append(reasons, "endpoints of the app in two networks fail alike while neutral ones answer; no reference vantage says that they are up")...)
	}
	reasons = append(reasons, c.referenceReason()...)
	return inconclusive(s, append(reasons, "nothing tells a block from an outage of this place")...)
}

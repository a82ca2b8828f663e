package measurements

import (
	"fmt"
	"slices"
)

// The codes of RFC 8914, section 4, in which a resolver says that the name's servers are at fault, or its own way to
// them: their signatures don't validate (5 to 12), it can't reach them (22, 23), or they say what can't be (24).
var authorityCodes = []int{5, 6, 7, 8, 9, 10, 11, 12, 22, 23, 24}

// filteredForClient is "Filtered" (RFC 8914, section 4.18): by a list that the client asked for.
const filteredForClient = 17

// timesAgain is how often a resolver that fails is asked again, each time after a neutral name (probe, askFurther):
// one that fails for a question in ten does so for one name in a thousand each time.
const timesAgain = 2

// failsByItself explains a failure of the resolver's own; nil where nothing shows that it is one.
func (c *Case) failsByItself(s Signature) *Finding {
	if !c.T.failsByItself() {
		return nil
	}
	again := c.view.further[wanted{c.Name, c.Family}]
	for _, o := range again {
		switch {
		case o.resolved() && o.DNS.Further == AskedUnchecked:
			return inconclusive(s, "asked not to validate, the resolver answers: the name's signatures are broken for it, or it failed by chance")
		case o.resolved():
			return inconclusive(s, "asked again, the resolver answers")
		}
	}
	if c.view.line.Unsteady[c.T.Failure] {
		return inconclusive(s, "this resolver so fails for other names, too, which it answers at another moment")
	}
	for _, o := range append(slices.Clone(again), c.T) {
		for _, code := range o.extended() {
			if slices.Contains(authorityCodes, code) {
				return inconclusive(s, fmt.Sprintf("the resolver says that the name's servers, or its way to them, are at fault (RFC 8914, code %d)", code))
			}
		}
	}
	if c.failedAgain() == 0 {
		return inconclusive(s, "the resolver failed once, and was not heard to do so again")
	}
	return nil
}

// failedAgain counts how often the resolver, asked again, failed in the same way.
func (c *Case) failedAgain() (n int) {
	for _, o := range c.view.further[wanted{c.Name, c.Family}] {
		if o.Failure == c.T.Failure {
			n++
		}
	}
	return n
}

// extended are the reasons that a resolver gave for its failure (RFC 8914).
func (o *Observation) extended() []int {
	if o.DNS == nil {
		return nil
	}
	return o.DNS.Extended
}

// answeredPatiently says whether the resolver under test, silent at first, answered when it was given longer.
func (c *Case) answeredPatiently() bool {
	return slices.ContainsFunc(c.view.further[wanted{c.Name, c.Family}], (*Observation).answeredLate)
}

// answeredLate says whether it is the answer of a resolver that was silent at first, whatever it says.
func (o *Observation) answeredLate() bool {
	return o.DNS != nil && o.DNS.Further == AskedPatiently && o.DNS.Rcode >= 0
}

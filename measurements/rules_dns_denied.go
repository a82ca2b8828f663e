package measurements

import (
	"slices"
	"time"
)

// denial maps what a resolver says to the signature of saying it falsely.
var denial = map[Failure]Signature{
	DNSNXDomain: DNSNXDomainSig, DNSRefused: DNSRefusedSig, DNSServfail: DNSServfailSig, DNSNoAnswer: DNSNoAnswerSig,
}

func deniedName(c *Case) *Finding {
	s := denial[c.T.Failure]
	if s == "" {
		return nil
	}
	honest, spoke := c.view.answered(c.Name, c.Family)
	switch {
	case !spoke:
		return inconclusive(s, "no other way to resolve answered")
	case len(honest) == 0 && c.resolvesAtReference():
		return inconclusive(s, "every resolver that we asked denies the name; the reference vantage's resolves it")
	case len(honest) == 0 && c.T.Failure == DNSNXDomain:
		return inconclusive(ServiceMoved, "every resolver denies the name: it is gone, or our catalogue is stale")
	case len(honest) == 0:
		return inconclusive(s, "other resolvers do not resolve the name either")
	case !c.neutralNameAfter():
		return inconclusive(s, c.withoutNeutralName())
	case c.mayBeCached():
		return inconclusive(s, "the denial has the SOA of the name's own zone, and may have been kept from a time when there was no answer")
	case !c.view.line.Resolves[c.Family]:
		return inconclusive(s, "the resolver gives no address of this family for neutral names either")
	}
	if f := c.failsByItself(s); f != nil {
		return f
	}
	switch {
	case !c.view.anyProved(c.Name, honest):
		return blocked(s, Suspected, c.resolver()+" denies the name, control D resolves it, but no address proved itself")
	case slices.Contains(c.T.extended(), filteredForClient):
		return blocked(s, Suspected, c.resolver()+" denies the name; control D's address proves itself", "the resolver says that it filters as its client asked for (RFC 8914, code 17)")
	case c.T.failsByItself() && c.failedAgain() < timesAgain:
		return blocked(s, Suspected, c.resolver()+" failed for this name, and was not heard to do so as often as it would have been asked; control D's address proves itself")
	case c.T.Failure == DNSServfail && !c.AgainLater(s, Decorrelation):
		// A resolver that fails is not yet one that lies (RFC 8499 knows SERVFAIL as a failure of its own).
		return blocked(s, Suspected, c.resolver()+" failed for this name once; control D's address proves itself")
	}
	return blocked(s, c.atMost(Likely), c.resolver()+" denies the name and resolves neutral ones; control D's address proves itself")
}

func silentResolver(c *Case) *Finding {
	if c.T.Failure != Timeout {
		return nil
	}
	honest, _ := c.view.answered(c.Name, c.Family)
	switch {
	case !c.neutralNameAfter():
		return inconclusive(DNSTimeoutSig, c.withoutNeutralName())
	case !c.view.line.Answers:
		return inconclusive(DNSTimeoutSig, "the resolver does not answer for neutral names either")
	case len(honest) == 0:
		return inconclusive(DNSTimeoutSig, "no other way to resolve gave an address")
	case !c.view.anyProved(c.Name, honest) && !c.view.anyAnswers(honest):
		return inconclusive(DNSTimeoutSig, "silent about this name; nothing answers at the address that another way to resolve gave")
	case c.answeredPatiently():
		return inconclusive(DNSTimeoutSig, "asked once more and given longer than programs wait, the resolver answers: it is slow for this name, or can't reach its servers")
	case c.otherFamilyAnswered():
		return inconclusive(DNSTimeoutSig, "the same resolver answers for this name in the other family: three questions were lost, as it seems")
	case !c.view.anyProved(c.Name, honest), len(c.view.further[wanted{c.Name, c.Family}]) == 0:
		return blocked(DNSTimeoutSig, Suspected, "silent about this name, a neutral one is answered; it was not given longer, or no address of control D's proved itself")
	case c.AgainLater(DNSTimeoutSig, Decorrelation):
		return blocked(DNSTimeoutSig, c.atMost(Likely), "silent about this name, however long it is given, and in a later round again; a neutral name is answered")
	}
	return blocked(DNSTimeoutSig, Suspected, "silent about this name, a neutral one is answered; silence in one round may be loss")
}

// neutralNameAfter says whether the resolver, asked for a neutral name right after it had failed for the
// target's, gave its address. The gate's questions are older: a resolver may have begun to fail since.
func (c *Case) neutralNameAfter() bool {
	n := c.view.neutral[placed{c.Target.ID, c.Family}]
	return n != nil && n.OK()
}

// withoutNeutralName is why there is no such answer.
func (c *Case) withoutNeutralName() string {
	if c.view.neutral[placed{c.Target.ID, c.Family}] == nil {
		return "the resolver was not asked for a neutral name right afterwards"
	}
	return "asked right afterwards, the resolver failed for a neutral name, too"
}

// longestNegative is how long a resolver may keep a denial, whatever its SOA says (RFC 2308, section 5).
const longestNegative = 3 * time.Hour

// mayBeCached says whether a denial may be an honest one of before, by what its SOA allows: where the name
// was ok here, it can't be once that time is over.
func (c *Case) mayBeCached() bool {
	if c.T.Failure != DNSNXDomain && c.T.Failure != DNSNoAnswer || c.T.DNS == nil || c.T.DNS.Negative == 0 {
		return false
	}
	kept := min(time.Duration(c.T.DNS.Negative)*time.Second, longestNegative)
	ok, known := c.view.history.lastOK(placeKey{c.view.m.App, c.Target.ID, LayerDNS, c.Family})
	return !known || c.view.history.at.Sub(ok) <= kept
}

// otherFamilyAnswered says whether the resolver under test answered for the name in the other family,
// whatever it said. Who is silent about a name is so for both.
func (c *Case) otherFamilyAnswered() bool {
	o := c.view.system[wanted{c.Name, c.Family.other()}]
	return o != nil && o.DNS != nil && o.DNS.Rcode >= 0
}

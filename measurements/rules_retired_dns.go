package measurements

import "fmt"

// Rules on DNS that hold no more, each as it was.

var anyConflict = Rule{
	ID:         "dns-conflicting-answers",
	Until:      "2026-11-26.1",
	former:     true,
	Says:       "Two answers to one query contradict each other, and the first is not the one that proves itself: somebody on the path was faster.",
	Layers:     []Layer{LayerDNS},
	Source:     "Anonymous et al., Triplet Censors, FOCI 2020; Niaki et al., ICLab, IEEE S&P 2020",
	Signatures: []Signature{DNSInjectOther, DNSInjectBogon, DNSNXDomainSig, DNSRefusedSig, DNSServfailSig, DNSNoAnswerSig},
	Needs:      "two answers to one query, and a later one whose addresses prove themselves or are control D's",
	Refuses:    "anything where the first answer proves itself: two right answers may differ",
	Confidence: Confirmed,
	Judge:      anyConflictingAnswers,
}

// anyConflictingAnswers took a resolver that failed once, and an address that had not proved itself, for a forged
// answer.
func anyConflictingAnswers(c *Case) *Finding {
	if c.view.anyProved(c.Name, c.answers()) {
		return nil
	}
	for _, o := range []*Observation{c.T, c.view.behind[wanted{c.Name, c.Family}]} {
		if o == nil {
			continue
		}
		if f := c.contradictedAnyhow(o); f != nil {
			return f
		}
	}
	return nil
}

func (c *Case) contradictedAnyhow(o *Observation) *Finding {
	d := o.DNS
	if d == nil || len(d.Late) == 0 || c.view.anyProved(c.Name, d.Addresses) {
		return nil
	}
	honest, _ := c.view.answered(c.Name, c.Family)
	for _, late := range d.Late {
		truth := late.Addresses
		if !c.view.anyProved(c.Name, truth) && !(len(honest) > 0 && overlap(honest, truth)) {
			continue
		}
		s := DNSInjectOther
		switch {
		case !o.OK() && o.Failure != DNSBogon:
			s = denial[o.Failure]
		case o.Failure == DNSBogon, anyNotRoutable(d.Addresses):
			s = DNSInjectBogon
		}
		if s == "" {
			return nil
		}
		reasons := []string{"one query got two answers that contradict each other, and the later one is the true one"}
		if d.Behind {
			reasons = append(reasons, "it was asked of the resolver behind this machine's stub, which passes the first one on")
		}
		return blocked(s, Confirmed, reasons...)
	}
	return nil
}

var bogonWithProofAlone = Rule{
	ID:         "dns-bogon",
	Until:      "2026-11-26.1",
	former:     true,
	Says:       "The answer is an address that no public server can have; control D's address works.",
	Layers:     []Layer{LayerDNS},
	Source:     "ooni/data rule bogon_not_in_ctrl; RFC 6890",
	Signatures: []Signature{DNSInjectBogon},
	Needs:      "an answer of addresses that are not routable, and an address of control D that proves itself",
	Refuses:    "more than a suspicion of a resolver inside the home; anything of an answer that leads nowhere there, as household filters give it",
	Confidence: Likely,
	Judge:      bogonAnswerWithProofAlone,
}

// bogonAnswerWithProofAlone took an answer that leads nowhere for a bogon like others, and said nothing of a lie behind which
// other blocks stand.
func bogonAnswerWithProofAlone(c *Case) *Finding {
	if c.T.Failure != DNSBogon && !anyNotRoutable(c.answers()) {
		return nil
	}
	honest, _ := c.view.answered(c.Name, c.Family)
	if c.atHome() && nowhere(c.answers()) {
		return inconclusive(DNSInjectBogon, "the resolver at home answers with an address that leads nowhere, as the filters of households do")
	}
	if c.view.anyProved(c.Name, honest) {
		return blocked(DNSInjectBogon, c.atMost(Likely), c.resolver()+" gives an address that no public server can have; control D's address proves itself")
	}
	return inconclusive(DNSInjectBogon, "the answer is no public address, and no other way to resolve led to an address that proves itself")
}

var blockAddressAnywhere = Rule{
	ID:         "dns-known-block-address",
	Until:      "2026-11-26.1",
	Says:       "The answer is an address at which only block pages live.",
	Layers:     []Layer{LayerDNS},
	Source:     "ooni/blocking-fingerprints; ooni/backend#543",
	Signatures: []Signature{DNSInjectBlockpage},
	Needs:      "an answer with an address of the list",
	Refuses:    "who sent it: the resolver or somebody before it",
	Confidence: Confirmed,
	Judge: func(c *Case) *Finding {
		for _, a := range c.answers() {
			if cc := knownBlockAddress(a); cc != "" {
				return blocked(DNSInjectBlockpage, Confirmed, fmt.Sprintf("%s answers with %s, where block pages of %s live", c.resolver(), a, cc))
			}
		}
		return nil
	},
}

var blockPageAnywhere = Rule{
	ID:         "dns-serves-block-page",
	Until:      "2026-11-26.1",
	Says:       "The address that the resolver gives serves a known block page.",
	Layers:     []Layer{LayerDNS},
	Source:     "ooni/blocking-fingerprints",
	Signatures: []Signature{DNSInjectBlockpage},
	Needs:      "an exchange with the address given, unverified, that brings a page of the list, and no word of control D for the address",
	Refuses:    "what the service itself does",
	Confidence: Confirmed,
	Judge: func(c *Case) *Finding {
		for _, a := range c.answers() {
			if cc := c.view.servesBlockPage(c.Name, a); cc != "" {
				return blocked(DNSInjectBlockpage, Confirmed, fmt.Sprintf("the address that %s gives serves a block page known from %s", c.resolver(), cc))
			}
		}
		return nil
	},
}

var silentOnce = Rule{
	ID:         "dns-timeout",
	Until:      "2026-11-26.1",
	Says:       "The resolver is silent about this name, three times, and answers a neutral one; control D resolves it.",
	Layers:     []Layer{LayerDNS},
	Source:     "DESIGN section 4, dns.timeout",
	Signatures: []Signature{DNSTimeoutSig},
	Needs:      "three unanswered queries, an answer for a neutral name, and an address from control D",
	Refuses:    "more than a suspicion of silence in one round",
	Confidence: Likely,
	Judge:      silentResolverOnce,
}

var deniedOnce = Rule{
	ID:         "dns-denied",
	Until:      "2026-11-26.1",
	Says:       "The resolver denies this name and resolves a neutral one; control D resolves it.",
	Layers:     []Layer{LayerDNS},
	Source:     "ooni/data rule system_failure_ctrl_ok; DESIGN section 4, rules 7 and 8",
	Signatures: []Signature{DNSNXDomainSig, DNSRefusedSig, DNSServfailSig, DNSNoAnswerSig, ServiceMoved},
	Needs:      "a denial, neutral names that resolve in this family, and an address of control D that proves itself",
	Refuses:    "that a name is blocked that every resolver denies; more than a suspicion of a resolver inside the home, or of one SERVFAIL",
	Confidence: Likely,
	Judge:      deniedNameOnce,
}

// deniedNameOnce took one refusal, or a name that the resolver could not validate, for a denial.
func deniedNameOnce(c *Case) *Finding {
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
	case !c.view.anyProved(c.Name, honest):
		return blocked(s, Suspected, c.resolver()+" denies the name, control D resolves it, but no address proved itself")
	case c.T.Failure == DNSServfail && !c.AgainLater(s, Decorrelation):
		// A resolver that fails is not yet one that lies (RFC 8499 knows SERVFAIL as a failure of its own).
		return blocked(s, Suspected, c.resolver()+" failed for this name once; control D's address proves itself")
	}
	return blocked(s, c.atMost(Likely), c.resolver()+" denies the name and resolves neutral ones; control D's address proves itself")
}

// silentResolverOnce did not wait longer than programs do, and took any address of control D's for proof.
func silentResolverOnce(c *Case) *Finding {
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
	case c.otherFamilyAnswered():
		return inconclusive(DNSTimeoutSig, "the same resolver answers for this name in the other family: three questions were lost, as it seems")
	case c.AgainLater(DNSTimeoutSig, Decorrelation):
		return blocked(DNSTimeoutSig, c.atMost(Likely), "silent about this name, in a later round again; a neutral name is answered")
	}
	return blocked(DNSTimeoutSig, Suspected, "silent about this name, a neutral one is answered; silence in one round may be loss")
}

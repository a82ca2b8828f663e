package measurements

import "net/netip"

// answers are the addresses that the resolver under test gave for the case's name.
func (c *Case) answers() []netip.Addr {
	if c.T == nil || c.T.DNS == nil {
		return nil
	}
	return c.T.DNS.Addresses
}

// atHome says whether the resolver lives inside the home: its lies may be the household's own filter.
func (c *Case) atHome() bool { return c.T.DNS != nil && c.T.DNS.Class == "home" }

// atMost lowers a confidence for a resolver inside the home (rule 8).
func (c *Case) atMost(most Confidence) Confidence {
	if c.atHome() {
		return Suspected
	}
	return most
}

func (c *Case) resolver() string {
	if c.atHome() {
		return "the resolver at home"
	}
	return "the resolver"
}

func bogonAnswer(c *Case) *Finding {
	if c.T.Failure != DNSBogon {
		return nil // nor is it a bogon where the configuration names the address
	}
	if c.view.anyProved(c.Name, c.answers()) {
		return &Finding{State: OK, Reasons: []string{"the answer is no public address, and proved itself for the name"}}
	}
	honest, _ := c.view.answered(c.Name, c.Family)
	if c.atHome() && nowhere(c.answers()) {
		return inconclusive(DNSInjectBogon, "the resolver at home answers with an address that leads nowhere, as the filters of households do")
	}
	const lie = " gives an address that no public server can have"
	switch {
	case c.view.anyProved(c.Name, honest) && nowhere(c.answers()):
		return blocked(DNSInjectBogon, Suspected, c.resolver()+" gives an address that leads nowhere; control D's address proves itself", "so answer the resolvers that filter for households, and no censor that we know of")
	case c.view.anyProved(c.Name, honest):
		return blocked(DNSInjectBogon, c.atMost(Likely), c.resolver()+lie+"; control D's address proves itself")
	case c.view.anyAnswers(honest):
		return blocked(DNSInjectBogon, Suspected, c.resolver()+lie+"; at control D's address something answers, and could not prove itself: other blocks may stand before it")
	}
	return inconclusive(DNSInjectBogon, "the answer is no public address, and no other way to resolve led to an address at which anything answers")
}

// servesBlockPage gives the country of the block page that the peer at an address served in place of name.
func (v *view) servesBlockPage(name string, a netip.Addr) string {
	for i := range v.m.Observations {
		o := &v.m.Observations[i]
		if o.Operation == HTTPExchange && o.Name == name && o.Addr() == a && o.Transport == "tls" {
			if cc := knownBlockPage(o.HTTP); cc != "" && !v.vouchedFor(name, a) {
				return cc
			}
		}
	}
	return ""
}

// lieOfAPage weighs an answer that leads to a block page. The page is proof; that the home's own resolver made the
// answer up, no page refutes. What is behind the stub, or another resolver in clear, says so as well where the lie is told
// beyond the home (rule 8).
func (c *Case) lieOfAPage(a netip.Addr, reason string) *Finding {
	if !c.atHome() {
		return blocked(DNSInjectBlockpage, Confirmed, reason)
	}
	behind := c.view.behind[wanted{c.Name, c.Family}]
	if behind != nil && behind.DNS != nil && contains(behind.DNS.Addresses, a) || c.view.givenByOthers(c.Name, a, "udp", "tcp") {
		return blocked(DNSInjectBlockpage, Confirmed, reason, "resolvers outside the home say so, too")
	}
	return blocked(DNSInjectBlockpage, Suspected, reason, "it was heard inside the home alone")
}

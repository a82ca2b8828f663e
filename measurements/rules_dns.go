package measurements

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// addressRules come before every layer above DNS: an address that nobody vouches for is nobody's.
var addressRules = []Rule{
	{
		ID:      "address-unproved",
		Says:    "Only the resolver under test knows this address, and it has not proved itself: a forged or a rotated one, who knows.",
		Layers:  []Layer{LayerTCP, LayerTLS, LayerQUIC},
		Source:  "DESIGN section 4, rules 2 and 3; Ramesh et al., CERTainty, 2023",
		Needs:   "control D's addresses for the name, without this one, which has not proved itself",
		Refuses: "that an address is forged because others are given elsewhere: edges rotate",
		Judge: func(c *Case) *Finding {
			if !c.Failed() || c.Origin != FromSystem || !c.view.unproved(hostOf(c), c.Addr()) {
				return nil
			}
			return inconclusive("", "control D gives other addresses for the name, and this one has not proved itself")
		},
	},
}

// hostOf is the name that led to the case's address: its own in TLS and above, the target's in TCP.
func hostOf(c *Case) string {
	for _, h := range c.Target.Hosts {
		if o := c.view.system[wanted{h, c.Family}]; o != nil && o.DNS != nil && contains(o.DNS.Addresses, c.Addr()) {
			return h
		}
	}
	return c.Name
}

var dnsRules = []Rule{
	blockAddressAnywhere,
	{
		ID:         "dns-known-block-address",
		Since:      "2026-11-26.1",
		Says:       "The answer is an address at which only block pages live.",
		Layers:     []Layer{LayerDNS},
		Source:     "ooni/blocking-fingerprints; ooni/backend#543",
		Signatures: []Signature{DNSInjectBlockpage},
		Needs:      "an answer with an address of the list, which no encrypted second opinion gives as well",
		Refuses:    "who sent it: the resolver or somebody before it; more than a suspicion of a resolver inside the home, unless it was heard beyond the home as well",
		Confidence: Confirmed,
		Judge: func(c *Case) *Finding {
			for _, a := range c.answers() {
				if cc := knownBlockAddress(a); cc != "" && !c.view.vouchedInSecret(c.Name, a) {
					return c.lieOfAPage(a, fmt.Sprintf("%s answers with %s, where block pages of %s live", c.resolver(), a, cc))
				}
			}
			return nil
		},
	},
	blockPageAnywhere,
	{
		ID:         "dns-serves-block-page",
		Since:      "2026-11-26.1",
		Says:       "The address that the resolver gives serves a known block page.",
		Layers:     []Layer{LayerDNS},
		Source:     "ooni/blocking-fingerprints",
		Signatures: []Signature{DNSInjectBlockpage},
		Needs:      "an exchange with the address given, unverified, that brings a page of the list, and no word of control D for the address",
		Refuses:    "what the service itself does; more than a suspicion of a resolver inside the home, unless it was heard beyond the home as well",
		Confidence: Confirmed,
		Judge: func(c *Case) *Finding {
			for _, a := range c.answers() {
				if cc := c.view.servesBlockPage(c.Name, a); cc != "" {
					return c.lieOfAPage(a, fmt.Sprintf("the address that %s gives serves a block page known from %s", c.resolver(), cc))
				}
			}
			return nil
		},
	},
	anyConflict,
	{
		ID:         "dns-conflicting-answers",
		Since:      "2026-11-26.1",
		Says:       "Two answers to one query contradict each other, and the first states what is false: somebody on the path was faster.",
		Layers:     []Layer{LayerDNS},
		Source:     "Anonymous et al., Triplet Censors, FOCI 2020; Niaki et al., ICLab, IEEE S&P 2020",
		Signatures: []Signature{DNSInjectOther, DNSInjectBogon, DNSNXDomainSig, DNSRefusedSig, DNSServfailSig, DNSNoAnswerSig},
		Needs:      "two answers to one query, a later one whose addresses prove themselves or are control D's, and a first that denies the name, or gives a bogon or an address of somebody else's; else a first that another sent, by its hop limit or its haste",
		Refuses:    "anything where the first answer proves itself: two right answers may differ; more than a suspicion of a first that says that it failed, or of a resolver inside the home; that an address is forged which has only not proved itself",
		Confidence: Confirmed,
		Judge:      conflictingAnswers,
	},
	bogonWithProofAlone,
	{
		ID:         "dns-bogon",
		Since:      "2026-11-26.1",
		Says:       "The answer is an address that no public server can have; control D's address works, or answers.",
		Layers:     []Layer{LayerDNS},
		Source:     "ooni/data rule bogon_not_in_ctrl; RFC 6890",
		Signatures: []Signature{DNSInjectBogon},
		Needs:      "an answer of addresses that are not routable, and an address of control D that proves itself, or at which anything answers",
		Refuses:    "more than a suspicion of a resolver inside the home, of an answer that leads nowhere, or where no address proves itself; anything of an answer that leads nowhere inside the home, as household filters give it",
		Confidence: Likely,
		Judge:      bogonAnswer,
	},
	{
		ID:         "dns-answers-as-other",
		Says:       "The address that the resolver gives completes a handshake as someone else, while control D's proves itself.",
		Layers:     []Layer{LayerDNS},
		Source:     "Pearce et al., Iris, USENIX Security 2017; Ramesh et al., CERTainty, 2023",
		Signatures: []Signature{DNSInjectOther},
		Needs:      "an address of the answer that completes a handshake as someone else, and an address of control D that proves itself",
		Refuses:    "that an address is false because it is of another network, or can't speak",
		Confidence: Likely,
		Judge: func(c *Case) *Finding {
			if c.Failed() || c.view.anyProved(c.Name, c.answers()) {
				return nil
			}
			for _, a := range c.answers() {
				if c.view.forged(c.Name, a) {
					return blocked(DNSInjectOther, c.atMost(Likely), "the address given completes a handshake as someone else; control D's address proves itself")
				}
			}
			return nil
		},
	},
	silentOnce,
	{
		ID:         "dns-timeout",
		Since:      "2026-11-26.1",
		Says:       "The resolver is silent about this name, three times and with patience, and answers a neutral one; control D resolves it.",
		Layers:     []Layer{LayerDNS},
		Source:     "DESIGN section 4, dns.timeout",
		Signatures: []Signature{DNSTimeoutSig},
		Needs:      "three unanswered queries and one with patience, an answer for a neutral name, and an address of control D that proves itself",
		Refuses:    "more than a suspicion of silence in one round, or without patience; anything of a resolver that answers late, or where nothing answers at control D's address",
		Confidence: Likely,
		Judge:      silentResolver,
	},
	deniedOnce,
	{
		ID:         "dns-denied",
		Since:      "2026-11-26.1",
		Says:       "The resolver denies this name and resolves a neutral one; control D resolves it.",
		Layers:     []Layer{LayerDNS},
		Source:     "ooni/data rule system_failure_ctrl_ok; DESIGN section 4, rules 7 and 8",
		Signatures: []Signature{DNSNXDomainSig, DNSRefusedSig, DNSServfailSig, DNSNoAnswerSig, ServiceMoved},
		Needs:      "a denial, neutral names that resolve in this family, and an address of control D that proves itself; a failure or a refusal each time that the resolver is asked again, two times, while it resolves neutral names (a failure: not to validate, too)",
		Refuses:    "that a name is blocked that every resolver denies; more than a suspicion of a resolver inside the home, or of SERVFAIL in one round; anything of a failure that was heard once, that ends when the resolver is asked again, for this name or another, or that the resolver explains (RFC 8914)",
		Confidence: Likely,
		Judge:      deniedName,
	},
	{
		ID:      "dns-unproved",
		Says:    "Control D gives only other addresses, and none of the resolver's proved itself.",
		Layers:  []Layer{LayerDNS},
		Source:  "DESIGN section 4, rule 2",
		Needs:   "an answer without an address that control D gives, and none that proved itself",
		Refuses: "whether it is a lie or a rotation",
		Judge: func(c *Case) *Finding {
			honest, _ := c.view.answered(c.Name, c.Family)
			if c.Failed() || len(honest) == 0 || c.view.anyProved(c.Name, c.answers()) {
				return nil
			}
			for _, a := range c.answers() {
				if contains(honest, a) {
					return nil
				}
			}
			return inconclusive("", "control D gives other addresses, and the one given could not prove itself: a lie or a rotation")
		},
	},
}

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

// otherHops says so where an answer came with another hop limit than each of the same resolver's about
// neutral names: who sent it stands elsewhere on the path. It is a reason and no proof, since a resolver may
// be several machines; "" where it is not so, or not known.
func (c *Case) otherHops() string {
	if c.Layer != LayerDNS || c.T.DNS == nil || c.T.DNS.HopLimit == 0 || c.T.DNS.Transport != "udp" {
		return ""
	}
	usual := 0
	for i := range c.view.gate.Observations {
		o := &c.view.gate.Observations[i]
		if o.Operation != Resolve || o.Control != T || o.DNS == nil || o.DNS.HopLimit == 0 || o.DNS.Transport != "udp" || o.DNS.Resolver != c.T.DNS.Resolver {
			continue
		}
		if usual = o.DNS.HopLimit; usual == c.T.DNS.HopLimit {
			return ""
		}
	}
	if usual == 0 {
		return ""
	}
	return fmt.Sprintf("the answer came with hop limit %d, those about neutral names with %d: somebody else sent it", c.T.DNS.HopLimit, usual)
}

func (c *Case) resolver() string {
	if c.atHome() {
		return "the resolver at home"
	}
	return "the resolver"
}

// conflictingAnswers looks at what the resolver under test said and, where that is a stub, which passes
// one answer on, at what was heard from the resolver behind it.
func conflictingAnswers(c *Case) *Finding {
	if c.view.anyProved(c.Name, c.answers()) {
		return nil
	}
	for _, o := range []*Observation{c.T, c.view.behind[wanted{c.Name, c.Family}]} {
		if o == nil {
			continue
		}
		if f := c.contradicted(o); f != nil {
			return f
		}
	}
	return nil
}

// contradicted says what a resolve step makes of its late answers.
func (c *Case) contradicted(o *Observation) *Finding {
	d := o.DNS
	if d == nil || len(d.Late) == 0 || c.view.anyProved(c.Name, d.Addresses) {
		return nil
	}
	honest, _ := c.view.answered(c.Name, c.Family)
	for i := range d.Late {
		late := &d.Late[i]
		if proved := c.view.anyProved(c.Name, late.Addresses); proved || overlap(honest, late.Addresses) {
			return c.conflict(o, late, proved)
		}
	}
	return nil
}

// conflict weighs two answers to one query, of which the later one is true; proved: it led to an address that proves
// itself. Proof in hand it is where the first one states what is false, and another than the resolver sent it. A
// resolver may be several machines, one of which fails, or a forwarder that passes on what several say.
func (c *Case) conflict(o *Observation, late *DNSAnswer, proved bool) *Finding {
	s, by := c.falsehood(o), c.sentByAnother(o, late)
	reasons := []string{"one query got two answers that contradict each other, and the later one is the true one"}
	if o.DNS.Behind {
		reasons = append(reasons, "it was asked of the resolver behind this machine's stub, which passes the first one on")
	}
	if by != "" {
		reasons = append(reasons, by)
	}
	impostor := s == DNSInjectOther && c.anyImposter(o.DNS.Addresses)
	switch {
	case s == "":
		return nil
	case o.Failure == DNSServfail || o.Failure == DNSRefused:
		if by == "" {
			return inconclusive(s, append(reasons, "the first says that it failed, as one of several machines behind a resolver's address may")...)
		}
		return blocked(s, Suspected, append(reasons, "the first says no more than that it failed")...)
	case by == "" && (o.Failure == DNSNoAnswer || s == DNSInjectOther && !impostor):
		return inconclusive(s, append(reasons, "the first could not be proved false, and nothing shows that another sent it: a forwarder may pass on what two resolvers say")...)
	case by == "" && !proved:
		return nil // one of two answers is false; which rule says so is for the others
	case s == DNSInjectOther && !impostor:
		return blocked(s, c.atMostHere(o, Likely), reasons...)
	}
	return blocked(s, c.atMostHere(o, Confirmed), reasons...)
}

// falsehood is the signature of what a first answer says that is not so; "" where it says nothing of the name.
func (c *Case) falsehood(o *Observation) Signature {
	switch {
	case !o.OK() && o.Failure != DNSBogon:
		return denial[o.Failure]
	case o.Failure == DNSBogon, anyNotRoutable(o.DNS.Addresses):
		return DNSInjectBogon
	}
	return DNSInjectOther
}

// atMostHere lowers a confidence for what was heard from a resolver inside the home (rule 8), and not from the one
// behind it.
func (c *Case) atMostHere(o *Observation, most Confidence) Confidence {
	if o.DNS.Behind {
		return most
	}
	return c.atMost(most)
}

// anyImposter says whether one of the addresses completed a handshake as somebody else: under this name, or under
// another of the app's, where the certificate is not for this one either. A place where one target failed is left
// alone for the others in the same round.
func (c *Case) anyImposter(addrs []netip.Addr) bool {
	for at, o := range c.view.imposter {
		if contains(addrs, at.addr) && (at.name == c.Name || o.TLS.foreignTo(c.Name)) {
			return true
		}
	}
	return false
}

// anotherHop is by how much hop limits differ where the senders do, and not merely their ways (signatures, B.3).
const anotherHop = 2

// sentByAnother is why the first answer is not of the one who sent the later one; "" where nothing says so.
func (c *Case) sentByAnother(o *Observation, late *DNSAnswer) string {
	if a, b := o.DNS.HopLimit, late.HopLimit; a != 0 && b != 0 && max(a, b)-min(a, b) > anotherHop {
		return fmt.Sprintf("the first came with hop limit %d, the true one with %d: somebody else sent it", a, b)
	}
	least := c.leastAnswer()
	if !o.DNS.Behind && o.DNS.Attempts == 1 && least > 0 && float64(o.Duration) < resetNearer*float64(least) {
		return fmt.Sprintf("it came after %v, and the resolver never answered in less than %v: somebody nearer sent it",
			time.Duration(o.Duration).Round(time.Millisecond), time.Duration(least).Round(time.Millisecond))
	}
	return ""
}

// leastAnswer is the least time in which the resolver under test answered for neutral names over UDP in this round,
// of two answers at least; 0 where there are none. Where there are several resolvers it is the nearest one's.
func (c *Case) leastAnswer() (least Seconds) {
	n := 0
	for i := range c.view.gate.Observations {
		o := &c.view.gate.Observations[i]
		if o.Operation != Resolve || o.Control != T || o.DNS == nil || o.DNS.Transport != "udp" || o.DNS.Rcode < 0 || o.DNS.Attempts != 1 {
			continue
		}
		if n++; n == 1 || o.Duration < least {
			least = o.Duration
		}
	}
	if n < 2 {
		return 0
	}
	return least
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

// anyAnswers says whether anything answered us at one of the addresses in this round, whoever.
func (v *view) anyAnswers(addrs []netip.Addr) bool {
	for i := range v.m.Observations {
		if o := &v.m.Observations[i]; o.Operation != Resolve && contains(addrs, o.Addr()) && (o.OK() || o.Received > 0) {
			return true
		}
	}
	return false
}

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

// vouchedFor says whether control D gives this very address: what is served there is then no lie of the resolver.
func (v *view) vouchedFor(name string, a netip.Addr) bool {
	honest, _ := v.answered(name, FamilyOf(a))
	return contains(honest, a)
}

// vouchedInSecret says whether control D gives this very address over a channel that nobody on the path can write to,
// whatever kind of address it is.
func (v *view) vouchedInSecret(name string, a netip.Addr) bool {
	return v.givenByOthers(name, a, "dot", "doh")
}

// givenByOthers says whether another resolver than the one under test gives an address, over one of the transports.
func (v *view) givenByOthers(name string, a netip.Addr, transports ...string) bool {
	return slices.ContainsFunc(v.trusted[wanted{name, FamilyOf(a)}], func(o *Observation) bool {
		return o.DNS != nil && o.DNS.Resolver != SystemResolver && slices.Contains(transports, o.DNS.Transport) && contains(o.DNS.Addresses, a)
	})
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

// nowhere says whether all addresses are unspecified: what a household's filter answers with (Pi-hole,
// AdGuard Home) and no censor that we know of.
func nowhere(in []netip.Addr) bool {
	for _, a := range in {
		if !a.IsUnspecified() {
			return false
		}
	}
	return len(in) > 0
}

func anyNotRoutable(in []netip.Addr) bool {
	for _, a := range in {
		if notRoutable(a) {
			return true
		}
	}
	return false
}

func overlap(a, b []netip.Addr) bool {
	for _, x := range b {
		if contains(a, x) {
			return true
		}
	}
	return false
}

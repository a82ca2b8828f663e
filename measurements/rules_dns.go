package measurements

import "fmt"

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

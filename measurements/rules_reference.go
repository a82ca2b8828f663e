package measurements

// referenceRules come before the layers' own: what fails outside as well is nobody's block.
var referenceRules = []Rule{
	{
		ID:      "reference-fails-too",
		Since:   "2026-11-23.2",
		Says:    "The reference vantage fails at every endpoint of the target as well: it is down for everyone.",
		Layers:  []Layer{LayerTCP, LayerTLS, LayerHTTP, LayerQUIC},
		Source:  "DESIGN section 4, rules 6 and 7; ooni/data, down where the control fails too",
		Needs:   "a fresh word of the reference vantage that the target fails at every endpoint, for it too, and no step of ours that passed there",
		Refuses: "whether what is down here is blocked as well",
		Judge: func(c *Case) *Finding {
			if !c.dies() || c.NeutralPassed() || c.Passed != nil || c.OtherPortPasses() || !c.FailsAtReference() {
				return nil
			}
			if c.reference().State != Down { // one machine of several; or R finds a block itself, and is no witness
				return nil
			}
			return &Finding{State: Down, Reasons: []string{"the reference vantage fails at every endpoint of this target, too"}}
		},
	},
	{
		ID:         "reference-denies-name",
		Since:      "2026-11-23.2",
		Says:       "The resolver denies the name, the reference vantage's does, too, and no address for it has proved itself: it is gone.",
		Layers:     []Layer{LayerDNS},
		Source:     "DESIGN section 4, rule 7; RFC 8020",
		Signatures: []Signature{ServiceMoved},
		Needs:      "a fresh word of the reference vantage's resolver that denies the name, ours that denies it, and no address that proves itself",
		Refuses:    "whether the resolver here would have told the truth",
		Judge: func(c *Case) *Finding {
			n := c.referenceSays()
			if n == nil || n.Failure != DNSNXDomain || c.T.Failure != DNSNXDomain || c.T.DNS == nil || len(c.T.DNS.Late) > 0 {
				return nil
			}
			if honest, _ := c.view.answered(c.Name, c.Family); c.view.anyProved(c.Name, honest) {
				return nil
			}
			return &Finding{State: Down, Signature: ServiceMoved, Reasons: []string{"the reference vantage's resolver denies the name, too: it is gone, or our catalogue is stale"}}
		},
	},
}

// dies says whether the step failed in a way that an outage has, too: nobody answered as somebody else.
func (c *Case) dies() bool {
	if !c.Failed() || c.T.Failure == TLSNotTLS {
		return false
	}
	return c.Kind() != "" || c.T.Failure == ConnectionRefused || c.T.Failure.IsUnreachable() || c.T.Failure == QUICIncompatibleVersion || c.T.Failure.IsQUICClose()
}

// weakened takes back a block that R meets as well: a control that fails makes a verdict weaker, never
// stronger (rule 10). Proof in hand stands for itself: nothing else is confirmed here, since repetition is weighed
// later (History.weigh), and raises what is blocked alone.
func weakened(c *Case, f *Finding) *Finding {
	if f.State != Blocked || f.Confidence == Confirmed || !c.FailsAtReference() {
		return f
	}
	return &Finding{State: Inconclusive, Signature: f.Signature, Rule: f.Rule, Reasons: append(f.Reasons, "the reference vantage fails there, too")}
}

// byReference weighs a failure, whatever the name, at an endpoint that passes for R; nil where R does
// not say so. R may be led to another site of the same address, and nobody bans R: so its word alone, for a
// refusal or a reset as for silence, is never more than a suspicion, and of silence not even that where nothing near
// the address answers us. Where another target fails alike in another network, though R passes there as well, no site
// of theirs explains it. Before R's word there was an outage as likely as a block, so the word must be younger than
// the failure to make it likely; and silence must come again all the same (rules 5 and 6).
func byReference(c *Case, s Signature, reasons ...string) *Finding {
	if !c.UpAtReference() {
		return nil
	}
	if c.former {
		return byReferenceFormerly(c, s, reasons...)
	}
	reasons = append(reasons, "the reference vantage passes there")
	alike := c.failsAlikeUpAtReference() && c.view.line.Fine[c.Family]
	switch {
	case !alike && c.Silent() && !c.wayThere():
		return inconclusive(s, append(reasons, "nothing else in this network answers us: a site, or a way to it, that is ours and not the reference's may be down")...)
	case !alike:
		return blocked(s, Suspected, append(reasons, "a site of theirs near us that is down, or a ban of us, does that too")...)
	case !c.saidSince(s):
		return blocked(s, Suspected, append(reasons, "its word is older than the failure: an outage may be younger")...)
	case c.Silent() && !c.AgainLater(s, Decorrelation):
		return blocked(s, Suspected, append(reasons, "silence seen once may be loss")...)
	}
	return blocked(s, Likely, append(reasons, "and it did so since the failure began, there and at an endpoint in another network that fails alike")...)
}

// wayThere says whether anything but the case's own endpoint answered us in this round from the network of its
// address. Routes are announced for no less than a /24 or a /48: one address of many that is silent is no dead
// route, and no dead site of an address that is announced from several (anycast).
func (c *Case) wayThere() bool {
	bits := 24
	if c.Family == IPv6 {
		bits = 48
	}
	near, err := c.Addr().Unmap().Prefix(bits)
	if err != nil {
		return false
	}
	for _, m := range []*Measurement{c.view.m, c.view.gate} {
		for i := range m.Observations {
			if o := &m.Observations[i]; o.Operation != Resolve && (o.Endpoint != c.Endpoint || overQUIC(o) != overQUIC(c.T) || c.former) && near.Contains(o.Addr().Unmap()) && (o.OK() || o.Received > 0) {
				return true
			}
		}
	}
	return false
}

// referenceReason says what of R there is where it could not decide.
func (c *Case) referenceReason() []string {
	r := c.view.m.Reference
	switch {
	case r == nil:
		return nil
	case r.None != "":
		return []string{"no reference vantage: " + r.None}
	case !r.speaks(c.view.m.Started):
		return []string{"no reference vantage: its word is not of this time"}
	}
	switch l := c.reference(); {
	case l == nil || l.State != OK:
		return nil
	case l.at(c) == nil:
		return []string{"the reference vantage passes at other addresses and does not know this one"}
	}
	return []string{"the reference vantage fails at this address, too, and passes at others"}
}

package measurements

import "time"

var quicRules = []Rule{
	offeredAlone,
	{
		ID:         "quic-alert-with-name",
		weighs:     true,
		Says:       "The QUIC handshake ends in an alert with the target's name; a neutral name passed at the same place just before.",
		Layers:     []Layer{LayerQUIC},
		Source:     "RFC 9001, section 4.8; DESIGN section 4, rule 4",
		Signatures: []Signature{QUICAlertSNI, ServiceMoved},
		Needs:      "an alert, control N that was answered at the same place just before, and the server's own offer of h3 over verified TLS in this round",
		Refuses:    "that an alert is forged where the server may have sent it: more than a suspicion of one that came no faster than the server can, without control X, the reference vantage or hours of it",
		Confidence: Likely,
		Judge: func(c *Case) *Finding {
			n, alert := c.T.Failure.Alert()
			switch {
			case !alert:
				return nil
			case n == unrecognizedName:
				return inconclusive(ServiceMoved, "the alert unrecognized_name is what a server says that no longer serves the name")
			case c.NeutralPassed() && c.view.altSvc[c.Name]:
				const what = "an alert with the target's name; a neutral name was answered, and the server itself offers h3 for this name"
				if c.former {
					return blocked(QUICAlertSNI, Likely, what)
				}
				return byName(c, QUICAlertSNI, what)
			}
			return inconclusive(QUICAlertSNI, "an alert, and nothing shows that it is not the server's own")
		},
	},
	{
		ID:         "quic-answered-elsewhere",
		Since:      "2026-11-23.2",
		Says:       "QUIC fails at this address whatever the name, and another address of the target answers it: one machine has none, or is kept from us.",
		Layers:     []Layer{LayerQUIC},
		Source:     "RFC 7838, section 2.2 (an Alt-Svc is cached, and is the origin's word, not a machine's); DESIGN section 4, rule 6",
		Signatures: []Signature{QUICTimeoutEndpoint, QUICRefused, QUICVersionSig, QUICCloseSig},
		Needs:      "silence, a refusal, a close or a version negotiation without a control N that was answered there, and QUIC with the target's name that passed at another address in this round",
		Refuses:    "that the origin's offer of h3 holds for each of its machines, unless the reference vantage passes at this one",
		Judge: func(c *Case) *Finding {
			s := endpointSignature(c.T.Failure)
			if s == "" || c.NeutralPassed() || c.UpAtReference() || !c.quicPassesElsewhere() {
				return nil
			}
			return inconclusive(s, append(c.referenceReason(), "another address of the target answers over QUIC: the server's own offer of h3 does not say that this machine does")...)
		},
	},
	closedByAnyFamily,
	{
		ID:         "quic-forged-close",
		Since:      "2026-11-26.1",
		Says:       "The QUIC connection is closed, or told that its version is unknown, at once; the server itself offers h3.",
		Layers:     []Layer{LayerQUIC},
		Source:     "RFC 9000, sections 6 and 10.2; RFC 8999, section 6 (neither is authenticated before the handshake)",
		Signatures: []Signature{QUICVersionSig, QUICCloseSig},
		Needs:      "a close or a version negotiation, and control N answered there, the server's own offer of h3, or a reference vantage that passes",
		Refuses:    "whether the server or the network said it, where nothing of these speaks; more than a suspicion of a close that came no faster than the server can, without control X, the reference vantage or hours of it",
		Confidence: Likely,
		Judge: func(c *Case) *Finding {
			s := Signature("")
			switch {
			case c.T.Failure == QUICIncompatibleVersion:
				s = QUICVersionSig
			case c.T.Failure.IsQUICClose():
				s = QUICCloseSig
			default:
				return nil
			}
			return quicAnswered(c, s)
		},
	},
	refusedByAnyFamily,
	{
		ID:         "quic-refused",
		Since:      "2026-11-26.1",
		Says:       "An ICMP error refuses QUIC at this address; the server itself offers h3.",
		Layers:     []Layer{LayerQUIC},
		Source:     "RFC 792 (port unreachable); DESIGN section 4, rule 6",
		Signatures: []Signature{QUICRefused},
		Needs:      "an ICMP error, and control N answered there, the server's own offer of h3, or a reference vantage that passes",
		Refuses:    "whether the server or the network said it, where nothing of these speaks",
		Confidence: Likely,
		Judge: func(c *Case) *Finding {
			if c.T.Failure != ConnectionRefused && !c.T.Failure.IsUnreachable() {
				return nil
			}
			return quicAnswered(c, QUICRefused)
		},
	},
	{
		ID:         "quic-shape",
		Since:      "2026-11-23.2",
		Says:       "A hello of one datagram passes and one of two dies, same place and name: a path or a server that loses large hellos, or a filter that wakes up after the first.",
		Layers:     []Layer{LayerQUIC},
		Source:     "tldr.fail; Zohaib et al., Exposing and Circumventing SNI-based QUIC Censorship of the Great Firewall, USENIX Security 2025 (residual blocking)",
		Signatures: []Signature{QUICTimeoutSNI},
		Needs:      "silence, and a hello of the target in another shape that passed at the same place",
		Refuses:    "whether the path, the server or a filter minds the second hello",
		Judge: func(c *Case) *Finding {
			if c.T.Failure != Timeout || c.Passed == nil {
				return nil
			}
			return inconclusive(QUICTimeoutSNI, "the small hello passes and the large one, after it, does not: a path or a server that loses large hellos does that as well as a filter that wakes up late")
		},
	},
	{
		ID:         "quic-silent-with-name",
		weighs:     true,
		Says:       "QUIC with the target's name is unanswered; a neutral name over QUIC to the same address was answered just before.",
		Layers:     []Layer{LayerQUIC},
		Source:     "Zohaib et al., Exposing and Circumventing SNI-based QUIC Censorship of the Great Firewall, USENIX Security 2025",
		Signatures: []Signature{QUICTimeoutSNI},
		Needs:      "silence, and control N over QUIC answered at the same address just before",
		Refuses:    "more than a suspicion of silence that was met once, at one address, without control X",
		Confidence: Likely,
		Judge: func(c *Case) *Finding {
			if c.T.Failure != Timeout || !c.NeutralPassed() {
				return nil
			}
			return byName(c, QUICTimeoutSNI, "QUIC with the target's name is unanswered; a neutral name at the same address, just before, was answered")
		},
	},
	versionFilteredInAnyFamily,
	{
		ID:         "quic-version-filtered",
		Since:      "2026-11-26.1",
		Says:       "QUIC version 1 is unanswered everywhere, and a packet of an unknown version is answered.",
		Layers:     []Layer{LayerQUIC},
		Source:     "Xue et al., TSPU, IMC 2022 (version field matched)",
		Signatures: []Signature{QUICTimeoutVersion},
		Needs:      "silence here and at the gate's hosts over QUIC, and an answer to control V, all over one family",
		Refuses:    "more than a suspicion from one network alone; anything where version 1 passes over the other family, whose router's rules are others",
		Confidence: Likely,
		Judge: func(c *Case) *Finding {
			if c.T.Failure != Timeout || !c.quicDead() || !c.versionAnswered() {
				return nil
			}
			if c.view.line.QUICAlive[c.Family.other()] {
				return inconclusive(QUICTimeoutVersion, "version 1 is unanswered here and at the neutral hosts, and an unknown version is answered; over the other family version 1 passes, as it does where a home's firewall is for one family")
			}
			if c.FailsAlikeInTwoNetworks() {
				return blocked(QUICTimeoutVersion, Likely, "version 1 is unanswered at addresses in two networks and at the neutral hosts; an unknown version is answered")
			}
			return blocked(QUICTimeoutVersion, Suspected, "version 1 is unanswered here and at the neutral hosts; an unknown version is answered")
		},
	},
	udp443DeadInAllFamilies,
	{
		ID:         "quic-udp443-dead",
		Since:      "2026-11-26.1",
		Says:       "Nothing over UDP port 443 is answered anywhere: many a home router does that.",
		Layers:     []Layer{LayerQUIC},
		Source:     "DESIGN section 4, quic.timeout.udp443",
		Signatures: []Signature{QUICTimeoutUDP443},
		Needs:      "silence of everything over UDP port 443 in this family, the gate's hosts too",
		Refuses:    "that it left the home, unless this network's history had QUIC in this family and no ping shows that it is swallowed nearby; whether a router's update has switched it off since",
		Confidence: Suspected,
		Judge:      deadUDP443,
	},
	silentEndpointByOneSite,
	{
		ID:         "quic-silent-endpoint",
		Since:      "2026-11-26.1",
		Says:       "QUIC to this address is unanswered whatever the name; QUIC elsewhere is fine, and the server itself offers it here.",
		Layers:     []Layer{LayerQUIC},
		Source:     "Elmenhorst et al., Web Censorship Measurements of HTTP/3 over QUIC, IMC 2021 (UDP endpoint blocking)",
		Signatures: []Signature{QUICTimeoutEndpoint},
		Needs:      "silence with the target's name and with a neutral one, the server's own offer of h3 over verified TLS in this round and neutral hosts that answer over QUIC in this family, or a reference vantage that passes",
		Refuses:    "that a server without QUIC blocks it, or one that does not answer over TCP either; without the reference vantage or QUIC that passed here within a day, and TLS that proved itself at this address in this round, more than a suspicion, however many addresses of the site are silent, nor of what has not lasted for hours",
		Confidence: Likely,
		Judge: func(c *Case) *Finding {
			switch {
			case c.T.Failure != Timeout:
				return nil
			case c.N == nil:
				return inconclusive(QUICTimeoutEndpoint, "unanswered; no neutral name was tried there just before")
			case c.UpAtReference():
				return byReference(c, QUICTimeoutEndpoint, "unanswered whatever the name")
			case c.deadOverTCP():
				return inconclusive(QUICTimeoutEndpoint, append(c.referenceReason(), "unanswered whatever the name, and this address does not answer over TCP either: what is out of order there is not QUIC alone")...)
			case !c.view.altSvc[c.Name]:
				return inconclusive(QUICTimeoutEndpoint, append(c.referenceReason(), "unanswered whatever the name; the server did not say in this round that it offers h3")...)
			case !c.view.line.QUICAlive[c.Family]:
				return inconclusive(QUICTimeoutEndpoint, "unanswered whatever the name; no neutral host was asked over QUIC in this family")
			}
			const what = "unanswered whatever the name, while the server's own Alt-Svc offers it and neutral hosts answer"
			if c.view.proved[named{c.Name, c.Addr()}] && c.quicPassedLately() && c.AgainLater(QUICTimeoutEndpoint, server) {
				return blocked(QUICTimeoutEndpoint, Likely, what, "it passed here within the last day, and the silence came again hours later")
			}
			return blocked(QUICTimeoutEndpoint, Suspected, what, "an offer may outlive what it offers, at all machines of a site at once")
		},
	},
}

// deadOverTCP says whether TCP to this address was tried in this round, under any name, and no handshake passed: the
// offer of h3 was made by another machine then.
func (c *Case) deadOverTCP() bool {
	tried := false
	for i := range c.view.m.Observations {
		o := &c.view.m.Observations[i]
		if o.Addr() != c.Addr() || overQUIC(o) {
			continue
		}
		switch o.Operation {
		case TLSHandshake:
			if o.answered() {
				return false
			}
			tried = true
		case Connect:
			tried = tried || !o.OK()
		}
	}
	return tried
}

// endpointSignature is what a QUIC failure looks like where it does not depend on the name; "" for others.
func endpointSignature(f Failure) Signature {
	switch {
	case f == Timeout:
		return QUICTimeoutEndpoint
	case f == ConnectionRefused || f.IsUnreachable():
		return QUICRefused
	case f == QUICIncompatibleVersion:
		return QUICVersionSig
	case f.IsQUICClose():
		return QUICCloseSig
	}
	return ""
}

// quicPassesElsewhere says whether the target's name passed over QUIC at another address, in the same
// family: the other one may be another machine park.
func (c *Case) quicPassesElsewhere() bool {
	for _, d := range c.all {
		if d.Layer == LayerQUIC && d.Target.ID == c.Target.ID && d.Name == c.Name && d.Family == c.Family && d.Addr() != c.Addr() && !d.Failed() {
			return true
		}
	}
	return false
}

// quicAnswered weighs a QUIC failure that somebody had to send.
func quicAnswered(c *Case, s Signature) *Finding {
	if c.NeutralPassed() {
		return byName(c, s, "only the target's name meets it: a neutral name at the same address, just before, was answered")
	}
	if f := byReference(c, s, "somebody refuses QUIC there"); f != nil {
		return f
	}
	if c.view.altSvc[c.Name] && c.view.line.QUICAlive[c.Family] {
		return blocked(s, Suspected, "the server's own Alt-Svc, read over verified TLS in this round, offers h3, and QUIC to neutral hosts is fine")
	}
	return inconclusive(s, append(c.referenceReason(), "nothing tells the network's word from the server's")...)
}

// versionAnswered says whether a version-negotiation ping was answered over the case's family, by anybody.
func (c *Case) versionAnswered() bool {
	for _, m := range []*Measurement{c.view.m, c.view.gate} {
		for i := range m.Observations {
			if o := &m.Observations[i]; o.Operation == QUICVersion && o.Family == c.Family && o.OK() {
				return true
			}
		}
	}
	return false
}

// quicDead says whether neutral hosts were asked over QUIC, in the case's family, and none answered.
func (c *Case) quicDead() bool {
	return c.view.line.QUICTried[c.Family] && !c.view.line.QUICAlive[c.Family]
}

// deadUDP443 never says more than a suspicion: a household's router may be updated, or set otherwise, at any time.
// Where pings with a small hop limit tell, they tell the near ones from the others.
func deadUDP443(c *Case) *Finding {
	if c.T.Failure != Timeout || !c.quicDead() {
		return nil
	}
	l, reasons := c.view.line, []string{"all of UDP port 443 is unanswered over this family"}
	if l.UDP443Swallowed[c.Family] {
		return inconclusive(QUICTimeoutUDP443, append(reasons, "datagrams to it do not get beyond the first router, where those to another port do: the home's own, as it seems")...)
	}
	where := "an update of the home's router that switches it off looks the same"
	if l.UDP443Farther[c.Family] {
		where = "datagrams to it get beyond the first router; the firewall of an office or a campus stands there, too"
	}
	if h := c.view.history; h != nil && h.QUICWorked[c.Family] {
		return blocked(QUICTimeoutUDP443, Suspected, append(reasons, "it has worked on this network before", where)...)
	}
	return inconclusive(QUICTimeoutUDP443, append(reasons, "it never worked on this network, as far as is known", where)...)
}

// quicLately is how long ago QUIC must have passed at a target, on this network, for its silence now to be more than
// a server's that no longer has it. An offer is kept for a day where it does not say how long (RFC 7838, section 3.1):
// what passed within it was not an old offer.
const quicLately = 24 * time.Hour

// quicPassedLately says whether QUIC to the target passed lately on this network, in this family.
func (c *Case) quicPassedLately() bool {
	ok, known := c.view.history.lastOK(placeKey{c.view.m.App, c.Target.ID, LayerQUIC, c.Family})
	return known && c.view.history.at.Sub(ok) <= quicLately
}

package measurements

// The rules on QUIC of the time when one family spoke for the other: a router's rules for IPv6 are not those for
// IPv4, so that a neutral host that answers over the one says nothing of the other.

var closedByAnyFamily = Rule{
	ID:         "quic-forged-close",
	Until:      "2026-11-26.1",
	former:     true,
	Says:       "The QUIC connection is closed, or told that its version is unknown, at once; the server itself offers h3.",
	Layers:     []Layer{LayerQUIC},
	Source:     "RFC 9000, sections 6 and 10.2; RFC 8999, section 6 (neither is authenticated before the handshake)",
	Signatures: []Signature{QUICVersionSig, QUICCloseSig},
	Needs:      "a close or a version negotiation, and control N answered there, the server's own offer of h3, or a reference vantage that passes",
	Refuses:    "whether the server or the network said it, where nothing of these speaks",
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
		return quicAnsweredInAnyFamily(c, s)
	},
}

var refusedByAnyFamily = Rule{
	ID:         "quic-refused",
	Until:      "2026-11-26.1",
	former:     true,
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
		return quicAnsweredInAnyFamily(c, QUICRefused)
	},
}

var versionFilteredInAnyFamily = Rule{
	ID:         "quic-version-filtered",
	Until:      "2026-11-26.1",
	Says:       "QUIC version 1 is unanswered everywhere, and a packet of an unknown version is answered.",
	Layers:     []Layer{LayerQUIC},
	Source:     "Xue et al., TSPU, IMC 2022 (version field matched)",
	Signatures: []Signature{QUICTimeoutVersion},
	Needs:      "silence here and at the gate's hosts over QUIC, and an answer to control V",
	Refuses:    "more than a suspicion from one network alone",
	Confidence: Likely,
	Judge: func(c *Case) *Finding {
		if c.T.Failure != Timeout || c.view.line.quicAliveAnywhere() || !c.view.versionAnsweredAnywhere() {
			return nil
		}
		if c.FailsAlikeInTwoNetworks() {
			return blocked(QUICTimeoutVersion, Likely, "version 1 is unanswered at addresses in two networks and at the neutral hosts; an unknown version is answered")
		}
		return blocked(QUICTimeoutVersion, Suspected, "version 1 is unanswered here and at the neutral hosts; an unknown version is answered")
	},
}

var udp443DeadInAllFamilies = Rule{
	ID:         "quic-udp443-dead",
	Until:      "2026-11-26.1",
	Says:       "Nothing over UDP port 443 is answered anywhere: many a home router does that.",
	Layers:     []Layer{LayerQUIC},
	Source:     "DESIGN section 4, quic.timeout.udp443",
	Signatures: []Signature{QUICTimeoutUDP443},
	Needs:      "silence of everything over UDP port 443, the gate's hosts too",
	Refuses:    "that it left the home, unless this network's history had QUIC",
	Confidence: Suspected,
	Judge: func(c *Case) *Finding {
		l := c.view.line
		if c.T.Failure != Timeout || l.quicAliveAnywhere() || !(l.QUICTried[IPv4] || l.QUICTried[IPv6]) {
			return nil
		}
		if h := c.view.history; h != nil && (h.QUICWorked[IPv4] || h.QUICWorked[IPv6]) {
			return blocked(QUICTimeoutUDP443, Suspected, "all of UDP port 443 is unanswered, and it has worked on this network before")
		}
		return inconclusive(QUICTimeoutUDP443, "all of UDP port 443 is unanswered, and nothing shows that it leaves the home")
	},
}

var silentEndpointByOneSite = Rule{
	ID:         "quic-silent-endpoint",
	Until:      "2026-11-26.1",
	former:     true,
	Says:       "QUIC to this address is unanswered whatever the name; QUIC elsewhere is fine, and the server itself offers it here.",
	Layers:     []Layer{LayerQUIC},
	Source:     "Elmenhorst et al., Web Censorship Measurements of HTTP/3 over QUIC, IMC 2021 (UDP endpoint blocking)",
	Signatures: []Signature{QUICTimeoutEndpoint},
	Needs:      "silence with the target's name and with a neutral one, the server's own offer of h3 over verified TLS in this round or a reference vantage that passes, and QUIC that works elsewhere",
	Refuses:    "that a server without QUIC blocks it",
	Confidence: Likely,
	Judge: func(c *Case) *Finding {
		switch {
		case c.T.Failure != Timeout:
			return nil
		case c.N == nil:
			return inconclusive(QUICTimeoutEndpoint, "unanswered; no neutral name was tried there just before")
		case !c.view.altSvc[c.Name]:
			if f := byReference(c, QUICTimeoutEndpoint, "unanswered whatever the name"); f != nil {
				return f
			}
			return inconclusive(QUICTimeoutEndpoint, "unanswered whatever the name; the server did not say in this round that it offers h3")
		case c.endpointSilentInAnyFamily():
			return blocked(QUICTimeoutEndpoint, Likely, "unanswered whatever the name, at two addresses, while the server's own Alt-Svc offers it and neutral hosts answer")
		}
		return blocked(QUICTimeoutEndpoint, Suspected, "unanswered whatever the name, while the server's own Alt-Svc offers it and neutral hosts answer")
	},
}

// quicAnsweredInAnyFamily weighs a QUIC failure that somebody had to send.
func quicAnsweredInAnyFamily(c *Case, s Signature) *Finding {
	switch {
	case c.NeutralPassed():
		return blocked(s, Likely, "only the target's name meets it: a neutral name at the same address, just before, was answered")
	case c.view.altSvc[c.Name] && c.view.line.quicAliveAnywhere():
		return blocked(s, Suspected, "the server's own Alt-Svc, read over verified TLS in this round, offers h3, and QUIC to neutral hosts is fine")
	}
	if f := byReference(c, s, "somebody refuses QUIC there"); f != nil {
		return f
	}
	return inconclusive(s, append(c.referenceReason(), "nothing tells the network's word from the server's")...)
}

// quicAliveAnywhere says whether a neutral host answered over QUIC, in either family.
func (l *Line) quicAliveAnywhere() bool { return l.QUICAlive[IPv4] || l.QUICAlive[IPv6] }

// versionAnsweredAnywhere says whether a version-negotiation ping was answered anywhere in this measurement.
func (v *view) versionAnsweredAnywhere() bool {
	for _, m := range []*Measurement{v.m, v.gate} {
		for i := range m.Observations {
			if o := &m.Observations[i]; o.Operation == QUICVersion && o.OK() {
				return true
			}
		}
	}
	return false
}

// endpointSilentInAnyFamily says whether QUIC to another address of the target is unanswered as well,
// with its N made and unanswered too.
func (c *Case) endpointSilentInAnyFamily() bool {
	for _, d := range c.all {
		if d.Layer == LayerQUIC && d.Target.ID == c.Target.ID && d.Addr() != c.Addr() && d.T.Failure == Timeout && d.N != nil && !d.NeutralPassed() {
			return true
		}
	}
	return false
}

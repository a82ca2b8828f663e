package measurements

// lineRules: our own line comes first. While it is in trouble a failure says nothing about an app.
var lineRules = []Rule{
	{
		ID:      "line-moved",
		Since:   "2026-11-23.2",
		Says:    "The network changed in the course of the round: connections of the old one die, and nobody knows which network did what.",
		Source:  "DESIGN section 4, rule 11; RFC 5944, section 1 (a connection is bound to the address that it began with)",
		Needs:   "another network at the end of the round than at its start",
		Refuses: "anything that failed: it may be the move, or either network",
		Judge: func(c *Case) *Finding {
			if !c.Failed() || !c.view.line.Moved {
				return nil
			}
			return inconclusive("", movedReason)
		},
	},
	{
		ID:         "line-captive-portal",
		Says:       "Neutral hosts are answered by a captive portal.",
		Source:     "RFC 8952, section 2.6",
		Signatures: []Signature{LocalCaptivePortal},
		Needs:      "a gate without one verified handshake, and a clear request to a neutral host that is answered by something else",
		Refuses:    "anything about an app while the portal stands",
		Judge: func(c *Case) *Finding {
			return onLine(c, LocalCaptivePortal)
		},
	},
	{
		ID:         "line-intercepted",
		Says:       "Neutral hosts show a foreign chain as well: all TLS is intercepted, by an antivirus or a company's box as a rule.",
		Source:     "DESIGN section 4, rule 1; Durumeric et al., The Security Impact of HTTPS Interception, NDSS 2017",
		Signatures: []Signature{LocalTLSInterception},
		Needs:      "a gate without one verified handshake, and chains of two neutral hosts that lead to no root of the bundle",
		Refuses:    "who intercepts, and whether apps are treated otherwise",
		Judge: func(c *Case) *Finding {
			return onLine(c, LocalTLSInterception)
		},
	},
	{
		ID:         "line-ipv6-broken",
		Says:       "Every IPv6 attempt is turned back at the first hop, for neutral hosts too: the home's IPv6 is broken.",
		Source:     "DESIGN section 4, rule 9; ooni/probe#2456",
		Signatures: []Signature{LocalIPv6Broken},
		Needs:      "a gate that works over IPv4, and whose IPv6 attempts are all turned back by the kernel or the first hop",
		Refuses:    "anything about an app over IPv6",
		Judge: func(c *Case) *Finding {
			if !c.Failed() || c.Layer == LayerDNS || !c.view.line.deadIPv6(c.Family) || !ipv6NoWay(c.view.gate) {
				return nil
			}
			return &Finding{State: Local, Signature: LocalIPv6Broken, Reasons: []string{"neutral hosts can't be reached over IPv6 either, and it is the first hop that says so"}}
		},
	},
	{
		ID:         "line-ipv6-dead",
		Says:       "No neutral host answers over IPv6 while IPv4 works: IPv6 leads nowhere, which is no block of an app.",
		Source:     "DESIGN section 4, rule 9",
		Signatures: []Signature{NetIPv6Unreachable},
		Needs:      "a gate that works over IPv4, and none of whose hosts answers over IPv6",
		Refuses:    "where IPv6 ends, and who ends it",
		Judge: func(c *Case) *Finding {
			if !c.Failed() || c.Layer == LayerDNS || !c.view.line.deadIPv6(c.Family) {
				return nil
			}
			return inconclusive(NetIPv6Unreachable, "no neutral host answers over IPv6, and nothing says where it ends")
		},
	},
	{
		ID:         "line-ends-at-border",
		Since:      "2026-11-23.2",
		Says:       "Neutral hosts abroad are dead and those inside the country alive: the failure is the line's to the outside, and no app's.",
		Source:     "DESIGN section 4, rule 1 and net.shutdown; signatures, table A.4 (shutdown, allow-list; uplink failure of the ISP)",
		Signatures: []Signature{NetShutdown},
		Needs:      "the vantage's country, verified handshakes with hosts inside it, and none with those of three operators abroad",
		Refuses:    "that an app is blocked; from silence alone, whether a cable is cut or a country shut off",
		Judge: func(c *Case) *Finding {
			if !c.Failed() || c.view.line.Signature != NetShutdown {
				return nil
			}
			return inconclusive(NetShutdown, "the gate says so: "+c.view.line.Reasons[0])
		},
	},
	{
		ID:      "line-untested",
		Says:    "Without neutral hosts that answer, a failure is the line's as easily as anybody's.",
		Source:  "DESIGN section 4, rules 1 and 10",
		Needs:   "a gate in which fewer than two operators' hosts complete a verified handshake, or that was not measured",
		Refuses: "anything that failed: the line may be at fault",
		Judge: func(c *Case) *Finding {
			l := c.view.line
			if !c.Failed() || l.Alive[IPv4] || l.Alive[IPv6] {
				return nil
			}
			return inconclusive("", "the neutral hosts of the gate do not answer either, or were not measured")
		},
	},
}

const movedReason = "the network changed in mid-round"

// unplaced takes back what rules make of steps that passed in a round that moved, proof included: it stands
// for one of two networks, and for which one nobody knows.
func unplaced(c *Case, f *Finding) *Finding {
	if !c.view.line.Moved || f.State != Blocked && f.State != Throttled {
		return f
	}
	return &Finding{State: Inconclusive, Signature: f.Signature, Rule: f.Rule, Reasons: append(f.Reasons, movedReason)}
}

// onLine blames the line for a failure while the gate says that the line has this trouble.
func onLine(c *Case, s Signature) *Finding {
	l := c.view.line
	if !c.Failed() || l.Signature != s || l.State != Local {
		return nil
	}
	return &Finding{State: Local, Signature: s, Reasons: []string{"the gate says so: " + l.Reasons[0]}}
}

func (l *Line) deadIPv6(f Family) bool {
	return f == IPv6 && l.Tried[IPv6] && l.Alive[IPv4] && !l.Alive[IPv6]
}

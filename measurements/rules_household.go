package measurements

// householdRules: troubles of the household's own that leave a line which works in part. They explain the
// failures that they make, and no others.
var householdRules = []Rule{
	{
		ID:         "line-clock",
		Since:      "2026-11-23.2",
		Says:       "The certificate is the name's own and is refused for its date alone, and it holds at the time that neutral hosts tell: this machine's clock is wrong.",
		Source:     "RFC 5280, section 6.1.3; DESIGN section 4, local.clock",
		Signatures: []Signature{LocalClock},
		Needs:      "the Date of answers of two operators' neutral hosts that agree, an hour or more from this machine's clock, and a chain that holds for the name at that time",
		Refuses:    "anything about a certificate that is refused for another reason, or has expired by the neutral hosts' time as well",
		Judge: func(c *Case) *Finding {
			if !c.Failed() || !c.view.line.explains(c.T) {
				return nil
			}
			return &Finding{State: Local, Signature: LocalClock, Reasons: []string{"the certificate holds at the time that neutral hosts tell; this machine's clock is wrong"}}
		},
	},
	{
		ID:         "line-large-packets-lost",
		Since:      "2026-11-23.2",
		Says:       "Our hello of two segments meets silence, here as at neutral hosts, and so do requests in clear of that size: this line loses full packets, and nobody says so.",
		Layers:     []Layer{LayerTLS},
		Source:     "RFC 2923, section 2.1 (PMTU black holes); DESIGN section 4, local.mtu",
		Signatures: []Signature{LocalMTU},
		Needs:      "neutral hosts of two operators that answer a small hello and not a large one, none that answers a large one, and clear requests of that size that are lost",
		Refuses:    "anything about the large hello's silence; what dies with the small hello, or otherwise, is judged on",
		Judge: func(c *Case) *Finding {
			if !c.Failed() || !c.Silent() || c.T.TLS == nil || c.T.TLS.Shape != Default || !c.view.line.LargePacketsDie[c.Family] {
				return nil
			}
			return &Finding{State: Local, Signature: LocalMTU, Reasons: []string{"neutral hosts do not answer the large hello either, nor a large request in clear: this line loses full packets"}}
		},
	},
	{
		ID:         "line-large-hellos-die",
		Since:      "2026-11-23.2",
		Says:       "Our hello of two segments meets silence, here as at neutral hosts, and large requests in clear pass or were not tried.",
		Layers:     []Layer{LayerTLS},
		Source:     "tldr.fail; DESIGN section 4, tls.*.fingerprint and rule 1",
		Signatures: []Signature{TLSTimeoutFingerprint},
		Needs:      "neutral hosts of two operators that answer a small hello and not a large one, and none that answers a large one",
		Refuses:    "that it is about this app; whether a filter reads hellos or the line loses them",
		Judge: func(c *Case) *Finding {
			if !c.Failed() || !c.Silent() || c.T.TLS == nil || c.T.TLS.Shape != Default || !c.view.line.LargeHellosDie[c.Family] {
				return nil
			}
			return inconclusive(TLSTimeoutFingerprint, "neutral hosts do not answer the large hello either: it is the line's, whoever does it")
		},
	},
	{
		ID:         "line-no-room-for-flows",
		Since:      "2026-11-26.1",
		Says:       "Connects are lost to more than one app, or here and at neutral hosts, at endpoints where others pass, while handshakes on open connections work: a translator of addresses has no room for new flows.",
		Layers:     []Layer{LayerTCP, LayerDNS, LayerQUIC},
		Source:     "RFC 6888, section 3 (limits per subscriber, mappings that can't be created); DESIGN section 4, local.nat_exhausted",
		Signatures: []Signature{LocalNATExhausted},
		Needs:      "two endpoints at which connects are lost and others pass in the same round, of two apps, of one and the gate, or with a fifth of the apps' lost; to call the line so, a fifth of the gate's at two operators as well",
		Refuses:    "anything about a new flow that met silence; what dies on an open connection is judged on",
		Judge:      noRoomForFlows,
	},
	roomForQUIC,
	{
		ID:         "line-udp443-refused",
		Since:      "2026-11-23.2",
		Says:       "ICMP refuses QUIC here and at every neutral host, and it is this machine or the first router that says so.",
		Layers:     []Layer{LayerQUIC},
		Source:     "DESIGN section 4, local.udp443_blocked; RFC 1812, section 5.2.7.1 (who sends destination unreachable)",
		Signatures: []Signature{LocalUDP443Blocked},
		Needs:      "neutral hosts of two operators whose QUIC is refused in this family, none whose is not, and a refusal by the sender of the first hop's own word",
		Refuses:    "that silence over UDP port 443 is the home's, or a refusal that comes from farther away",
		Judge: func(c *Case) *Finding {
			if !c.Failed() || !c.T.refused() || !c.view.line.UDP443Refused[c.Family] {
				return nil
			}
			return &Finding{State: Local, Signature: LocalUDP443Blocked, Reasons: []string{"this machine or the first router refuses UDP port 443, to neutral hosts as well"}}
		},
	},
}

// quotaRules speak of a line that is dead but for what is free: before the rules that see it dead alone.
var quotaRules = []Rule{
	{
		ID:         "line-quota",
		Since:      "2026-11-23.2",
		Says:       "Neutral hosts are answered by the operator's page, and one app passes in full: a quota is used up, and that app is not counted.",
		Source:     "DESIGN section 4, local.quota; RFC 8952, section 2.6 (what portals do)",
		Signatures: []Signature{LocalQuota},
		Needs:      "a gate without one verified handshake, a clear request to a neutral host that is answered by something else, and an app all of whose handshakes are verified",
		Refuses:    "anything that failed while the quota is used up",
		Judge: func(c *Case) *Finding {
			return onLine(c, LocalQuota)
		},
	},
}

// noRoomForFlows never lets silence of a new flow count while flows are lost at random. A name's or a QUIC
// endpoint's silence may have its own reasons, which nobody can tell then.
func noRoomForFlows(c *Case) *Finding {
	l := c.view.line
	switch {
	case !c.Failed() || !c.T.noRoom() || c.Layer == LayerTCP && c.T.Operation != Connect:
		return nil
	case l.NoRoom && c.Layer == LayerTCP:
		return &Finding{State: Local, Signature: LocalNATExhausted, Reasons: []string{"connects to neutral hosts are lost as well, and others pass at the same endpoints: this line has no room for new flows"}}
	case l.NoRoom:
		return inconclusive(LocalNATExhausted, "this line has no room for some new flows, so that silence says nothing")
	case l.FlowsLost && (c.Layer == LayerTCP || c.Layer == LayerQUIC):
		return inconclusive(LocalNATExhausted, "connects are lost at endpoints where others pass, so that silence of one new flow says nothing")
	}
	return nil
}

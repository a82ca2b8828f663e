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
}

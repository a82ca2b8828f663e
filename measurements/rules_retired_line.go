package measurements

// roomForQUIC took silence over QUIC for what it seemed while only the apps' own connects showed that flows are lost.
var roomForQUIC = Rule{
	ID:         "line-no-room-for-flows",
	Since:      "2026-11-23.2",
	Until:      "2026-11-26.1",
	Says:       "Connects are lost here and at neutral hosts, at endpoints where others pass, while handshakes on open connections work: a translator of addresses has no room for new flows.",
	Layers:     []Layer{LayerTCP, LayerDNS, LayerQUIC},
	Source:     "RFC 6888, section 3 (limits per subscriber, mappings that can't be created); DESIGN section 4, local.nat_exhausted",
	Signatures: []Signature{LocalNATExhausted},
	Needs:      "a fifth of the connects lost, of the gate's at two operators and of the apps', and endpoints at which others pass in the same round",
	Refuses:    "anything about a new flow that met silence; what dies on an open connection is judged on",
	Judge: func(c *Case) *Finding {
		if c.Layer == LayerQUIC && !c.view.line.NoRoom {
			return nil
		}
		return noRoomForFlows(c)
	},
}

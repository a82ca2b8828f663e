package measurements

var tcpRules = []Rule{
	{
		ID:     "ip-unreachable",
		Says:   "An ICMP error says that the address can't be reached, while neutral addresses can.",
		Layers: []Layer{LayerTCP},
		Source: "RFC 792; RFC 1812, section 5.2.7.1",
		Judge: func(c *Case) *Finding {
			if !c.Failed() || !c.T.Failure.IsUnreachable() {
				return nil
			}
			return whateverTheName(c, IPUnreachable, "an ICMP error, or the route table, says that there is no way to this address")
		},
	},
	{
		ID:     "tcp-one-port",
		Says:   "One port of the address fails and another is open: a firewall, at home as well as anywhere, or a server that stopped offering it.",
		Layers: []Layer{LayerTCP},
		Source: "DESIGN section 2, control P",
		Judge: func(c *Case) *Finding {
			if s := connectSignature[c.T.Failure]; s != "" && c.OtherPortPasses() {
				return inconclusive(s, "one port alone: another port of the same address is open")
			}
			return nil
		},
	},
	{
		ID:     "tcp-connect-fails",
		Says:   "The connect is refused or unanswered, while neutral endpoints connect.",
		Layers: []Layer{LayerTCP},
		Source: "DESIGN section 4, rule 6; RFC 9293, section 3.10.7",
		Judge: func(c *Case) *Finding {
			s := connectSignature[c.T.Failure]
			if s == "" || c.T.Operation != Connect {
				return nil
			}
			return whateverTheName(c, s, "the connect fails; neutral endpoints connect")
		},
	},
	{
		ID:     "tcp-dies-early",
		Says:   "The connection dies after it was accepted, before we sent a byte.",
		Layers: []Layer{LayerTCP},
		Source: "Sundara Raman et al., SIGCOMM 2023, Post-ACK signatures",
		Judge: func(c *Case) *Finding {
			if !c.Failed() || c.T.Operation != Settle {
				return nil
			}
			switch c.Kind() {
			case "reset":
				return whateverTheName(c, TCPReset, "reset after the accept, before a byte of ours")
			case "eof":
				return whateverTheName(c, TCPEOF, "closed after the accept, before a byte of ours")
			}
			return nil
		},
	},
}

var connectSignature = map[Failure]Signature{
	Timeout: TCPTimeout, ConnectionRefused: TCPRefused, ConnectionReset: TCPRefused,
}

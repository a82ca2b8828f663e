package measurements

var tcpRules = []Rule{
	{
		ID:         "ip-unreachable",
		weighs:     true,
		Says:       "An ICMP error says that the address can't be reached, while neutral addresses can.",
		Layers:     []Layer{LayerTCP},
		Source:     "RFC 792; RFC 1812, section 5.2.7.1",
		Signatures: []Signature{IPUnreachable},
		Needs:      "an ICMP error, or one of the route table, in answer to a connect",
		Refuses:    "that it is a block without a router on the way that says prohibited, a reference vantage that passes, or a second network; that a router which knows no way means anything",
		Confidence: Likely,
		Judge: func(c *Case) *Finding {
			if !c.Failed() || !c.T.Failure.IsUnreachable() {
				return nil
			}
			return whateverTheName(c, IPUnreachable, "an ICMP error, or the route table, says that there is no way to this address")
		},
	},
	{
		ID:         "tcp-one-port",
		Says:       "One port of the address fails and another is open: a firewall, at home as well as anywhere, or a server that stopped offering it.",
		Layers:     []Layer{LayerTCP},
		Source:     "DESIGN section 2, control P",
		Signatures: []Signature{TCPTimeout, TCPRefused},
		Needs:      "a connect to one port that fails, and one to another port of the address that passes",
		Refuses:    "whose firewall it is, or whether the server stopped offering the port",
		Judge: func(c *Case) *Finding {
			if s := connectSignature[c.T.Failure]; s != "" && c.OtherPortPasses() {
				return inconclusive(s, "one port alone: another port of the same address is open")
			}
			return nil
		},
	},
	{
		ID:         "tcp-connect-fails",
		weighs:     true,
		Says:       "The connect is refused or unanswered, while neutral endpoints connect.",
		Layers:     []Layer{LayerTCP},
		Source:     "DESIGN section 4, rule 6; RFC 9293, section 3.10.7",
		Signatures: []Signature{TCPTimeout, TCPRefused},
		Needs:      "a connect that fails, and neutral endpoints that connect",
		Refuses:    "that it is a block without evidence from the path, a reference vantage that passes, or a second network; that anything is one where another connect to the same place passed",
		Confidence: Likely,
		Judge: func(c *Case) *Finding {
			s := connectSignature[c.T.Failure]
			switch {
			case s == "" || c.T.Operation != Connect:
				return nil
			case !c.former && c.connectsToo():
				return inconclusive(s, "another connect to the same place passed in this round: this one was lost, or refused by somebody who can't know more of it than its address")
			}
			return whateverTheName(c, s, "the connect fails; neutral endpoints connect")
		},
	},
	{
		ID:         "tcp-dies-early",
		weighs:     true,
		Says:       "The connection dies after it was accepted, before we sent a byte.",
		Layers:     []Layer{LayerTCP},
		Source:     "Sundara Raman et al., SIGCOMM 2023, Post-ACK signatures",
		Signatures: []Signature{TCPReset, TCPEOF},
		Needs:      "a connection that was accepted and ended before we sent a byte",
		Refuses:    "that it is a block without evidence from the path, a reference vantage that passes, or a second network",
		Confidence: Likely,
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

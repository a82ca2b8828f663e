package measurements

// certificateRules: the handshake dies only where the server's certificate can be read.
var certificateRules = []Rule{
	{
		ID:         "tls-dies-with-certificate",
		weighs:     true,
		Since:      "2026-11-23.2",
		Says:       "In TLS 1.2, where the server's certificate passes in clear, the handshake dies; in TLS 1.3 it passes, and a neutral name passes in both.",
		Layers:     []Layer{LayerTLS},
		Source:     "RFC 5246, section 7.4.2, against RFC 8446, section 4.4.2: the certificate is enciphered from TLS 1.3 on; DESIGN section 4, tls.*.cert",
		Signatures: []Signature{TLSResetCert, TLSTimeoutCert},
		Needs:      "a handshake in TLS 1.3 that passed, one in TLS 1.2 that died at the same place, and control N in TLS 1.2 that passed there just before",
		Refuses:    "that it is a block where the server was not heard in TLS 1.2, or ends it itself: it may have given that up for this name",
		Confidence: Likely,
		Judge:      diesWithCertificate,
	},
}

func diesWithCertificate(c *Case) *Finding {
	if !c.T.has(Old) || !c.Failed() || c.Passed == nil || !c.N.has(Old) || !c.view.shookHands(c.N.Conn) {
		return nil
	}
	var s Signature
	switch c.Kind() {
	case "reset":
		s = TLSResetCert
	case "timeout":
		s = TLSTimeoutCert
	default:
		// An alert, or an end: a server that has given up TLS 1.2 under this name, and serves it in TLS 1.3.
		return &Finding{State: OK, Reasons: []string{"the server refuses TLS 1.2 under this name, and serves it in TLS 1.3"}}
	}
	const what = "in TLS 1.2 the handshake dies, in TLS 1.3 it passes; a neutral name, just before at the same place, passed in TLS 1.2"
	switch {
	case !c.view.current(c.Name, c.Addr()):
		return inconclusive(s, what, "no resolver gave this address in this round: an edge that stopped serving the name does that too")
	case !c.serverSpoke():
		return inconclusive(s, what, "nothing of the server's was heard: it may have given up TLS 1.2 under this name")
	}
	return byName(c, s, what, "the server had begun to answer")
}

// handshakeRecord is the type of the record that a server's answer begins with (RFC 5246, section 6.2.1).
const handshakeRecord = 22

// serverSpoke says whether what came before a handshake died was the begin of a handshake.
func (c *Case) serverSpoke() bool {
	return len(c.T.TLS.FirstBytes) > 0 && c.T.TLS.FirstBytes[0] == handshakeRecord
}

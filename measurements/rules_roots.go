package measurements

// rootRules look at chains that this machine's own programs would take, and that prove nothing to us.
var rootRules = []Rule{
	{
		ID:         "tls-machines-own-root",
		Since:      "2026-11-23.2",
		Says:       "The chain leads to a root that this machine's own store alone trusts, and neutral hosts' chains do not: somebody who may put roots there reads this name, or the service's authority is newer than our bundle.",
		Layers:     []Layer{LayerTLS},
		Source:     "Durumeric et al., The Security Impact of HTTPS Interception, NDSS 2017; Sundara Raman et al., Kazakhstan, IMC 2020 (a root that people were told to install)",
		Signatures: []Signature{TLSMITM},
		Needs:      "a completed handshake under a chain to a root of this machine's store alone, and neutral hosts under their own chains",
		Refuses:    "whether the household, a company or a state put the root there, or the bundle is too old",
		Confidence: Confirmed,
		Judge:      machinesOwnRoot,
	},
	{
		ID:         "tls-logged-and-rootless",
		Since:      "2026-11-23.2",
		Says:       "The chain leads to no root, and its leaf says that it is publicly logged: a forgotten intermediate, or an authority that is newer than our bundle, more likely than a box.",
		Layers:     []Layer{LayerTLS},
		Source:     "RFC 6962, section 3.3; Acer et al., Where the Wild Warnings Are, CCS 2017 (missing intermediates)",
		Signatures: []Signature{TLSMITM},
		Needs:      "a completed handshake under a chain to no root, whose leaf bears timestamps of a public log, and neither a known block page behind it nor a known interception root above it",
		Refuses:    "that the timestamps are true: a box can copy them",
		Judge: func(c *Case) *Finding {
			t := c.T.TLS
			if !c.T.Failure.IsCertificate() || t == nil || t.ChainRoot != RootNone || !t.Logged || c.SameKeyAtReference() {
				return nil
			}
			if c.interceptor() != "" {
				return nil
			}
			return inconclusive(TLSMITM, "the chain leads to no root, and the certificate says that it is publicly logged: the server forgot an intermediate, or its authority is newer than our bundle, as easily as somebody copied the timestamps")
		},
	},
}

// machinesOwnRoot never says more than that it looks like an interception. Who put the root there can't be
// seen, unless it is one that a state is known by, or its block page: parental controls and company boxes that read
// some names alone do what a state does that made people install its root.
func machinesOwnRoot(c *Case) *Finding {
	t := c.T.TLS
	if !c.T.Failure.IsCertificate() || t == nil || t.ChainRoot != RootSystem || c.view.forged(hostOf(c), c.Addr()) {
		return nil
	}
	const what = "the chain leads to a root that only this machine's own store trusts"
	if proof := c.interceptor(); proof != "" {
		return blocked(TLSMITM, Confirmed, what, proof)
	}
	switch {
	case c.SameKeyAtReference():
		return inconclusive("", what+", and the reference vantage is shown the same key: it is the server's own")
	case t.Logged:
		return inconclusive("", what+", and the certificate says that it is publicly logged: an authority that is newer than our bundle is more likely than a box")
	case c.N != nil && c.N.TLS.proves():
		return inconclusive(TLSMITM, what+"; a neutral name at the same place gets the edge's own", "who put that root there may read this name: the household, a company or a state")
	}
	return inconclusive(TLSMITM, what, "nothing tells an interception from the server's own")
}

package measurements

// shapeRules: one shape of hello dies, the other passes, and a neutral name's of the same shape passed.
var shapeRules = []Rule{
	{
		ID:         "tls-shape-with-name",
		weighs:     true,
		Since:      "2026-11-23.2",
		Says:       "The large hello dies with the target's name and the small one passes; a neutral name's large hello passed at the same place just before.",
		Layers:     []Layer{LayerTLS},
		Source:     "DESIGN section 4, tls.*.fingerprint and rule 4; tldr.fail (what treats hellos of two segments otherwise)",
		Signatures: []Signature{TLSTimeoutFingerprint, TLSResetFingerprint, TLSTimeoutSNI, TLSResetSNI},
		Needs:      "a small hello of the target's that passed, a large one that died by silence or reset at the same place, and control N's large hello answered there just before",
		Refuses:    "more than a suspicion of what was met once, since an old box before one name's own servers does that too",
		Confidence: Likely,
		Judge:      diesByShape,
	},
}

func diesByShape(c *Case) *Finding {
	if !c.splitByShape() {
		return nil
	}
	s := tlsSignature(c.Kind(), "fingerprint")
	const what = "the small hello passes and the large one dies; a neutral name's large hello, at the same place, just before, was answered"
	byItsName := tlsSignature(c.Kind(), "sni")
	switch {
	case c.followed(byItsName):
		return byName(c, byItsName, what, "its small hello died here lately as well: some connections are let through, whatever their shape")
	case !c.view.current(c.Name, c.Addr()):
		return inconclusive(s, what, "no resolver gave this address in this round: an edge that stopped serving the name does that too")
	case c.splitElsewhere():
		return blocked(s, Likely, what, "it came again at another address")
	case c.AgainLater(s, c.episode()):
		return blocked(s, Likely, what, "it came again in a later round")
	}
	return blocked(s, Suspected, what, "seen once, it may be loss, or an old box of the server's")
}

// splitByShape says whether nothing but the name and the shape together explains the failure.
func (c *Case) splitByShape() bool {
	return c.Failed() && (c.Kind() == "timeout" || c.Kind() == "reset") && c.T.has(Default) &&
		c.Passed.has(Small) && c.N.has(Default) && c.NeutralPassed()
}

func (o *Observation) has(s Shape) bool { return o != nil && o.TLS != nil && o.TLS.Shape == s }

// splitElsewhere says whether another address of the target splits in the same way, with its own N.
func (c *Case) splitElsewhere() bool {
	for _, d := range c.all {
		if d != c && d.Target.ID == c.Target.ID && d.Layer == c.Layer && d.Name == c.Name && d.Addr() != c.Addr() && d.splitByShape() && d.T.Failure == c.T.Failure {
			return true
		}
	}
	return false
}

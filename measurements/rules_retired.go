package measurements

// Rules that hold no more, each as it was. They stand in the lists where they stood.

// redirectedWithoutControl took a control N that had failed, or that did not say what it saw, for one
// that was not redirected.
var redirectedWithoutControl = Rule{
	ID:         "http-redirected-away",
	Says:       "In clear, the target's Host is redirected to a site that is not the app's; a neutral Host at the same place is not.",
	Until:      "2026-11-23.2",
	Layers:     []Layer{LayerHTTP},
	Source:     "ooni/data mechanism taxonomy, http.redirect",
	Signatures: []Signature{HTTPRedirect},
	Needs:      "a clear answer that leads to another site, and control N answered at the same place without it",
	Refuses:    "that a place that redirects everybody redirects this app",
	Confidence: Likely,
	Judge: func(c *Case) *Finding {
		if !c.redirectedAway() {
			return nil
		}
		switch {
		case c.N == nil:
			return inconclusive(HTTPRedirect, "redirected to a site that is not the app's; no neutral Host was tried there just before")
		case c.N.HTTP != nil && c.N.HTTP.Location == c.T.HTTP.Location:
			return inconclusive(HTTPRedirect, "whatever the Host, this place redirects there")
		}
		return blocked(HTTPRedirect, Likely, "redirected to a site that is not the app's; a neutral Host at the same place is not")
	},
}

// plainInOneForm took a silence in one framing for a filter's, where the server may never have spoken it.
var plainInOneForm = Rule{
	ID:         "app-dies-plain",
	Since:      "2026-11-23.2",
	Until:      "2026-11-26.1",
	Says:       "The app's first bytes die where they can be recognised, and pass, at the same place just before, where they look like chance.",
	Layers:     []Layer{LayerApp},
	Source:     "core.telegram.org/mtproto/mtproto-transports#transport-obfuscation (made for such filters); DESIGN section 4, app.*",
	Signatures: []Signature{AppTimeout, AppReset, AppEOF},
	Needs:      "control N in bytes without a form that was answered at the same place just before",
	Refuses:    "more than a suspicion of one silence or one end",
	Confidence: Likely,
	Judge: func(c *Case) *Finding {
		s := appSignature[c.Kind()]
		if s == "" || !c.NeutralPassed() {
			return nil
		}
		return byName(c, s, "the app's first bytes die; the same exchange without recognisable bytes, just before, was answered")
	},
}

// hereInOneForm did the same without control N; and it said nothing of WhatsApp's hosts where another port proves them.
var hereInOneForm = Rule{
	ID:         "app-dies-here",
	Since:      "2026-11-23.2",
	Until:      "2026-11-26.1",
	Says:       "The connection stands, and the app's first bytes are not answered, as they were on this network before, while other servers of the app answer theirs.",
	Layers:     []Layer{LayerApp},
	Source:     "DESIGN section 4, app.* and rule 6",
	Signatures: []Signature{AppTimeout, AppReset, AppEOF, UDPTimeoutSTUN},
	Needs:      "an exchange that dies; to call it blocked, evidence from the path, a reference vantage, or a second network that fails alike",
	Refuses:    "that a server is filtered which has never answered here, or which may be down",
	Confidence: Likely,
	Judge: func(c *Case) *Finding {
		s := appSignature[c.Kind()]
		if c.Failed() && c.T.App != nil && c.T.App.Protocol == STUN {
			return unansweredSTUN(c)
		}
		switch {
		case s == "":
			return nil
		case c.NeutralFailedAlike():
			return whateverTheName(c, s, "the app's first bytes die, recognisable or not")
		case portOf(c.Endpoint) == 80:
			return inconclusive(s, "the app's first bytes die on port 80, where proxies answer for everybody and know HTTP alone")
		case c.T.App != nil && c.T.App.Protocol == WhatsAppNoise && !c.answeredBefore():
			return inconclusive(s, "the connection stands, and the app's first bytes are not answered; they have never been on this network")
		}
		return whateverTheName(c, s, "the connection stands, and the app's first bytes are not answered")
	},
}

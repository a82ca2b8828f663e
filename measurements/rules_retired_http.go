package measurements

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

// redirectedToTheLetter took two redirects that differ in their query for redirects to two places, and what an app says
// of itself over TLS for nothing.
var redirectedToTheLetter = Rule{
	ID:         "http-redirected-away",
	Says:       "In clear, the target's Host is redirected to a site that is not the app's; a neutral Host at the same place is not.",
	Since:      "2026-11-23.2",
	Until:      "2026-11-26.1",
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
		case c.N == nil || !c.N.OK() || c.N.HTTP == nil:
			return inconclusive(HTTPRedirect, "redirected to a site that is not the app's; no neutral Host was answered there just before")
		case c.N.HTTP.Location == c.T.HTTP.Location:
			return inconclusive(HTTPRedirect, "whatever the Host, this place redirects there")
		}
		return blocked(HTTPRedirect, Likely, "redirected to a site that is not the app's; a neutral Host at the same place is not")
	},
}

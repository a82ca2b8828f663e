package measurements

import "fmt"

var httpRules = []Rule{
	{
		ID:     "http-block-page",
		Says:   "The answer, on a channel that is not the app's own, is a known block page.",
		Layers: []Layer{LayerHTTP},
		Source: "ooni/blocking-fingerprints",
		Judge: func(c *Case) *Finding {
			if cc := knownBlockPage(c.T.HTTP); cc != "" {
				return blocked(HTTPBlockpage, Confirmed, "the answer is a block page known from "+cc)
			}
			return nil
		},
	},
	{
		ID:     "http-redirected-away",
		Says:   "In clear, the target's Host is redirected to a site that is not the app's; a neutral Host at the same place is not.",
		Layers: []Layer{LayerHTTP},
		Source: "ooni/data mechanism taxonomy, http.redirect",
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
	},
	{
		ID:     "http-dies-with-host",
		Says:   "In clear, the exchange dies for the target's Host; a neutral Host passed at the same place just before.",
		Layers: []Layer{LayerHTTP},
		Source: "Sundara Raman et al., SIGCOMM 2023, Post-PSH signatures; ooni/data taxonomy, http.reset.host",
		Judge: func(c *Case) *Finding {
			if c.Kind() == "" || c.T.Transport != "tcp" || !c.NeutralPassed() {
				return nil
			}
			return byName(c, Signature("http."+c.Kind()+".host"), "the exchange dies for the target's Host; a neutral Host at the same place, just before, was answered")
		},
	},
	{
		ID:     "http-dies-after-handshake",
		Says:   "The handshake was good and the exchange dies; with a neutral name it did not.",
		Layers: []Layer{LayerHTTP},
		Source: "Sundara Raman et al., SIGCOMM 2023, Post-data signatures",
		Judge: func(c *Case) *Finding {
			s := httpSignature[c.Kind()]
			if s == "" || c.T.Transport == "tcp" || !c.NeutralGotAsFar() {
				return nil
			}
			return byName(c, s, "the exchange dies after a good handshake; with a neutral name at the same place, just before, it did not")
		},
	},
	{
		ID:     "http-dies",
		Says:   "The exchange dies, and a neutral name fared no better or was not tried.",
		Layers: []Layer{LayerHTTP},
		Source: "DESIGN section 4, rules 6 and 10",
		Judge: func(c *Case) *Finding {
			s := httpSignature[c.Kind()]
			switch {
			case s == "":
				return nil
			case c.NeutralFailedAlike():
				return whateverTheName(c, s, "the exchange dies whatever the name")
			}
			return inconclusive(s, "the exchange dies; no neutral name got as far at the same place just before")
		},
	},
	{
		ID:     "service-down",
		Says:   "Over verified TLS the service itself says that it is down.",
		Layers: []Layer{LayerHTTP},
		Source: "RFC 9110, section 15.6; DESIGN section 4, rule 7",
		Judge: func(c *Case) *Finding {
			if c.Failed() || !c.T.HTTP.verified() || c.T.HTTP.Status < 500 {
				return nil
			}
			return &Finding{State: Down, Reasons: []string{fmt.Sprintf("the service answers %d over verified TLS", c.T.HTTP.Status)}}
		},
	},
	{
		ID:     "service-refuses",
		Says:   "Over verified TLS the service itself refuses us: that is its own word, and no block of the network's.",
		Layers: []Layer{LayerHTTP},
		Source: "RFC 7725 (451); RFC 6585, section 4 (429); RFC 9110, section 15.5.4 (403)",
		Judge: func(c *Case) *Finding {
			if c.Failed() || !c.T.HTTP.verified() {
				return nil
			}
			switch c.T.HTTP.Status {
			case 403, 429, 451:
				return &Finding{State: OK, Signature: ServiceRefused, Reasons: []string{fmt.Sprintf("the service answers %d over verified TLS", c.T.HTTP.Status)}}
			}
			return nil
		},
	},
}

var httpSignature = map[string]Signature{"reset": HTTPReset, "timeout": HTTPTimeout, "eof": HTTPEOF}

// redirectedAway says whether a clear answer leads to a site that is not the target's.
func (c *Case) redirectedAway() bool {
	h := c.T.HTTP
	return !c.Failed() && h != nil && !h.Verified && h.Status >= 300 && h.Status < 400 && h.Location != "" &&
		!sameSite(h.Location, append([]string{c.Name}, c.Target.Hosts...))
}

package measurements

import "fmt"

var httpRules = []Rule{
	{
		ID:         "http-block-page",
		Says:       "The answer, on a channel that is not the app's own, is a known block page.",
		Layers:     []Layer{LayerHTTP},
		Source:     "ooni/blocking-fingerprints",
		Signatures: []Signature{HTTPBlockpage},
		Needs:      "an answer over a channel that is not the app's own, with words that only a block page has",
		Refuses:    "anything about pages that the service itself sends over verified TLS",
		Confidence: Confirmed,
		Judge: func(c *Case) *Finding {
			if cc := knownBlockPage(c.T.HTTP); cc != "" {
				return blocked(HTTPBlockpage, Confirmed, "the answer is a block page known from "+cc)
			}
			return nil
		},
	},
	redirectedWithoutControl,
	redirectedToTheLetter,
	{
		ID:         "http-redirected-away",
		Says:       "In clear, the target's Host is redirected to a site that is not the app's; a neutral Host at the same place is not.",
		Since:      "2026-11-26.1",
		Layers:     []Layer{LayerHTTP},
		Source:     "ooni/data mechanism taxonomy, http.redirect; DESIGN section 4 (over verified TLS it is the service's own word)",
		Signatures: []Signature{HTTPRedirect},
		Needs:      "a clear answer that leads to another site, and control N answered at the same place without being led there",
		Refuses:    "that a place that redirects everybody redirects this app, whatever the query says; anything where the app's own server leads there over verified TLS; more than a suspicion of a redirect to HTTPS, as of an app that moves",
		Confidence: Likely,
		Judge:      redirectedElsewhere,
	},
	{
		ID:         "http-dies-with-host",
		weighs:     true,
		Says:       "In clear, the exchange dies for the target's Host; a neutral Host passed at the same place just before.",
		Layers:     []Layer{LayerHTTP},
		Source:     "Sundara Raman et al., SIGCOMM 2023, Post-PSH signatures; ooni/data taxonomy, http.reset.host",
		Signatures: []Signature{HTTPResetHost, HTTPTimeoutHost, HTTPEOFHost},
		Needs:      "a clear exchange that dies, and control N that was answered at the same place just before",
		Refuses:    "more than a suspicion of silence or an end that was met once",
		Confidence: Likely,
		Judge: func(c *Case) *Finding {
			if c.Kind() == "" || c.T.Transport != "tcp" || !c.NeutralPassed() {
				return nil
			}
			return byName(c, Signature("http."+c.Kind()+".host"), "the exchange dies for the target's Host; a neutral Host at the same place, just before, was answered")
		},
	},
	{
		ID:         "http-server-may-hang",
		Since:      "2026-11-23.2",
		Says:       "After a good handshake the request is never answered, and nothing shows that the server did not get it: a back end that hangs, behind every edge of the site, is as silent.",
		Layers:     []Layer{LayerHTTP},
		Source:     "RFC 9110, section 15.6.5 (a gateway says 504 only when it gives up); DESIGN section 4, rules 5 and 7",
		Signatures: []Signature{HTTPTimeout},
		Needs:      "silence after a good handshake, and neither a kernel that says that the request went unacknowledged nor an answer for this name over TLS at the same address",
		Refuses:    "that silence of a server that may have heard us is anybody's will",
		Judge: func(c *Case) *Finding {
			if !c.Failed() || !c.Silent() || c.T.Transport == "tcp" || c.T.HTTP != nil && c.T.HTTP.Status != 0 || !c.mayHang() {
				return nil
			}
			return inconclusive(HTTPTimeout, "the handshake is good and the request unanswered; a back end that hangs for this name alone does that at every address")
		},
	},
	{
		ID:         "http-dies-after-handshake",
		weighs:     true,
		Says:       "The handshake was good and the exchange dies; with a neutral name it did not.",
		Layers:     []Layer{LayerHTTP},
		Source:     "Sundara Raman et al., SIGCOMM 2023, Post-data signatures",
		Signatures: []Signature{HTTPReset, HTTPTimeout, HTTPEOF},
		Needs:      "an exchange that dies after a good handshake, and control N whose connection brought as many bytes at the same place",
		Refuses:    "that the name matters where every stream ends after so many bytes",
		Confidence: Likely,
		Judge: func(c *Case) *Finding {
			s := httpSignature[c.Kind()]
			if s == "" || c.T.Transport == "tcp" || !c.NeutralGotAsFar() {
				return nil
			}
			return byName(c, s, "the exchange dies after a good handshake; with a neutral name at the same place, just before, it did not")
		},
	},
	{
		ID:         "http-dies",
		weighs:     true,
		Says:       "The exchange dies, and a neutral name fared no better or was not tried.",
		Layers:     []Layer{LayerHTTP},
		Source:     "DESIGN section 4, rules 6 and 10",
		Signatures: []Signature{HTTPReset, HTTPTimeout, HTTPEOF},
		Needs:      "an exchange that dies",
		Refuses:    "that the name matters; that it is a block without evidence from the path, a reference vantage that passes, or a second network",
		Confidence: Likely,
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
		ID:      "service-down",
		Says:    "Over verified TLS the service itself says that it is down.",
		Layers:  []Layer{LayerHTTP},
		Source:  "RFC 9110, section 15.6; DESIGN section 4, rule 7",
		Needs:   "a status of 500 or more over verified TLS",
		Refuses: "down of what was not read over a channel that is the app's own",
		Judge: func(c *Case) *Finding {
			if c.Failed() || !c.T.HTTP.verified() || c.T.HTTP.Status < 500 {
				return nil
			}
			return &Finding{State: Down, Reasons: []string{fmt.Sprintf("the service answers %d over verified TLS", c.T.HTTP.Status)}}
		},
	},
	{
		ID:         "service-refuses",
		Says:       "Over verified TLS the service itself refuses us: that is its own word, and no block of the network's.",
		Layers:     []Layer{LayerHTTP},
		Source:     "RFC 7725 (451); RFC 6585, section 4 (429); RFC 9110, section 15.5.4 (403)",
		Signatures: []Signature{ServiceRefused},
		Needs:      "403, 429 or 451 over verified TLS",
		Refuses:    "that what the service itself says is the network's block",
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

// mayHang says whether nothing shows that the request did not come through, or that the site answers.
func (c *Case) mayHang() bool {
	if c.T.Transport == "quic" {
		return !c.view.answersOverTLS(c.Name, c.Addr())
	}
	return !c.unheard()
}

package measurements

import (
	"net/netip"
	"time"
)

// Rules that hold no more, each as it was. They stand in the lists where they stood.

// plainInOneForm took a silence in one framing for a filter's, where the server may never have spoken it.
var plainInOneForm = Rule{
	ID:         "app-dies-plain",
	Since:      "2026-11-23.2",
	Until:      "2026-11-26.1",
	former:     true,
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
	former:     true,
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

// homeFilterOfThisRound forgot what a scan had found as soon as the round was over.
var homeFilterOfThisRound = Rule{
	ID:         "home-app-filter",
	Since:      "2026-11-23.2",
	Until:      "2026-11-26.1",
	Says:       "The home's own router does it: the handshake dies at a hop inside the home, or a clear request is sent to the router's page.",
	Layers:     []Layer{LayerTLS, LayerHTTP},
	Source:     "CenTrace, CoNEXT 2022 (hops); RFC 8375 and RFC 6762 (names of the home)",
	Signatures: []Signature{LocalAppFilter},
	Needs:      "a scan that finds the hop inside the home, or a redirect to a name that only homes have",
	Refuses:    "redirects to private addresses without such a name: providers' block pages live there too",
	Judge: func(c *Case) *Finding {
		switch {
		case c.Failed() && c.NeutralPassed() && c.diesAtHome():
			return &Finding{State: Local, Signature: LocalAppFilter, Reasons: []string{"the handshake dies at a router inside the home"}}
		case c.Layer == LayerHTTP && c.redirectedAway() && homeName(c.T.HTTP.Location):
			return &Finding{State: Local, Signature: LocalAppFilter, Reasons: []string{"the home's router sends the request to a page of its own"}}
		}
		return nil
	},
}

// lateByThisRound took the quickest connect of the round for a round trip, on a line on which all of them waited.
var lateByThisRound = Rule{
	ID:      "line-congested",
	Since:   "2026-11-23.2",
	Until:   "2026-11-26.1",
	Says:    "A step ends in silence on a line on which handshakes that do pass take seconds: loss and queues make silence, for one name as for another.",
	Source:  "RFC 6298, section 2; our kernel tests over a queue of 64 kbit/s",
	Needs:   "handshakes of the same round that passed, a quarter of them a second late",
	Refuses: "that silence on a full line is anybody's will",
	Judge: func(c *Case) *Finding {
		least := c.view.leastConnect()
		return c.silentWhileLate(func(netip.Addr) time.Duration { return least })
	},
}

// weighedAnew is the set of rules with which the weights changed (rules_weights.go).
const weighedAnew = "2026-11-26.1"

// reweighed puts before each rule that weighs its former self, which weighs as it did then.
func reweighed(rules []Rule) []Rule {
	var out []Rule
	for _, r := range rules {
		if r.weighs && r.Until == "" {
			was := r
			was.Until, was.former = weighedAnew, true
			r.Since = weighedAnew
			out = append(out, was)
		}
		out = append(out, r)
	}
	return out
}

// byNameFormerly took an alert of the server's for one that was forged, and an end at another address of a site for
// another end.
func byNameFormerly(c *Case, s Signature, reasons ...string) *Finding {
	reasons = append(reasons, c.elsewhereReason()...)
	switch {
	case !c.Silent() && c.T.Failure != EOF:
		return blocked(s, Likely, reasons...)
	case c.againElsewhereFormerly(), c.NameAloneTriggers():
		return blocked(s, Likely, append(reasons, "it came again at another address")...)
	case c.AgainLater(s, Decorrelation):
		return blocked(s, Likely, append(reasons, "it came again in a later round")...)
	}
	return blocked(s, Suspected, append(reasons, "seen once, it may be loss, or the server's own")...)
}

func (c *Case) againElsewhereFormerly() bool {
	for _, d := range c.all {
		if d != c && d.Target.ID == c.Target.ID && d.Layer == c.Layer && d.Failed() && d.T.Failure == c.T.Failure &&
			d.Addr() != c.Addr() && d.Name == c.Name && d.NeutralPassed() {
			return true
		}
	}
	return false
}

// whateverTheNameFormerly took IPv6 that gets lost between operators for a block in two networks.
func whateverTheNameFormerly(c *Case, s Signature, reasons ...string) *Finding {
	if c.FromThePath() {
		return blocked(s, Likely, append(reasons, "the answer came faster than the server can be reached")...)
	}
	if f := byReference(c, s, reasons...); f != nil {
		return f
	}
	if c.FailsAlikeInTwoNetworks() && !c.view.line.Fine[c.Family] {
		return inconclusive(s, append(reasons, "endpoints of the app in two networks fail alike, and so do half of the neutral operators' or more")...)
	}
	if c.FailsAlikeInTwoNetworks() {
		return blocked(s, Suspected, append(reasons, "endpoints of the app in two networks fail alike while neutral ones answer; no reference vantage says that they are up")...)
	}
	reasons = append(reasons, c.referenceReason()...)
	return inconclusive(s, append(reasons, "nothing tells a block from an outage of this place")...)
}

// byReferenceFormerly took R's word against a refusal for one against this place, and an accept of the endpoint
// itself for a way there.
func byReferenceFormerly(c *Case, s Signature, reasons ...string) *Finding {
	if !c.UpAtReference() {
		return nil
	}
	reasons = append(reasons, "the reference vantage passes there")
	switch {
	case c.Silent() && !c.wayThere() && !(c.FailsAlikeInTwoNetworks() && c.view.line.Fine[c.Family]):
		return inconclusive(s, append(reasons, "nothing else in this network answers us: a site, or a way to it, that is ours and not the reference's may be down")...)
	case !c.saidSince(s):
		return blocked(s, Suspected, append(reasons, "its word is older than the failure: an outage may be younger")...)
	case c.Silent() && !c.AgainLater(s, Decorrelation):
		return blocked(s, Suspected, append(reasons, "silence seen once may be loss")...)
	}
	return blocked(s, Likely, append(reasons, "and it did so since the failure began")...)
}

// foreignChainFormerly took two addresses of one site for two witnesses, and an edge's default certificate for
// somebody else's.
func foreignChainFormerly(c *Case) *Finding {
	switch {
	case c.N != nil && c.N.TLS.proves():
		return blocked(TLSMITM, Likely, "the target's name gets a chain that leads to no root; a neutral name at the same place gets the edge's own")
	case c.imposterElsewhereFormerly():
		return blocked(TLSMITM, Likely, "two addresses that other resolvers vouch for show a chain that leads to no root; neutral hosts show their own")
	}
	return inconclusive(TLSMITM, "the chain leads to no root, and nothing tells an interception from the server's own")
}

func (c *Case) imposterElsewhereFormerly() bool {
	for _, d := range c.all {
		if d.Layer == LayerTLS && d.T.TLS != nil && d.T.TLS.ChainRoot == RootNone && d.T.TLS.LeafIssuer == c.T.TLS.LeafIssuer && network(d.Addr()) != network(c.Addr()) {
			return true
		}
	}
	return false
}

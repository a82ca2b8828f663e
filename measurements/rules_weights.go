package measurements

import "time"

// What a failure weighs for which a control has spoken: by name, or whatever the name. The weights before
// version 2026-11-26.1 are kept beside the rules that have retired.

// byName weighs a failure that the target's name met and a neutral name, just before at the same
// place, did not. A reset, which somebody had to send for this name, is likely at once.
//
// Silence must come again, because loss makes silence too; and so must an end (FIN) and an alert, which
// are what an edge says whose back end, or certificate, for this one name is gone, unless they came faster
// than the server can be reached, the reference vantage is served there under this name, or control X met
// the same (DESIGN section 4, rules 5 and 7). All addresses of one site share its back end, so that only
// silence is said again at another address (AgainElsewhere).
//
// Where control X passes it takes nothing back: a filter may want name and prefix together (DESIGN section 2).
func byName(c *Case, s Signature, reasons ...string) *Finding {
	if c.former {
		return byNameFormerly(c, s, reasons...)
	}
	reasons = append(reasons, c.elsewhereReason()...)
	switch {
	case c.FromThePath():
		return blocked(s, Likely, append(reasons, c.pathReason())...)
	case c.NameAloneTriggers():
		return blocked(s, Likely, append(reasons, "it came again at another address")...)
	case c.neutralDiedElsewhere():
		return blocked(s, Suspected, append(reasons, "a neutral name died in the same way at another place of the target in this round: what kills it need not read names")...)
	case !c.NeutralServed():
		return blocked(s, Suspected, append(reasons, "the neutral name was answered with an alert alone, and this edge is not known to answer it so while it serves the target")...)
	case !c.mayBeBackEnd() && !c.sparedElsewhere():
		return blocked(s, Likely, reasons...)
	case c.AgainElsewhere():
		return blocked(s, Likely, append(reasons, "it came again at another address")...)
	case !c.Silent() && c.UpAtReference() && c.saidSince(s):
		return blocked(s, Likely, append(reasons, "the reference vantage is served there under this name, and was so since the failure began")...)
	case c.AgainLater(s, c.episode()):
		return blocked(s, Likely, append(reasons, "it came again in a later round")...)
	case c.Silent():
		return blocked(s, Suspected, append(reasons, "seen once, it may be loss, or the server's own")...)
	case !c.mayBeBackEnd():
		return blocked(s, Suspected, append(reasons, "the same name passes at another address in this round: one machine of a site that ends connections at random, and spared the neutral one, looks so")...)
	}
	return blocked(s, Suspected, append(reasons, "an edge whose back end for this one name is gone says that too, at each of its addresses")...)
}

// neutralDiedElsewhere says whether a neutral name met the case's failure at another endpoint of the target, at the same
// layer, in this round: one ill machine of a site's pool spares nobody, and control N here as easily as the target there (rule 10).
func (c *Case) neutralDiedElsewhere() bool {
	for _, d := range c.all {
		if d.Target.ID == c.Target.ID && d.Layer == c.Layer && d.Endpoint != c.Endpoint && d.N != nil && !d.N.OK() && (d.N.Failure == c.T.Failure || c.Kind() != "" && d.N.Failure.Kind() == c.Kind()) {
			return true
		}
	}
	return false
}

// sparedElsewhere says whether the very same step, with the target's name, passed at another address of it over the same
// family. Who reads names reads this one there too, or on the way there: what ended one of two may be one ill machine of
// the site's, which a single try of control N escapes as easily as the target's own at the next. A large hello that
// passes says so of the small one before it, too (see alike).
func (c *Case) sparedElsewhere() bool {
	for i := range c.view.m.Observations {
		o := &c.view.m.Observations[i]
		same := o.Target == c.Target.ID && o.Control == T && o.Operation == c.T.Operation && o.Transport == c.T.Transport && o.Name == c.Name && o.Family == c.Family
		if same && o.OK() && o.Addr() != c.Addr() && (o.shape() == c.T.shape() || c.T.shape() == Small && o.shape() == Default) {
			return true
		}
	}
	return false
}

// mayBeBackEnd says whether what is behind an edge, for this one name, may have failed so. A server closes a QUIC
// connection so that it has no room for, or no certificate (RFC 9000, section 20.1).
func (c *Case) mayBeBackEnd() bool {
	return c.Silent() || c.Kind() == "eof" || c.Kind() == "alert" || c.T.Failure.IsQUICClose()
}

// episode is the time within which failures without a success in between are one: an outage, or a mistake with one
// name. Silence of a server that never heard us is none of a back end's, and that of one of which nobody knows is
// taken for two hours. What a server has heard, and what it may have said itself, is somebody's mistake until it
// has lasted longer than one with a large app's name goes unseen.
func (c *Case) episode() time.Duration {
	switch {
	case !c.mayBeBackEnd():
		return decorrelation
	case c.Silent() && !c.mute():
		return shortOutage
	}
	return server
}

// shortOutage is how long most troubles of a line or a site last that make silence. Chosen by us.
const shortOutage = 2 * time.Hour

// whateverTheName weighs a failure that does not depend on the name: an outage or a ban looks the
// same as a block. Only evidence from the path, a reference vantage that passes there, or the same
// failure in two networks, speaks for a block; the last alone is never more than suspected (rule 6).
func whateverTheName(c *Case, s Signature, reasons ...string) *Finding {
	if c.former {
		return whateverTheNameFormerly(c, s, reasons...)
	}
	switch {
	case c.T.refusedConnect() && len(c.view.line.strays[caprice{kind: refusal}]) > 0:
		return inconclusive(s, append(reasons, "connects are refused in this round at places where others pass: a router, or a translator of addresses, that refuses some at random does that anywhere")...)
	case c.FromThePath() && c.refusedOnce(s) && !c.inTheHouse():
		return blocked(s, Suspected, append(reasons, c.pathReason(), "it was refused once: a router, or a translator of addresses, that refuses some connections at random looks so")...)
	case c.FromThePath() && c.inTheHouse():
		return inconclusive(s, append(reasons, "the answer came within a millisecond: a firewall of this machine, or of this house, is as near as that")...)
	case c.FromThePath():
		return blocked(s, Likely, append(reasons, c.pathReason())...)
	}
	home := c.T.ICMP != nil && c.T.ICMP.Sender == ICMPHome // who stands elsewhere does not have this router
	if f := byReference(c, s, reasons...); f != nil && !home {
		return f
	}
	switch {
	case c.T.ICMP.routes():
		return inconclusive(s, append(reasons, "routers that know no way say so, and whoever withdraws his own routes is unreachable at all of his addresses")...)
	case home:
		return inconclusive(s, append(reasons, "it is a router of this network, or this machine, that says so")...)
	case !c.FailsAlikeInTwoNetworks():
		reasons = append(reasons, c.referenceReason()...)
		return inconclusive(s, append(reasons, "nothing tells a block from an outage of this place")...)
	case !c.view.line.Fine[c.Family]:
		return inconclusive(s, append(reasons, "endpoints of the app in two networks fail alike, and so do half of the neutral operators' or more")...)
	case c.lostOnIPv6Alone():
		return inconclusive(s, append(reasons, "endpoints of the app in two networks are silent over IPv6, and the same targets answer over IPv4: between operators that do not exchange IPv6 it gets lost so")...)
	}
	return blocked(s, Suspected, append(reasons, "endpoints of the app in two networks fail alike while neutral ones answer; no reference vantage says that they are up")...)
}

// theHouse is the time within which what answers is taken to stand in the house: no access line takes less for a round
// trip as a rule (ITU-T G.984 polls its terminals in frames of 125 µs, and takes several; DOCSIS and DSL take many
// times that), and a local network less than half. Chosen by us.
const theHouse = Seconds(time.Millisecond)

// inTheHouse says whether a connect, or what followed on it at once, was answered within that time, and not by ICMP,
// whose sender is known.
func (c *Case) inTheHouse() bool {
	took := c.T.Duration
	if accept := c.view.connectOf(c.T.Conn); c.T.Operation == Settle && accept != nil {
		took = accept.Duration
	}
	return c.T.ICMP == nil && took < theHouse
}

// lostOnIPv6Alone says whether the case is silence over IPv6 of a target that answers over IPv4, and so is each that
// fails alike in another network.
func (c *Case) lostOnIPv6Alone() bool {
	if c.Family != IPv6 || !c.Silent() || !c.answersOverIPv4() {
		return false
	}
	for _, d := range c.alikeInOtherNetworks() {
		if !d.answersOverIPv4() {
			return false
		}
	}
	return true
}

// answersOverIPv4 says whether the target's layer passed over IPv4 in this round, or failed with a word of somebody's,
// as a refusal is: that has a cause of its own. It was silent nowhere.
func (c *Case) answersOverIPv4() bool {
	answers := false
	for _, d := range c.all {
		if d.Target.ID == c.Target.ID && d.Layer == c.Layer && d.Family == IPv4 {
			if d.Failed() && d.Silent() {
				return false
			}
			answers = true
		}
	}
	return answers
}

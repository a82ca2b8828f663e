package measurements

// leastForeign is how many foreign operators have to be dead before they stand for the outside: as many
// as the decision table of our sources asks for (three neutral names in three networks).
const leastForeign = 3

// unknownCountry is what a vantage says that does not say where it is.
const unknownCountry = "ZZ"

// domesticAlone says whether hosts inside the vantage's own country complete verified handshakes, and
// those of at least three operators abroad were tried and do not. It needs the country.
func domesticAlone(g *Measurement) bool {
	here := g.Vantage.Country
	if here == "" || here == unknownCountry {
		return false
	}
	domestic, _ := operatorsOf(g, func(t TargetInfo) bool { return t.Scope == "domestic" && t.Country == here })
	abroad, _ := operatorsOf(g, foreign)
	alive, tried := false, map[string]bool{}
	for i := range g.Observations {
		o := &g.Observations[i]
		if o.Operation != Connect && o.Operation != TLSHandshake {
			continue
		}
		if operator := abroad[o.Target]; operator != "" {
			tried[operator] = true
			if o.Operation == TLSHandshake && o.OK() {
				return false
			}
		}
		alive = alive || domestic[o.Target] != "" && o.Operation == TLSHandshake && o.OK()
	}
	return alive && len(tried) >= leastForeign
}

// concludeShutdown names a line that ends at the border. A cut cable and a routing accident leave silence,
// and so does a shutdown: silence alone stays inconclusive. What somebody had to send, to hosts of two
// operators, is interference; but the page of a portal, or of a quota that is used up, stands beside hosts that are
// free, and those are often the country's own.
func (l *Line) concludeShutdown(g *Measurement) {
	abroad, _ := operatorsOf(g, foreign)
	sent := map[string]bool{}
	for i := range g.Observations {
		o := &g.Observations[i]
		if operator := abroad[o.Target]; operator != "" && o.interfered() {
			sent[operator] = true
		}
	}
	l.say(NetShutdown, "neutral hosts abroad complete no verified handshake, and those inside the country do")
	l.State = Inconclusive
	switch {
	case portal(g):
		l.Reasons = append(l.Reasons, "clear requests are answered by something else: a portal or a used-up quota that lets hosts inside the country pass leaves the same")
	case len(sent) >= minOperators:
		l.State = Blocked
		l.Reasons = append(l.Reasons, "hosts of two operators abroad are answered with resets, or by somebody else: that is no cut cable")
	default:
		l.Reasons = append(l.Reasons, "only silence comes from abroad: a cut cable leaves that as well as a shutdown")
	}
}

// interfered says whether a neutral host's step over TCP ended in something that somebody had to send.
func (o *Observation) interfered() bool {
	switch o.Operation {
	case Connect:
		return o.Failure == ConnectionRefused || o.Failure == ConnectionReset
	case TLSHandshake:
		_, alert := o.Failure.Alert()
		return o.Failure == ConnectionReset || o.Failure == TLSNotTLS || alert || o.Failure.IsCertificate() && o.TLS.foreign()
	}
	return false
}

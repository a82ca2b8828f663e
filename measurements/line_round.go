package measurements

// judgeLineOf reads the gate, then what its hosts said later and the apps beside it: some troubles of the line show
// only where both are seen. What the apps say of themselves excuses the line of nothing, and blames it for nothing alone.
func judgeLineOf(r *Round, gate *Measurement, again, resolvers []*Observation) *Line {
	l := judgeLine(gate)
	l.listen(gate, again, r.Apps)
	l.readRates(gate, again)
	l.readCaprice(gate, again, r.Apps)
	l.readStrays(r.Apps)
	l.readFlows(gate, r.Apps)
	l.readResolver(gate, r.Apps)
	l.readGarden(r)
	if l.readEncrypted(gate, resolvers); l.Encrypted != "" && l.State == OK && l.Signature == "" {
		l.say(DNSEncrypted, l.Encrypted)
	}
	return l
}

// readGarden tells a quota that is used up from a captive portal: one app passes in full, as one does that the
// operator does not charge for, while clear requests to neutral hosts are sent to a page of the operator's.
func (l *Line) readGarden(r *Round) {
	if l.Signature != LocalCaptivePortal {
		return
	}
	for i := range r.Apps {
		if m := &r.Apps[i]; passesInFull(m) {
			l.Reasons = nil
			l.say(LocalQuota, "clear requests to neutral hosts are answered by something else, no neutral host completes a verified handshake, and "+m.App+" passes in full: a quota is used up, and this app is not counted")
			return
		}
	}
}

// passesInFull says whether every handshake with an app's own names was verified, of two targets at least: a
// portal lets single names through as well, such as those that people log in with.
func passesInFull(m *Measurement) bool {
	targets := map[string]bool{}
	for i := range m.Observations {
		o := &m.Observations[i]
		if o.Operation != TLSHandshake || o.Control != T {
			continue
		}
		if !o.OK() {
			return false
		}
		targets[o.Target] = true
	}
	return len(targets) >= 2
}

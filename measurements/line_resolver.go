package measurements

// readResolver notes which failures the resolver under test meets by chance: it so failed for a name that it
// answered in the same round, when it was asked again. A limit on questions, or one machine of several that is ill,
// fails for some name or other in every round, and passes most of them at another moment. A list of names does not,
// and it may have neutral names on it, those of public resolvers for one: that a neutral name fails too says nothing.
func (l *Line) readResolver(gate *Measurement, apps []Measurement) {
	l.Unsteady = map[Failure]bool{}
	ofGate := map[wanted]bool{}
	for i := range gate.Observations {
		if o := &gate.Observations[i]; o.Operation == Resolve && o.Control == T && o.resolved() {
			ofGate[wanted{o.Name, o.Family}] = true
		}
	}
	l.readFurther(gate)
	for i := range apps {
		l.readFurther(&apps[i])
		for j := range apps[i].Observations {
			o := &apps[i].Observations[j]
			if o.Operation == Resolve && o.Control == N && o.failsByItself() && ofGate[wanted{o.Name, o.Family}] {
				l.Unsteady[o.Failure] = true
			}
		}
	}
}

// readFurther compares what the resolver said of a name with what it said when nothing but the time had changed.
func (l *Line) readFurther(m *Measurement) {
	said := map[wanted]Failure{}
	for i := range m.Observations {
		if o := &m.Observations[i]; o.Operation == Resolve && o.Control == T && o.failsByItself() {
			said[wanted{o.Name, o.Family}] = o.Failure
		}
	}
	for i := range m.Observations {
		o := &m.Observations[i]
		if failed := said[wanted{o.Name, o.Family}]; failed != "" && o.Operation == Resolve && o.DNS != nil && o.DNS.Further == AskedAgain && o.resolved() {
			l.Unsteady[failed] = true
		}
	}
}

// failsByItself says whether a resolver said no more than that it failed, or would not answer.
func (o *Observation) failsByItself() bool {
	return o.Failure == DNSServfail || o.Failure == DNSRefused
}

// resolved says whether a name was given an address: a further failure, in other words, is no answer.
func (o *Observation) resolved() bool {
	return o.OK() && o.DNS != nil && len(o.DNS.Addresses) > 0
}

package measurements

// atHelper says whether the step was made at a helper's address: it tells of the names that were sent
// there, and nothing of the target's endpoints.
func (o *Observation) atHelper() bool { return o.Origin == FromHelper }

// asked is what control X asks about.
type asked struct {
	target string
	layer  Layer
	family Family
	name   string
}

// elsewhere indexes control X by what it asked about. One counts where the helper had answered a neutral
// name in the same trial: without that it may be down.
func elsewhere(m *Measurement) map[asked]*Observation {
	type step struct {
		trial     int
		operation Operation
		endpoint  string
	}
	neutral := map[step]bool{}
	for i := range m.Observations {
		if o := &m.Observations[i]; o.atHelper() && o.Control == N && o.OK() {
			neutral[step{o.Trial, o.Operation, o.Endpoint}] = true
		}
	}
	out := map[asked]*Observation{}
	for i := range m.Observations {
		o := &m.Observations[i]
		if o.atHelper() && o.Control == X && (o.Operation == TLSHandshake || o.Operation == QUICHandshake) && neutral[step{o.Trial, o.Operation, o.Endpoint}] {
			out[asked{o.Target, o.Layer(), o.Family, o.Name}] = o
		}
	}
	return out
}

// NameAloneTriggers says whether the name met the target's failure at a helper as well, where a neutral
// name had passed: at an address that has nothing to do with the target.
func (c *Case) NameAloneTriggers() bool {
	return c.X != nil && c.Failed() && c.X.Failure == c.T.Failure
}

// elsewhereReason says what control X met; nothing where it was not made.
func (c *Case) elsewhereReason() []string {
	switch {
	case c.X == nil:
		return nil
	case c.NameAloneTriggers():
		return []string{"the name alone triggers: it dies at another address too, where a neutral name passes"}
	case c.X.OK():
		return []string{"at another address the name passes: address and name may be needed together"}
	}
	return []string{"at another address, where a neutral name passes, the name meets " + c.X.Failure.Reason()}
}

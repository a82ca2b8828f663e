package measurements

// incomplete says whether observations are missing that there were when the round ended: a record that was edited,
// or cut off.
func (m *Measurement) incomplete() bool { return len(m.Observations) < m.Made }

// whole takes back what rules make of a record of which parts are missing: what is not there may have been what
// excuses. Missing evidence is said, not guessed (DESIGN section 4, rule 10).
func whole(c *Case, f *Finding) *Finding {
	if !c.view.incomplete || f.State != Blocked && f.State != Throttled {
		return f
	}
	return &Finding{State: Inconclusive, Signature: f.Signature, Rule: f.Rule, Reasons: append(f.Reasons, "observations are missing in this record, and one of them may tell otherwise")}
}

package measurements

import "slices"

// toldAtHome says whether an answer of the resolver under test may be the household's own wish, and was heard from
// nobody else: it came from a resolver inside the home (DESIGN section 4, rule 8), leads nowhere, as the filters of
// households answer, or says that its client asked for it (RFC 8914, code 17). The rules only suspect such an answer.
// A household's filter gives it each time, for years, so that repetition shows nothing.
func (m *Measurement) toldAtHome(o *Observation) bool {
	if o.DNS == nil {
		return false
	}
	chosen := nowhere(o.DNS.Addresses) || slices.Contains(o.DNS.Extended, filteredForClient)
	if o.DNS.Class != "home" && !chosen {
		return false
	}
	return !slices.ContainsFunc(m.Observations, func(d Observation) bool {
		// Whom a stub asks, the household may have chosen for what it filters.
		return d.Control == D && d.saysAsMuch(o) && (!d.DNS.Behind || d.DNS.Class != "home" && !chosen)
	})
}

// saysAsMuch says whether another resolver said the same of a name: denied it alike, or gave one of its addresses.
// Silence is the same only of the one behind a stub, of which the stub's own comes; elsewhere it may be loss.
func (o *Observation) saysAsMuch(of *Observation) bool {
	switch {
	case o.Operation != Resolve || o.Name != of.Name || o.Family != of.Family:
		return false
	case o.DNS == nil || o.DNS.Resolver == SystemResolver && !o.DNS.Behind || o.DNS.Further != "":
		return false
	case len(of.DNS.Addresses) > 0:
		return overlap(of.DNS.Addresses, o.DNS.Addresses)
	}
	return o.Failure == of.Failure && (o.Failure != Timeout || o.DNS.Behind)
}

package measurements

import (
	"fmt"
	"net/netip"
	"time"
)

// otherHops says so where an answer came with another hop limit than each of the same resolver's about
// neutral names: who sent it stands elsewhere on the path. It is a reason and no proof, since a resolver may
// be several machines; "" where it is not so, or not known.
func (c *Case) otherHops() string {
	if c.Layer != LayerDNS || c.T.DNS == nil || c.T.DNS.HopLimit == 0 || c.T.DNS.Transport != "udp" {
		return ""
	}
	usual := 0
	for i := range c.view.gate.Observations {
		o := &c.view.gate.Observations[i]
		if o.Operation != Resolve || o.Control != T || o.DNS == nil || o.DNS.HopLimit == 0 || o.DNS.Transport != "udp" || o.DNS.Resolver != c.T.DNS.Resolver {
			continue
		}
		if usual = o.DNS.HopLimit; usual == c.T.DNS.HopLimit {
			return ""
		}
	}
	if usual == 0 {
		return ""
	}
	return fmt.Sprintf("the answer came with hop limit %d, those about neutral names with %d: somebody else sent it", c.T.DNS.HopLimit, usual)
}

// conflictingAnswers looks at what the resolver under test said and, where that is a stub, which passes
// one answer on, at what was heard from the resolver behind it.
func conflictingAnswers(c *Case) *Finding {
	if c.view.anyProved(c.Name, c.answers()) {
		return nil
	}
	for _, o := range []*Observation{c.T, c.view.behind[wanted{c.Name, c.Family}]} {
		if o == nil {
			continue
		}
		if f := c.contradicted(o); f != nil {
			return f
		}
	}
	return nil
}

// contradicted says what a resolve step makes of its late answers.
func (c *Case) contradicted(o *Observation) *Finding {
	d := o.DNS
	if d == nil || len(d.Late) == 0 || c.view.anyProved(c.Name, d.Addresses) {
		return nil
	}
	honest, _ := c.view.answered(c.Name, c.Family)
	for i := range d.Late {
		late := &d.Late[i]
		if proved := c.view.anyProved(c.Name, late.Addresses); proved || overlap(honest, late.Addresses) {
			return c.conflict(o, late, proved)
		}
	}
	return nil
}

// conflict weighs two answers to one query, of which the later one is true; proved: it led to an address that proves
// itself. Proof in hand it is where the first one states what is false, and another than the resolver sent it. A
// resolver may be several machines, one of which fails, or a forwarder that passes on what several say.
func (c *Case) conflict(o *Observation, late *DNSAnswer, proved bool) *Finding {
	s, by := c.falsehood(o), c.sentByAnother(o, late)
	reasons := []string{"one query got two answers that contradict each other, and the later one is the true one"}
	if o.DNS.Behind {
		reasons = append(reasons, "it was asked of the resolver behind this machine's stub, which passes the first one on")
	}
	if by != "" {
		reasons = append(reasons, by)
	}
	impostor := s == DNSInjectOther && c.anyImposter(o.DNS.Addresses)
	switch {
	case s == "":
		return nil
	case o.Failure == DNSServfail || o.Failure == DNSRefused:
		if by == "" {
			return inconclusive(s, append(reasons, "the first says that it failed, as one of several machines behind a resolver's address may")...)
		}
		return blocked(s, Suspected, append(reasons, "the first says no more than that it failed")...)
	case by == "" && (o.Failure == DNSNoAnswer || s == DNSInjectOther && !impostor):
		return inconclusive(s, append(reasons, "the first could not be proved false, and nothing shows that another sent it: a forwarder may pass on what two resolvers say")...)
	case by == "" && !proved:
		return nil // one of two answers is false; which rule says so is for the others
	case s == DNSInjectOther && !impostor:
		return blocked(s, c.atMostHere(o, Likely), reasons...)
	}
	return blocked(s, c.atMostHere(o, Confirmed), reasons...)
}

// falsehood is the signature of what a first answer says that is not so; "" where it says nothing of the name.
func (c *Case) falsehood(o *Observation) Signature {
	switch {
	case !o.OK() && o.Failure != DNSBogon:
		return denial[o.Failure]
	case o.Failure == DNSBogon, anyNotRoutable(o.DNS.Addresses):
		return DNSInjectBogon
	}
	return DNSInjectOther
}

// atMostHere lowers a confidence for what was heard from a resolver inside the home (rule 8), and not from the one
// behind it.
func (c *Case) atMostHere(o *Observation, most Confidence) Confidence {
	if o.DNS.Behind {
		return most
	}
	return c.atMost(most)
}

// anyImposter says whether one of the addresses completed a handshake as somebody else: under this name, or under
// another of the app's, where the certificate is not for this one either. A place where one target failed is left
// alone for the others in the same round.
func (c *Case) anyImposter(addrs []netip.Addr) bool {
	for at, o := range c.view.imposter {
		if contains(addrs, at.addr) && (at.name == c.Name || o.TLS.foreignTo(c.Name)) {
			return true
		}
	}
	return false
}

// anotherHop is by how much hop limits differ where the senders do, and not merely their ways (signatures, B.3).
const anotherHop = 2

// sentByAnother is why the first answer is not of the one who sent the later one; "" where nothing says so.
func (c *Case) sentByAnother(o *Observation, late *DNSAnswer) string {
	if a, b := o.DNS.HopLimit, late.HopLimit; a != 0 && b != 0 && max(a, b)-min(a, b) > anotherHop {
		return fmt.Sprintf("the first came with hop limit %d, the true one with %d: somebody else sent it", a, b)
	}
	least := c.leastAnswer()
	if !o.DNS.Behind && o.DNS.Attempts == 1 && least > 0 && float64(o.Duration) < resetNearer*float64(least) {
		return fmt.Sprintf("it came after %v, and the resolver never answered in less than %v: somebody nearer sent it",
			time.Duration(o.Duration).Round(time.Millisecond), time.Duration(least).Round(time.Millisecond))
	}
	return ""
}

// leastAnswer is the least time in which the resolver under test answered for neutral names over UDP in this round,
// of two answers at least; 0 where there are none. Where there are several resolvers it is the nearest one's.
func (c *Case) leastAnswer() (least Seconds) {
	n := 0
	for i := range c.view.gate.Observations {
		o := &c.view.gate.Observations[i]
		if o.Operation != Resolve || o.Control != T || o.DNS == nil || o.DNS.Transport != "udp" || o.DNS.Rcode < 0 || o.DNS.Attempts != 1 {
			continue
		}
		if n++; n == 1 || o.Duration < least {
			least = o.Duration
		}
	}
	if n < 2 {
		return 0
	}
	return least
}

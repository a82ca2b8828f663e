package measurements

import (
	"net/netip"
	"slices"
)

// view is an app's measurement, indexed by the questions that rules ask of it.
type view struct {
	m       *Measurement
	line    *Line
	gate    *Measurement
	history *past
	targets map[string]TargetInfo
	// incomplete: observations of this app, or of the gate, are missing.
	incomplete bool

	proved    map[named]bool              // a verified handshake for this name at this address
	imposter  map[named]*Observation      // a completed handshake as someone else; the name's own, out of date, is none
	system    map[wanted]*Observation     // what the resolver under test said
	trusted   map[wanted][]*Observation   // control D
	further   map[wanted][]*Observation   // what the resolver under test said when it was asked again for what it had failed for
	behind    map[wanted]*Observation     // what the resolver behind a stub said, which is under test as well
	neutral   map[placed]*Observation     // what the resolver under test said of a neutral name, right after it had failed for the target's
	altSvc    map[string]bool             // names whose own word, over verified TLS, offers h3
	elsewhere map[asked]*Observation      // control X
	died      map[diedKey]map[string]bool // framings of the app's exchange; set by cases
	rtt       map[netip.Addr][]Seconds    // times of successful connects in this round

	neutralRTT map[netip.Addr]Seconds // the least of those to the gate's foreign hosts
	faster     bool                   // the line has become faster than its history
}

// placed is a target in one family.
type placed struct {
	target string
	family Family
}

type named struct {
	name string
	addr netip.Addr
}

type wanted struct {
	name   string
	family Family
}

func newView(m, gate *Measurement, line *Line, h *past) *view {
	v := &view{
		m: m, gate: gate, line: line, history: h,
		targets: map[string]TargetInfo{}, proved: map[named]bool{}, imposter: map[named]*Observation{},
		system: map[wanted]*Observation{}, trusted: map[wanted][]*Observation{}, altSvc: map[string]bool{}, behind: map[wanted]*Observation{}, further: map[wanted][]*Observation{}, neutral: map[placed]*Observation{},
		rtt: map[netip.Addr][]Seconds{}, elsewhere: elsewhere(m),
	}
	for _, t := range m.Targets {
		v.targets[t.ID] = t
	}
	for i := range m.Observations {
		v.index(&m.Observations[i])
	}
	v.neutralRTT = neutralRTT(gate)
	v.faster = v.fasterLine()
	return v
}

// neutralRTT gives how soon the gate's hosts accepted; those inside the country only where it has no others.
func neutralRTT(gate *Measurement) map[netip.Addr]Seconds {
	operators, _ := operatorsOf(gate, foreign)
	if len(operators) == 0 {
		operators, _ = operatorsOf(gate, anywhere)
	}
	out := map[netip.Addr]Seconds{}
	for i := range gate.Observations {
		o := &gate.Observations[i]
		if _, asked := operators[o.Target]; !asked || o.Operation != Connect || !o.OK() || !o.Addr().IsValid() {
			continue
		}
		if rtt, known := out[o.Addr()]; !known || o.roundTrip() < rtt {
			out[o.Addr()] = o.roundTrip()
		}
	}
	return out
}

func (v *view) index(o *Observation) {
	switch o.Operation {
	case Resolve:
		key := wanted{o.Name, o.Family}
		switch o.Control {
		case D:
			if o.DNS != nil && o.DNS.Behind {
				v.behind[key] = o
				return // no second opinion: the stub's own comes from there
			}
			if o.DNS != nil && o.DNS.Further != "" {
				v.further[key] = append(v.further[key], o)
				return // no second opinion either
			}
			v.trusted[key] = append(v.trusted[key], o)
		case T:
			v.system[key] = o
		case N:
			if at := (placed{o.Target, o.Family}); v.neutral[at] == nil || !o.OK() {
				v.neutral[at] = o
			}
		}
	case Connect:
		if o.OK() {
			v.rtt[o.Addr()] = append(v.rtt[o.Addr()], o.roundTrip())
		}
	case TLSHandshake, QUICHandshake:
		if o.Control != T {
			return
		}
		key := named{o.Name, o.Addr()}
		if v.line.shook(o) {
			v.proved[key] = true
		} else if o.Failure.IsCertificate() && o.TLS != nil && !o.TLS.outOfDate() { // of which nothing is told, it may be its own
			v.imposter[key] = o
		}
	case AppHandshake:
		if o.OK() && o.Control == T && o.App != nil && o.App.Proof == ProvedIdentity && o.Transport == "tcp" {
			v.proved[named{o.Name, o.Addr()}] = true
		}
	case HTTPExchange:
		if o.HTTP != nil && o.HTTP.Verified && o.HTTP.AltSvcH3 {
			v.altSvc[o.Name] = true
		}
	}
}

// answered gives the addresses that control D got for a name, and whether it got any answer at all.
// The resolver under test, asked over TCP, is no independent witness: of its answers only addresses
// that proved themselves count.
func (v *view) answered(name string, f Family) (addrs []netip.Addr, spoke bool) {
	for _, o := range v.trusted[wanted{name, f}] {
		if o.DNS == nil || o.DNS.Rcode < 0 {
			continue
		}
		same := o.DNS.Resolver == SystemResolver
		spoke = spoke || !same
		if o.OK() && (!same || v.anyProved(name, o.DNS.Addresses)) {
			addrs = append(addrs, o.DNS.Addresses...)
		}
	}
	return addrs, spoke
}

// anyProved says whether one of the addresses proved itself as name.
func (v *view) anyProved(name string, addrs []netip.Addr) bool {
	for _, a := range addrs {
		if v.proved[named{name, a}] {
			return true
		}
	}
	return false
}

// current says whether a resolver, whichever, gave the address for the name in this round: an edge
// that only the catalogue remembers may have stopped serving the name.
func (v *view) current(name string, a netip.Addr) bool {
	if o := v.system[wanted{name, FamilyOf(a)}]; o != nil && o.DNS != nil && contains(o.DNS.Addresses, a) {
		return true
	}
	addrs, _ := v.answered(name, FamilyOf(a))
	return contains(addrs, a)
}

// forged says whether the resolver under test led to an address that completes a handshake as
// someone else, or serves a known block page, while control D's address proves itself. What is
// measured there says nothing about the app (DESIGN section 4, rule 3).
func (v *view) forged(name string, a netip.Addr) bool {
	if name == "" || v.proved[named{name, a}] || v.imposter[named{name, a}] == nil {
		return false
	}
	honest, _ := v.answered(name, FamilyOf(a))
	return !contains(honest, a) && v.anyProved(name, honest)
}

// unproved says whether D contradicts the address and the address has not proved itself: it may be a
// rotated edge as well as a lie.
func (v *view) unproved(name string, a netip.Addr) bool {
	if name == "" || v.proved[named{name, a}] {
		return false
	}
	honest, _ := v.answered(name, FamilyOf(a))
	return len(honest) > 0 && !contains(honest, a)
}

// received counts what a connection brought, in all of its steps.
func (v *view) received(conn int) (n int64) {
	for i := range v.m.Observations {
		if o := &v.m.Observations[i]; o.Conn == conn {
			n += o.Received
		}
	}
	return n
}

// sent counts what was sent on a connection, in all of its steps.
func (v *view) sent(conn int) (n int64) {
	for i := range v.m.Observations {
		if o := &v.m.Observations[i]; o.Conn == conn {
			n += o.Sent
		}
	}
	return n
}

// answersOverTLS says whether the site of a name answered an exchange over verified TLS at an address.
func (v *view) answersOverTLS(name string, a netip.Addr) bool {
	for i := range v.m.Observations {
		o := &v.m.Observations[i]
		if o.Operation == HTTPExchange && o.Control == T && o.Transport == "tls" && o.Name == name && o.Addr() == a && o.OK() && o.HTTP.verified() && o.HTTP.Status != 0 {
			return true
		}
	}
	return false
}

// progress counts how far a connection had come when an exchange on it died. A QUIC server that hears
// nothing more sends its handshake again and again (RFC 9002, section 6.2): where no answer came, what
// the handshake brought is all.
func (v *view) progress(exchange *Observation) (n int64) {
	if exchange.Transport != "quic" || exchange.HTTP != nil && exchange.HTTP.Status != 0 {
		return v.received(exchange.Conn)
	}
	for i := range v.m.Observations {
		if o := &v.m.Observations[i]; o.Conn == exchange.Conn && o.Operation == QUICHandshake {
			n += o.Received
		}
	}
	return n
}

// shookHands says whether the handshake of a connection was seen to pass.
func (v *view) shookHands(conn int) bool {
	for i := range v.m.Observations {
		o := &v.m.Observations[i]
		if o.Conn == conn && (o.Operation == TLSHandshake || o.Operation == QUICHandshake) && (o.OK() || o.Failure.IsCertificate()) {
			return true
		}
	}
	return false
}

// connectOf is the connect that a connection began with; nil where it is not in evidence.
func (v *view) connectOf(conn int) *Observation {
	for i := range v.m.Observations {
		if o := &v.m.Observations[i]; conn != 0 && o.Conn == conn && o.Operation == Connect {
			return o
		}
	}
	return nil
}

// leastRTT is the least round-trip time known to an address: of what the history knows and of this round's
// connects, since lines get faster, and sites are opened nearer. Without a history it is that of at least two
// connects of this round (one alone may hide a retransmitted SYN), the quicker one within the time after which a SYN is sent again. A box that accepts in the server's place
// shortens those of this round: what it sends then looks like the server's.
func (v *view) leastRTT(a netip.Addr) (Seconds, bool) {
	samples := v.rtt[a]
	if least, known := v.minRTT(a); known {
		return slices.Min(append(slices.Clone(samples), least)), true
	}
	if len(samples) < 2 || slices.Min(samples) >= Seconds(slowStep) { // each may have lost its first SYN
		return 0, false
	}
	return slices.Min(samples), true
}

// minRTT is what the history knows of an address, while it holds.
func (v *view) minRTT(a netip.Addr) (Seconds, bool) {
	if v.faster {
		return 0, false
	}
	return v.history.minRTT(a.String())
}

// fasterLine says whether most of the neutral hosts whose round trips this network's history knows answered in this
// round far sooner than they ever did: then it is the line that has become faster, and what the history knows of
// round trips is of another one.
func (v *view) fasterLine() bool {
	faster, all := 0, 0
	for a, rtt := range v.neutralRTT {
		if least, known := v.history.minRTT(a.String()); known {
			all++
			if float64(rtt) < resetNearer*float64(least) {
				faster++
			}
		}
	}
	return 2*faster > all
}

// nearestNeutral is the least time in which a neutral host outside accepted in this round.
func (v *view) nearestNeutral() (least Seconds, known bool) {
	for _, rtt := range v.neutralRTT {
		if !known || rtt < least {
			least, known = rtt, true
		}
	}
	return least, known
}

func contains(in []netip.Addr, a netip.Addr) bool {
	for _, b := range in {
		if a.Unmap() == b.Unmap() {
			return true
		}
	}
	return false
}

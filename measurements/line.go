package measurements

import (
	"fmt"
	"slices"
	"strings"
)

// Line is what the gate's neutral hosts say of our own line, before any app is judged.
//
// A finding about an app needs a line that works: where the neutral hosts fail too, the finding is
// about the line (DESIGN section 4, rule 1).
type Line struct {
	// Alive says for each family whether neutral hosts of at least two operators (or all, where
	// fewer are configured) completed a verified TLS handshake. Hosts inside the country speak for no
	// line to the outside: they count only where the gate has no others.
	Alive map[Family]bool
	// Fine says whether most of these operators did, of all that the gate has: the neutral endpoints as such
	// are well. One that was not asked counts as one that failed.
	Fine map[Family]bool
	// Tried says whether the family was measured at all. Without a route it is not.
	Tried map[Family]bool
	// Resolves says whether neutral names resolve, in this family, at the resolver under test.
	Resolves map[Family]bool
	// Answers says whether that resolver answers anything at all, a denial included.
	Answers bool
	// Unsteady are the failures that this resolver meets by chance: for names that it answered at another moment.
	Unsteady map[Failure]bool
	// QUICTried and QUICAlive: neutral hosts over UDP port 443.
	QUICTried, QUICAlive map[Family]bool
	// Clock is how far the neutral hosts' clocks are ahead of ours; nil where nobody can tell.
	Clock *Seconds
	// LargeHellosDie: our large hello meets silence at the neutral hosts of two operators, who answer the small
	// one; LargePacketsDie: so do clear requests of as many segments.
	LargeHellosDie, LargePacketsDie map[Family]bool
	// FakeAddresses: neutral names lead to addresses that a circumvention tool hands out.
	FakeAddresses bool
	// Moved: the network changed in the course of the round.
	Moved bool
	// NoRoom: some translator of addresses on this line has no place for new flows, of the gate or of apps;
	// FlowsLost: that is how it looks from the apps alone.
	NoRoom, FlowsLost bool
	// UDP443Refused: this machine or the first router refuses everything over UDP port 443 in this family.
	UDP443Refused map[Family]bool
	// UDP443Swallowed: where UDP port 443 is silent, the first router, or what stands right behind it, swallows what
	// goes there, and not what goes to another port. UDP443Farther: it gets beyond the first router.
	UDP443Swallowed, UDP443Farther map[Family]bool
	// heard is what was answered in the course of the round, after the gate.
	heard []moment
	// rates are those of neutral hosts' transfers.
	rates []neutralRate
	// caprices count the operators of neutral hosts that are hit at random, by how their handshakes die.
	caprices map[caprice]int
	// strays are the sites of apps at which handshakes died as chance alone makes them die (readStrays).
	strays map[caprice]map[string]bool
	// Redirected: another resolver answers over UDP than over TCP at the same address.
	Redirected bool
	// Encrypted is how encrypted DNS to public resolvers is seen to be filtered, in a sentence; "" where it is not.
	Encrypted string

	State     State
	Signature Signature
	Reasons   []string
}

// minOperators is how many independent operators must answer before the line counts as alive: one
// operator's own outage must not speak for the line.
const minOperators = 2

// judgeLine reads the gate's measurement. It trusts nothing else.
func judgeLine(g *Measurement) *Line {
	l := &Line{
		Alive: map[Family]bool{}, Fine: map[Family]bool{}, Tried: map[Family]bool{}, Resolves: map[Family]bool{},
		QUICTried: map[Family]bool{}, QUICAlive: map[Family]bool{}, UDP443Refused: map[Family]bool{}, UDP443Swallowed: map[Family]bool{}, UDP443Farther: map[Family]bool{},
	}
	operators, all := operatorsOf(g, foreign)
	if len(all) == 0 {
		operators, all = operatorsOf(g, anywhere)
	}
	l.Clock = ClockOffset(g)
	tlsBy, quicBy := map[Family]map[string]bool{}, map[Family]map[string]bool{}
	for i := range g.Observations {
		o := &g.Observations[i]
		switch o.Operation {
		case Resolve:
			l.readResolve(o)
		case Connect, TLSHandshake:
			l.Tried[o.Family] = true
			if o.Operation == TLSHandshake && l.shook(o) {
				mark(tlsBy, o.Family, operators[o.Target])
			}
		case QUICHandshake:
			l.QUICTried[o.Family] = true
			if l.shook(o) {
				mark(quicBy, o.Family, operators[o.Target])
			}
		}
	}
	need := min(minOperators, max(len(all), 1))
	for _, f := range []Family{IPv4, IPv6} {
		l.Alive[f] = len(tlsBy[f]) >= need
		l.Fine[f] = l.Alive[f] && 2*len(tlsBy[f]) > len(all)
		l.QUICAlive[f] = len(quicBy[f]) > 0
		l.UDP443Refused[f] = refusedNearby(g, f)
		l.readNearPings(g, f)
	}
	l.readSizes(g)
	l.Redirected = redirected(g)
	l.conclude(g, len(all))
	l.FakeAddresses = FakeAddresses(g)
	if g.Vantage.Tunnel {
		l.tunnelled()
	}
	return l
}

// operatorsOf lists the gate's hosts with their operators, as far as they are wanted, and the operators.
func operatorsOf(g *Measurement, wanted func(TargetInfo) bool) (of map[string]string, all map[string]bool) {
	of, all = map[string]string{}, map[string]bool{}
	for _, t := range g.Targets {
		if wanted(t) {
			of[t.ID] = t.Operator
			all[t.Operator] = true
		}
	}
	return of, all
}

func foreign(t TargetInfo) bool { return t.Scope != "domestic" }
func anywhere(TargetInfo) bool  { return true }

// mark notes that an operator's host did something; an operator that is not asked after has no name.
func mark(by map[Family]map[string]bool, f Family, operator string) {
	if operator == "" {
		return
	}
	if by[f] == nil {
		by[f] = map[string]bool{}
	}
	by[f][operator] = true
}

func (l *Line) readResolve(o *Observation) {
	if o.DNS == nil || o.Control != T {
		return
	}
	if o.DNS.Rcode >= 0 {
		l.Answers = true
	}
	if o.OK() {
		l.Resolves[o.Family] = true
	}
}

// redirected compares what the resolver calls itself over UDP and over TCP (version.bind, RFC 4892):
// the same address, two programs. It needs both answers; one of them missing says nothing.
func redirected(g *Measurement) bool {
	said := map[string]string{}
	for i := range g.Observations {
		if o := &g.Observations[i]; o.Operation == Resolve && o.DNS != nil && o.DNS.Identity != "" {
			said[o.DNS.Transport] = o.DNS.Identity
		}
	}
	return said["udp"] != "" && said["tcp"] != "" && said["udp"] != said["tcp"]
}

// conclude names the state of the line. The first that fits is said.
func (l *Line) conclude(g *Measurement, operators int) {
	l.State = OK
	switch {
	case len(g.Observations) == 0:
		l.State = Inconclusive
		l.say("", "no neutral host was measured")
	case l.Alive[IPv4] || l.Alive[IPv6]:
		l.concludeAlive(g)
	case domesticAlone(g):
		l.concludeShutdown(g)
	case portal(g):
		l.State = Local
		l.say(LocalCaptivePortal, "clear requests to neutral hosts are answered by something else, and no neutral host completes a verified handshake")
	case intercepted(g):
		l.State = Local
		l.say(LocalTLSInterception, "neutral hosts show certificate chains that lead to no root of the bundle")
	case silent(g) && noRoute(g):
		l.State = Local
		l.say(LocalOffline, "this machine or its router says that there is no way out")
	case silent(g):
		l.State = Inconclusive
		l.say(LocalOffline, "no neutral host answers at all; nothing tells an unplugged line from a cut one")
	case largeAnswersDie(g):
		l.State = Inconclusive
		l.say("", "no neutral host answers a handshake over TCP, while short answers in clear and the smaller datagrams of QUIC pass: full packets get lost on this line, or somebody drops TLS")
	default:
		l.State = Inconclusive
		l.say("", "fewer than two operators' neutral hosts complete a verified handshake")
	}
	if operators < 5 && len(g.Observations) > 0 {
		l.Reasons = append(l.Reasons, fmt.Sprintf("the gate has %d operators; five or more make it robust", operators))
	}
}

// concludeAlive looks at the parts of a line that works in one family at least.
func (l *Line) concludeAlive(g *Measurement) {
	if l.Redirected {
		l.say(DNSRedirect, "the resolver gives one name to itself over UDP and another over TCP")
	}
	if l.Tried[IPv6] && l.Alive[IPv4] && !l.Alive[IPv6] {
		l.Reasons = append(l.Reasons, "IPv6 has a route here and reaches no neutral host")
	}
	l.concludeUDP443()
	l.concludeSizes()
	l.concludeClock(g)
}

// tunnelled says where the line leads. It is no trouble, so the state stays; a trouble of our own that
// the gate found is named rather.
func (l *Line) tunnelled() {
	s := LocalTunnel
	if l.Signature.Local() {
		s = l.Signature
	}
	if l.FakeAddresses {
		l.say(s, fakeReason)
		return
	}
	l.say(s, "a tunnel is the default route: a vantage of its own, without the home's country and network")
}

// move says that the network changed in the course of the round.
func (l *Line) move() {
	l.Moved = true
	l.Reasons = append(l.Reasons, movedReason)
}

func (l *Line) say(s Signature, reason string) {
	l.Signature = s
	l.Reasons = append(l.Reasons, reason)
}

// Verdict is the line's part of a round's verdict.
func (l *Line) Verdict() NetworkVerdict {
	v := NetworkVerdict{State: l.State, Signature: l.Signature, Reasons: l.Reasons}
	v.IPv4, v.IPv6 = tested(l.Tried[IPv4], l.Alive[IPv4]), tested(l.Tried[IPv6], l.Alive[IPv6])
	v.UDP443 = tested(l.QUICTried[IPv4] || l.QUICTried[IPv6], l.QUICAlive[IPv4] || l.QUICAlive[IPv6])
	return v
}

func tested(tried, alive bool) *bool {
	if !tried {
		return nil
	}
	return &alive
}

// portal says whether a clear request to a host that answers 204 by its operator's word was answered
// with anything else, or sent elsewhere: what a captive portal does (RFC 8952, section 2.6).
func portal(g *Measurement) bool {
	for i := range g.Observations {
		o := &g.Observations[i]
		if o.Operation != HTTPExchange || o.Transport != "tcp" || o.HTTP == nil || o.HTTP.Status == 0 {
			continue
		}
		if strings.HasSuffix(o.HTTP.Path, "_204") && o.HTTP.Status != 204 {
			return true
		}
		if o.HTTP.Location != "" && !sameSite(o.HTTP.Location, []string{o.Name}) {
			return true
		}
	}
	return false
}

// intercepted says whether at least two operators' hosts show a chain that leads to no root, or to one
// that this machine's own store alone knows: the antivirus, or the company, has put it there.
func intercepted(g *Measurement) bool {
	hosts := map[string]bool{}
	for i := range g.Observations {
		o := &g.Observations[i]
		if o.Operation == TLSHandshake && o.Failure.IsCertificate() && o.TLS != nil && o.TLS.foreign() {
			hosts[o.Target] = true
		}
	}
	return len(hosts) >= minOperators
}

// silent says whether nothing came back from anywhere beyond the resolver.
func silent(g *Measurement) bool {
	for i := range g.Observations {
		if o := &g.Observations[i]; o.Operation != Resolve && (o.OK() || o.Received > 0) {
			return false
		}
	}
	return true
}

// noRoute says whether every attempt to connect was refused by a route table or an ICMP error.
func noRoute(g *Measurement) bool {
	n := 0
	for i := range g.Observations {
		if o := &g.Observations[i]; o.Operation == Connect {
			if !o.Failure.IsUnreachable() {
				return false
			}
			n++
		}
	}
	if n == 0 {
		for _, s := range g.Skipped {
			if s.Reason == SkipNoFamily {
				n++
			}
		}
	}
	return n > 0
}

// ipv6NoWay says whether IPv6 fails at the first hop: the kernel or the router says that there is no
// way, so it is the home's IPv6 that is broken, not somebody's filter.
func ipv6NoWay(g *Measurement) bool {
	seen := false
	for i := range g.Observations {
		o := &g.Observations[i]
		if o.Family != IPv6 || o.Operation != Connect {
			continue
		}
		if !o.Failure.IsUnreachable() {
			return false
		}
		seen = true
	}
	return seen
}

func sortedUnique(in []string) []string {
	slices.Sort(in)
	return slices.Compact(in)
}

package measurements

import (
	"fmt"
	"net/netip"
)

// resolverTarget is the name under which the gate's record has what was asked of resolvers as such.
const resolverTarget = "resolver"

// dohPort is where DNS over HTTPS shares a port with the rest of the web (RFC 8484, section 4).
const dohPort = 443

// encrypted is what was met at one place that offers encrypted DNS: hellos with a neutral name, and with its own.
type encrypted struct{ neutral, own *Observation }

// readEncrypted says whether DNS over TLS or HTTPS to public resolvers is filtered. It takes two signs, since one
// server may be ill: two resolvers of which hellos with their names die where neutral ones had just been answered, or
// whose place is dead while plain DNS is answered there; or one of which the hello is reset, and was in the gate. What
// comes after the hello is the server's own: an expired certificate, say. A port that DNS over TLS has for itself
// (RFC 7858) is closed by many a home router, and says nothing where it is dead. The finding is context: no app is
// blocked by it, and who filters is not said.
func (l *Line) readEncrypted(gate *Measurement, resolvers []*Observation) {
	plain, at := l.metAt(resolvers)
	named, dead, twice := map[netip.Addr]bool{}, map[netip.Addr]bool{}, 0
	for ep, e := range at {
		switch {
		case e.diesByName() && l.caprices[caprice{kind: e.own.Failure.Kind()}] == 0:
			named[ep.Addr()] = true
			if e.own.Failure.Kind() == "reset" && diedInGate(gate, e.own) {
				twice++
			}
		case ep.Port() == dohPort && e.deadPlace() && plain[ep.Addr()]:
			dead[ep.Addr()] = true
		}
	}
	switch n := len(named) + len(dead); {
	case n > 1:
		l.Encrypted = fmt.Sprintf("encrypted DNS dies at %d public resolvers: under their names, at %d where a neutral name had just been answered; under any, at %d where plain DNS is answered", n, len(named), len(dead))
	case twice > 0:
		l.Encrypted = "hellos with a public resolver's name are reset, in the gate and again after a neutral name had been answered there"
	}
}

// metAt gathers what was met at resolvers, in families in which the line is alive: whether plain DNS was answered, by
// address, and their encrypted places.
func (l *Line) metAt(resolvers []*Observation) (plain map[netip.Addr]bool, at map[netip.AddrPort]*encrypted) {
	plain, at = map[netip.Addr]bool{}, map[netip.AddrPort]*encrypted{}
	for _, o := range resolvers {
		ep, err := netip.ParseAddrPort(o.Endpoint)
		if err != nil || !l.Alive[FamilyOf(ep.Addr())] {
			continue
		}
		if o.Control == P {
			plain[ep.Addr()] = o.OK()
			continue
		}
		e := at[ep]
		if e == nil {
			e = &encrypted{}
			at[ep] = e
		}
		switch {
		case o.Control == N && (e.neutral == nil || e.neutral.OK()):
			e.neutral = o
		case o.Control == D && o.Operation == TLSHandshake:
			e.own = o
		}
	}
	return plain, at
}

// diesByName says whether the hello with the resolver's own name met no answer where a neutral one had.
func (e *encrypted) diesByName() bool {
	return e.own != nil && e.own.Failure.Kind() != "" && e.own.Received == 0 && (&Case{T: e.own, N: e.neutral}).NeutralPassed()
}

// deadPlace says whether nothing was answered there, under a neutral name either.
func (e *encrypted) deadPlace() bool {
	return e.own == nil && e.neutral != nil && !e.neutral.OK() && !e.neutral.answered() && e.neutral.Received == 0
}

// diedInGate says whether a hello with the same name died alike when the gate was measured.
func diedInGate(gate *Measurement, own *Observation) bool {
	for i := range gate.Observations {
		if o := &gate.Observations[i]; o.Operation == TLSHandshake && o.Name == own.Name && o.Failure == own.Failure {
			return true
		}
	}
	return false
}

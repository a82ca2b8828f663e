package measurements

import (
	"fmt"
	"time"
)

const (
	// leastConnects is how many connects must have been tried, by the gate and by the apps each, before their
	// shares say anything; flowsLost is the share that must have failed of both. Chosen by us: at 20 % lost,
	// 8 connects all pass once in six rounds, and on a healthy line with a loss of 5 % a connect that tries four
	// times in ten seconds fails once in 160,000.
	leastConnects = 8
	flowsLost     = 0.2
	// mixedEndpoints is at how many endpoints a connect passed and another was lost in one round: a server that
	// is down, or an address that is blocked, does not do that. Chosen by us: one might be a server's mishap.
	mixedEndpoints = 2
	// brokenHandshakes is the share of handshakes, on connections that were opened, which may end in silence
	// or come a second late: loss and queues make these, a table that is full does not.
	brokenHandshakes = 0.05
)

// flows counts new connections: how they fare where room for them is short.
type flows struct {
	connects, lost     int             // connects; those that met silence, or were told that there is no way
	operators          map[string]bool // of the gate, with a host that was lost
	handshakes, broken int             // on connections that were opened; those that met silence, or were late
	passed, failed     map[string]bool // endpoints
}

func newFlows() *flows {
	return &flows{operators: map[string]bool{}, passed: map[string]bool{}, failed: map[string]bool{}}
}

func (f *flows) read(m *Measurement) {
	operators, _ := operatorsOf(m, anywhere)
	least := (&view{m: m}).leastConnect()
	for i := range m.Observations {
		o := &m.Observations[i]
		switch o.Operation {
		case Connect:
			f.connects++
			switch {
			case o.OK():
				f.passed[o.Endpoint] = true
			case o.noRoom():
				f.lost++
				f.failed[o.Endpoint] = true
				f.operators[operators[o.Target]] = true
			}
		case TLSHandshake:
			f.handshakes++
			if o.Failure == Timeout || time.Duration(o.Duration) >= slowStep+stepTrips*least {
				f.broken++
			}
		}
	}
}

// noRoom says whether a step failed as a new flow does that a translator has no place for: it drops the
// packet, and may say "unreachable" (RFC 6888, section 3, on mappings that can't be created).
func (o *Observation) noRoom() bool { return o.Failure == Timeout || o.Failure.IsUnreachable() }

// short says whether so many connects are lost as a healthy line never loses.
func (f *flows) short() bool {
	return f.connects >= leastConnects && float64(f.lost) >= flowsLost*float64(f.connects) && len(f.passed) > 0
}

// mixed counts the endpoints at which a connect passed and another was lost.
func (f *flows) mixed() (n int) {
	for endpoint := range f.failed {
		if f.passed[endpoint] {
			n++
		}
	}
	return n
}

// readFlows notes whether there is no room for new flows: connects are lost to neutral hosts and to apps alike,
// to the same endpoints at which others pass, while what is open works. A table that is nearly full loses a few:
// they show where more than one app, or an app and the gate, met them, which no block of one app does.
func (l *Line) readFlows(before *Measurement, measured []Measurement) {
	gate, apps, owners := newFlows(), newFlows(), 0
	gate.read(before)
	if gate.mixed() > 0 {
		owners++
	}
	for i := range measured {
		own := newFlows()
		own.read(&measured[i])
		if own.mixed() > 0 {
			owners++
		}
		apps.read(&measured[i])
	}
	handshakes, broken := gate.handshakes+apps.handshakes, gate.broken+apps.broken
	if gate.mixed()+apps.mixed() < mixedEndpoints || float64(broken) > brokenHandshakes*float64(handshakes) {
		return
	}
	if !apps.short() && (owners < 2 || apps.mixed() == 0) {
		return
	}
	l.FlowsLost = true
	if !apps.short() || !gate.short() || len(gate.operators) < minOperators {
		return
	}
	l.NoRoom = true
	if l.State == OK || l.State == Inconclusive {
		l.State = Local
		l.say(LocalNATExhausted, fmt.Sprintf("%d of %d connects to neutral hosts are lost and %d of %d to apps, to the same endpoints at which others pass, and what is open works: no room for new flows",
			gate.lost, gate.connects, apps.lost, apps.connects))
	}
}

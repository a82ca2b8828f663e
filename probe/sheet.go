package probe

import (
	"crypto/sha256"
	"sync"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// sheet collects what is seen of one app in one round. Steps run side by side, so it is locked.
type sheet struct {
	plan *Plan

	mu     sync.Mutex
	m      measurements.Measurement
	conns  int
	trials int
	// objects of transfers, by the hash of how each begins
	objects map[[sha256.Size]byte]int
}

// role says what a step was for; the steps themselves don't know.
type role struct {
	target  string
	control measurements.Control
	trial   int
	conn    int
	origin  measurements.Origin
	again   bool // a neutral host of the gate, asked because something fails now
}

// key names a target across apps.
func (s *sheet) key(t Target) string { return s.m.App + "/" + t.ID }

// conn numbers a connection; steps on one connection share the number.
func (s *sheet) conn() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns++
	return s.conns
}

// trial numbers a trial: a control N, and the target just after it.
func (s *sheet) trial() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trials++
	return s.trials
}

// object numbers the objects that transfers brought, by the hash of how each begins.
func (s *sheet) object(head [sha256.Size]byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects == nil {
		s.objects = map[[sha256.Size]byte]int{}
	}
	if s.objects[head] == 0 {
		s.objects[head] = len(s.objects) + 1
	}
	return s.objects[head]
}

// note records an observation in its role. A step that we broke off ourselves is no evidence and is
// left out; what it cost is counted all the same.
func (s *sheet) note(r role, o measurements.Observation) {
	o.Target, o.Control, o.Trial, o.Conn, o.Origin, o.Again = r.target, r.control, r.trial, r.conn, r.origin, r.again
	out, in := schedule.Wire(o)
	s.plan.spend(out, in)
	if o.Failure == measurements.Interrupted {
		s.skip(measurements.Skip{Target: r.target, Layer: o.Layer(), Family: o.Family, Endpoint: o.Endpoint, Reason: measurements.SkipStopped})
		return
	}
	s.mu.Lock()
	s.m.Observations = append(s.m.Observations, o)
	s.mu.Unlock()
	if s.m.App != measurements.ControlApp {
		s.plan.witnesses.hear(&o)
	}
}

// skip records what was planned and not done.
func (s *sheet) skip(k measurements.Skip) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m.Skipped = append(s.m.Skipped, k)
}

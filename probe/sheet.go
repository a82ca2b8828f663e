package probe

import (
	"crypto/sha256"
	"sync"
	"time"

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

// sheet begins one of an app, or of the gate.
func (p *Plan) sheet(round measurements.Round, app string) *sheet {
	return &sheet{plan: p, m: measurements.Measurement{
		ID: randomID(), Round: round.ID, App: app, Started: time.Now(),
		Observations: []measurements.Observation{}, Targets: []measurements.TargetInfo{},
		Software: p.Software,
	}}
}

// close gives what was seen until now. The gate's is closed twice: its witnesses are noted while apps are visited, and
// the first time is for those who must know of the gate before that.
func (s *sheet) close() measurements.Measurement {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m.Runtime, s.m.Made = measurements.Seconds(time.Since(s.m.Started)), len(s.m.Observations)
	return s.m
}

func (s *sheet) skipAll(app App, reason string) {
	for _, t := range app.Targets {
		s.skip(measurements.Skip{Target: t.ID, Reason: reason})
	}
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

// some says whether an observation of the trial, under this control, is such a one.
func (s *sheet) some(r role, such func(*measurements.Observation) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.m.Observations {
		if o := &s.m.Observations[i]; o.Trial == r.trial && o.Control == r.control && such(o) {
			return true
		}
	}
	return false
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

package measurements

import (
	"testing"
	"time"
)

// asked is a neutral host that was asked again, some time after the round's begin.
func askedAgain(at time.Duration, conn int, f Failure) *Observation {
	return &Observation{Target: "well", Again: true, Conn: conn, Operation: TLSHandshake, Family: IPv4, Failure: f, Started: begin.Add(at), Duration: Seconds(50 * time.Millisecond)}
}

var begin = time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)

// What neutral hosts say at the moment of a failure decides whose it is.
func TestFaltered(t *testing.T) {
	reset := &Observation{Operation: TLSHandshake, Family: IPv4, Failure: ConnectionReset, Started: begin.Add(5 * time.Second), Duration: Seconds(time.Second)}
	silent := &Observation{Operation: Connect, Family: IPv4, Failure: Timeout, Started: begin.Add(5 * time.Second), Duration: Seconds(10 * time.Second)}
	passed := Observation{Operation: Connect, Family: IPv4, Started: begin.Add(7 * time.Second), Duration: Seconds(time.Millisecond)}
	gate := &Measurement{Observations: []Observation{{Target: "well", Operation: TLSHandshake, Family: IPv4}, {Target: "ill", Operation: TLSHandshake, Family: IPv4, Failure: ConnectionReset}}}
	ill := func(conn int) *Observation {
		o := askedAgain(6*time.Second, conn, ConnectionReset)
		o.Target = "ill"
		return o
	}
	late, other := passed, passed
	late.Started, other.Family = begin.Add(14*time.Second), IPv6
	for _, tt := range []struct {
		name  string
		of    *Observation
		again []*Observation
		apps  []Observation
		want  bool
	}{
		{"nobody was asked", reset, nil, nil, false},
		{"both answered", reset, []*Observation{askedAgain(6*time.Second, 1, ""), askedAgain(6*time.Second, 2, "")}, nil, false},
		{"both died", reset, []*Observation{askedAgain(6*time.Second, 1, ConnectionReset), askedAgain(6*time.Second, 2, ConnectionReset)}, nil, true},
		{"one died: it has troubles of its own", reset, []*Observation{askedAgain(6*time.Second, 1, ConnectionReset)}, nil, false},
		{"both were silent, and it was not", reset, []*Observation{askedAgain(6*time.Second, 1, Timeout), askedAgain(6*time.Second, 2, Timeout)}, nil, false},
		{"they died long after", reset, []*Observation{askedAgain(20*time.Second, 1, ConnectionReset), askedAgain(20*time.Second, 2, ConnectionReset)}, nil, false},
		{"silence, and another answered meanwhile", silent, []*Observation{askedAgain(15*time.Second, 1, "")}, []Observation{passed}, false},
		{"silence, and a neutral host answered meanwhile", silent, []*Observation{askedAgain(8*time.Second, 1, "")}, nil, false},
		{"silence, and nothing was answered meanwhile", silent, []*Observation{askedAgain(15*time.Second, 1, "")}, nil, true},
		{"silence, and an answer at its very end", silent, []*Observation{askedAgain(15*time.Second, 1, "")}, []Observation{late}, true},
		{"silence, and an answer in the other family", silent, []*Observation{askedAgain(15*time.Second, 1, "")}, []Observation{other}, true},
		{"who had died before the apps says nothing new", reset, []*Observation{ill(1), ill(2)}, nil, false},
		{"silence of older evidence", silent, nil, nil, false},
	} {
		l := &Line{}
		l.listen(gate, tt.again, []Measurement{{Observations: tt.apps}})
		if got := l.faltered(tt.of); (got != "") != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}

// What was heard again is no part of the gate as it was before the apps.
func TestApart(t *testing.T) {
	m := Measurement{Observations: []Observation{{Target: "a"}, {Target: "a", Again: true}}}
	gate, again, _ := m.apart()
	if len(gate.Observations) != 1 || len(again) != 1 || !again[0].Again || len(m.Observations) != 2 {
		t.Errorf("got %d and %d of %d", len(gate.Observations), len(again), len(m.Observations))
	}
}

// Neutral hosts that die and answer in one round take a finding back, step by step.
func TestDoubted(t *testing.T) {
	gate := func(operators ...string) (m Measurement) {
		for _, name := range operators {
			m.Targets = append(m.Targets, TargetInfo{ID: name, Operator: name})
			m.Observations = append(m.Observations,
				Observation{Target: name, Operation: TLSHandshake, Family: IPv4, Failure: ConnectionReset},
				Observation{Target: name, Operation: TLSHandshake, Family: IPv6})
		}
		return m
	}
	for _, tt := range []struct {
		name   string
		gate   Measurement
		passes bool
		state  State
		conf   Confidence
	}{
		{"a gate that is well", gate(), false, Blocked, Likely},
		{"one host has a doubt", gate("a"), true, Blocked, Suspected},
		{"a wild line", gate("a", "b"), false, Inconclusive, ""},
	} {
		l := &Line{}
		l.readCaprice(&tt.gate, nil, nil)
		c := &Case{view: &view{line: l}, Layer: LayerTLS, T: &Observation{Operation: TLSHandshake, Failure: ConnectionReset}}
		if tt.passes {
			c.Passed = &Observation{}
		}
		got := doubted(c, blocked(TLSResetSNI, Likely, "it was reset"))
		if got.State != tt.state || got.Confidence != tt.conf || got.Signature != TLSResetSNI {
			t.Errorf("%s: %+v", tt.name, got)
		}
		c.T.Failure = EOF
		if f := doubted(c, blocked(TLSEOFSNI, Likely, "it ended")); f.Confidence != Likely {
			t.Errorf("%s: resets say something of ends: %+v", tt.name, f)
		}
	}
}

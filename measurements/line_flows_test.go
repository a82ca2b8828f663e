package measurements

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// connectsTo makes passed and lost connects at each of n endpoints, each of another operator's, and a
// handshake of that length on each connection that was opened.
func connectsTo(app string, n, passed, lost int, handshake time.Duration, of Failure) Measurement {
	m := Measurement{App: app}
	for i := range n {
		id := fmt.Sprintf("%s%d", app, i)
		m.Targets = append(m.Targets, TargetInfo{ID: id, Operator: id})
		at := Observation{Target: id, Operation: Connect, Family: IPv4, Endpoint: fmt.Sprintf("192.0.2.%d:443", i+1), Duration: Seconds(30 * time.Millisecond)}
		for range passed {
			m.Observations = append(m.Observations, at)
			shake := at
			shake.Operation, shake.Duration, shake.Failure, shake.TLS = TLSHandshake, Seconds(handshake), of, &TLS{Shape: Small, ChainRoot: RootBundle}
			m.Observations = append(m.Observations, shake)
		}
		for range lost {
			gone := at
			gone.Failure, gone.Duration = Timeout, Seconds(10*time.Second)
			m.Observations = append(m.Observations, gone)
		}
	}
	return m
}

// Only a table that is full loses new flows to neutral hosts and to apps, where others pass, and nothing else.
func TestFlowsLost(t *testing.T) {
	const quick = 60 * time.Millisecond
	for _, c := range []struct {
		name         string
		gate, app    Measurement
		noRoom, lost bool
	}{
		{"no room", connectsTo(ControlApp, 4, 2, 1, quick, ""), connectsTo("a", 4, 2, 1, quick, ""), true, true},
		{"a healthy line", connectsTo(ControlApp, 4, 3, 0, quick, ""), connectsTo("a", 4, 3, 0, quick, ""), false, false},
		{"neutral hosts are fine", connectsTo(ControlApp, 4, 3, 0, quick, ""), connectsTo("a", 4, 2, 1, quick, ""), false, true},
		{"an app is fine", connectsTo(ControlApp, 4, 2, 1, quick, ""), connectsTo("a", 4, 3, 0, quick, ""), false, false},
		{"an app's addresses are dead", connectsTo(ControlApp, 4, 3, 0, quick, ""), connectsTo("a", 4, 0, 3, quick, ""), false, false},
		{"handshakes end in silence as well", connectsTo(ControlApp, 4, 2, 1, quick, Timeout), connectsTo("a", 4, 2, 1, quick, ""), false, false},
		{"handshakes are late as well", connectsTo(ControlApp, 4, 2, 1, 2*time.Second, ""), connectsTo("a", 4, 2, 1, quick, ""), false, false},
		{"too few to tell", connectsTo(ControlApp, 2, 2, 1, quick, ""), connectsTo("a", 4, 2, 1, quick, ""), false, true},
	} {
		l := judgeLineOf(&Round{Gate: c.gate, Apps: []Measurement{c.app}}, &c.gate, nil, nil)
		if l.NoRoom != c.noRoom || l.FlowsLost != c.lost {
			t.Errorf("%s: no room %v, lost %v", c.name, l.NoRoom, l.FlowsLost)
		}
		if (l.Signature == LocalNATExhausted) != c.noRoom || c.noRoom && l.State != Local {
			t.Errorf("%s: the line is %s %s", c.name, l.State, l.Signature)
		}
	}
}

// A connect's silence is no block while apps' flows are lost where others pass, though the gate is fine.
func TestFlowsLostOfAppsAlone(t *testing.T) {
	gate := connectsTo(ControlApp, 4, 3, 0, 60*time.Millisecond, "")
	for lost, want := range []string{"tcp-connect-fails", "line-no-room-for-flows"} {
		app := connectsTo("a", 4, 2, lost, 60*time.Millisecond, "")
		app.Targets = append(app.Targets, TargetInfo{ID: "dead"})
		app.Observations = append(app.Observations, Observation{Target: "dead", Operation: Connect, Family: IPv4, Endpoint: "198.51.100.1:443", Failure: Timeout, Duration: Seconds(10 * time.Second)})
		v := Judge(&Round{Gate: gate, Apps: []Measurement{app}}, nil)
		dead := v.Apps[0].Targets[len(v.Apps[0].Targets)-1].Layers[0]
		if dead.Rule != want || dead.State != Inconclusive {
			t.Errorf("%d lost elsewhere: %s by %s, want %s", lost, dead.State, dead.Rule, want)
		}
	}
}

// A few lost flows show where two owners met them at endpoints where others pass: what is met once there says nothing
// of an address, over TCP and over QUIC, and one app's losses alone are no trouble of the line.
func TestFewFlowsLost(t *testing.T) {
	few := func(app string, lost bool) Measurement {
		m := connectsTo(app, 12, 2, 0, 60*time.Millisecond, "")
		if lost {
			gone := m.Observations[0]
			gone.Failure, gone.Duration = Timeout, Seconds(10*time.Second)
			m.Observations = append(m.Observations, gone)
		}
		return m
	}
	for _, c := range []struct {
		name       string
		gate, a, b bool
		lost       bool
	}{
		{"nobody", false, false, false, false},
		{"one app", false, true, false, false},
		{"the gate alone", true, false, false, false},
		{"an app and the gate", true, true, false, true},
		{"two apps", false, true, true, true},
	} {
		gate := few(ControlApp, c.gate)
		apps := []Measurement{few("a", c.a), few("b", c.b)}
		for i := range apps[1].Observations { // of other machines
			apps[1].Observations[i].Endpoint = strings.Replace(apps[1].Observations[i].Endpoint, "192.0.2.", "203.0.113.", 1)
		}
		l := judgeLineOf(&Round{Gate: gate, Apps: apps}, &gate, nil, nil)
		if l.FlowsLost != c.lost || l.NoRoom || l.State != OK {
			t.Errorf("%s: lost %v, no room %v, the line %s", c.name, l.FlowsLost, l.NoRoom, l.State)
		}
	}
}

// What a connect passes to, in this round, is no address that is blocked: neither by itself nor as the second network.
func TestConnectThatPassesToo(t *testing.T) {
	const quick = 60 * time.Millisecond
	gate := connectsTo(ControlApp, 4, 3, 0, quick, "")
	for passed, want := range []State{Blocked, Inconclusive} {
		app := Measurement{App: "a", Targets: []TargetInfo{{ID: "one"}, {ID: "two"}}}
		for i, at := range []string{"198.51.100.1:443", "203.0.113.1:443"} {
			o := Observation{Target: app.Targets[i].ID, Operation: Connect, Family: IPv4, Endpoint: at, Failure: Timeout, Duration: Seconds(10 * time.Second)}
			if i < passed {
				before := o
				before.Control, before.Failure, before.Duration = N, "", Seconds(quick)
				app.Observations = append(app.Observations, before)
			}
			app.Observations = append(app.Observations, o)
		}
		v := Judge(&Round{Gate: gate, Apps: []Measurement{app}}, nil)
		for _, target := range v.Apps[0].Targets {
			if l := target.Layers[0]; l.State != want || l.Signature != TCPTimeout {
				t.Errorf("%d passed: %s is %s %s by %s", passed, target.Target, l.State, l.Signature, l.Rule)
			}
		}
	}
}

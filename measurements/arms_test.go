package measurements

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
)

// spoke is MTProto's exchange at a place, with control N just before where n says how it ended: "-" is none.
func spoke(trial int, endpoint, arm string, n, failure Failure) []Observation {
	at := Observation{Target: "dc1", Trial: trial, Operation: AppHandshake, Transport: "tcp", Family: IPv4, Endpoint: endpoint, Conn: 2 * trial}
	control := at
	control.Control, control.Conn, control.Failure, control.App = N, 2*trial+1, n, &Handshake{Protocol: MTProto, Arm: "obfuscated2"}
	at.Failure, at.App = failure, &Handshake{Protocol: MTProto, Arm: arm}
	if n == "-" {
		return []Observation{at}
	}
	return []Observation{control, at}
}

func spokenRound(at time.Time, lists ...[]Observation) *Round {
	m := Measurement{App: "app", Started: at, Targets: []TargetInfo{{ID: "dc1", Essential: true}}, Observations: slices.Concat(lists...)}
	return &Round{Started: at, Gate: neighbours(""), Apps: []Measurement{m}}
}

const (
	at443, at80, at5222 = "192.0.2.10:443", "192.0.2.10:80", "192.0.2.10:5222"
	other443            = "198.51.100.10:443"
)

// A framing that dies alone may be one that the server does not speak there: two that die are not, nor is one that was
// answered at that very place before.
func TestFramingsThatDie(t *testing.T) {
	begin := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name   string
		before []Observation // an hour ago
		seen   [][]Observation
		state  State
		rule   string
	}{
		{"one, and another is answered", nil, [][]Observation{spoke(1, at443, "http", "", Timeout), spoke(2, at80, "abridged", "", "")}, Inconclusive, "app-dies-in-one-form"},
		{"one, and nothing else was asked", nil, [][]Observation{spoke(1, at443, "http", "", Timeout)}, Inconclusive, "app-dies-plain"},
		{"two beside what looks like chance", nil, [][]Observation{spoke(1, at443, "http", "", Timeout), spoke(2, at80, "abridged", "", Timeout)}, Blocked, "app-dies-plain"},
		{"two, and a third is answered", nil, [][]Observation{spoke(1, at443, "http", "", Timeout), spoke(2, at80, "abridged", "", Timeout), spoke(3, at5222, "intermediate", "", "")}, Blocked, "app-dies-plain"},
		{"one that was answered there before", spoke(1, at443, "http", "-", ""), [][]Observation{spoke(1, at443, "http", "", Timeout), spoke(2, at80, "abridged", "", "")}, Blocked, "app-dies-in-one-form"},
		{"one that was answered on another port before", spoke(1, at80, "http", "-", ""), [][]Observation{spoke(1, at443, "http", "", Timeout), spoke(2, at80, "abridged", "", "")}, Inconclusive, "app-dies-in-one-form"},
		{"one that another address answered before", spoke(1, other443, "http", "-", ""), [][]Observation{spoke(1, at443, "http", "", Timeout), spoke(2, at80, "abridged", "", "")}, Inconclusive, "app-dies-in-one-form"},
		{"one that was answered there before, without control N now", spoke(1, at443, "http", "-", ""), [][]Observation{spoke(1, at443, "http", "-", Timeout), spoke(2, at80, "abridged", "-", "")}, Inconclusive, "app-dies-in-one-form"},
		{"one that was answered there before, and nothing beside it", spoke(1, at443, "http", "-", ""), [][]Observation{spoke(1, at443, "http", "-", Timeout)}, Inconclusive, "app-dies-here"},
		{"one on port 80, where anybody's proxy is, and another is answered", spoke(1, at80, "abridged", "-", ""), [][]Observation{spoke(1, at80, "abridged", "-", Timeout), spoke(2, at443, "http", "-", "")}, Inconclusive, "app-dies-here"},
		{"one without control N, and nothing else", nil, [][]Observation{spoke(1, at443, "http", "-", Timeout)}, Inconclusive, "app-dies-here"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var h History
			if test.before != nil {
				r := spokenRound(begin, test.before)
				v := Judge(r, &h)
				h.Learn(r, &v)
			}
			text, err := json.Marshal(&h)
			if err == nil {
				h = History{}
				err = json.Unmarshal(text, &h) // what the next process knows
			}
			if err != nil {
				t.Fatal(err)
			}
			v := Judge(spokenRound(begin.Add(time.Hour), test.seen...), &h)
			if l := v.Apps[0].Targets[0].Layers[0]; l.State != test.state || l.Rule != test.rule || l.Signature != AppTimeout {
				t.Errorf("%s by %s: %q, want %s by %s", l.State, l.Rule, l.Reasons, test.state, test.rule)
			}
		})
	}
}

// The rules of before took one silence for a filter's.
func TestFramingsUnderOldRules(t *testing.T) {
	rules, ok := RulesOf("2026-11-23.2")
	v := JudgeWith(rules, spokenRound(time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC), spoke(1, at443, "http", "", Timeout), spoke(2, at80, "abridged", "", "")), nil)
	if l := v.Apps[0].Targets[0].Layers[0]; !ok || l.State != Blocked || l.Rule != "app-dies-plain" {
		t.Errorf("%s by %s", l.State, l.Rule)
	}
}

// What a place remembers of forms is bounded, and the oldest goes.
func TestFormsAreBounded(t *testing.T) {
	var r record
	at := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	for i := range 3 * mostForms {
		r.answered([]string{fmt.Sprintf("abridged 192.0.2.%d:443", i%250), "http " + at443}, at.Add(time.Duration(i)*time.Minute))
	}
	if len(r.Forms) != mostForms || r.Forms["http "+at443].IsZero() || r.Forms[fmt.Sprintf("abridged 192.0.2.%d:443", 3*mostForms-1)].IsZero() || r.check() != nil {
		t.Errorf("%d forms: %v", len(r.Forms), r.check())
	}
	r.Forms["one more"] = at
	if r.check() == nil {
		t.Error("a file with too many is taken")
	}
}

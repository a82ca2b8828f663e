package measurements

import (
	"testing"
	"time"
)

// Silence says nothing where handshakes that pass are late: by the round's own round trip or, where all that is sent
// waits in one queue, by those that the history knows.
func TestSilentWhileLate(t *testing.T) {
	const usual, waits = 80 * time.Millisecond, 2 * time.Second
	known := func(trip time.Duration) *past {
		return &past{Epoch: &Epoch{MinRTT: map[string]Seconds{"192.0.2.1": Seconds(trip)}}}
	}
	for _, tt := range []struct {
		name     string
		connects [2]time.Duration
		history  *past
		says     bool
	}{
		{"a quick line", [2]time.Duration{usual, usual}, known(usual), false},
		{"one of two is late", [2]time.Duration{usual, waits}, nil, true},
		{"all wait, as they never did", [2]time.Duration{waits, waits}, known(usual), true},
		{"all wait, as ever", [2]time.Duration{waits, waits}, known(waits), false},
		{"all wait, and nobody knows the line", [2]time.Duration{waits, waits}, nil, false},
		{"a long way", [2]time.Duration{700 * time.Millisecond, 700 * time.Millisecond}, known(600 * time.Millisecond), false},
	} {
		m := Measurement{App: "a"}
		for _, took := range tt.connects {
			m.Observations = append(m.Observations, Observation{Operation: Connect, Endpoint: "192.0.2.1:443", Duration: Seconds(took)})
		}
		m.Observations = append(m.Observations, Observation{Operation: TLSHandshake, Endpoint: "192.0.2.1:443", Failure: Timeout})
		c := &Case{T: &m.Observations[2], view: &view{m: &m, history: tt.history}}
		if f := congestionRules[1].Judge(c); (f != nil) != tt.says {
			t.Errorf("%s: %+v", tt.name, f)
		}
	}
}

package main

import (
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// What began to fail lately is looked at sooner, but not within the residual time; what fails for
// hours, and a daemon without a residual time, keep the usual pace.
func TestPause(t *testing.T) {
	const usual, residual = time.Hour, 10 * time.Minute
	failing := func(since time.Duration) measurements.History {
		var h measurements.History
		r := measurements.Round{Started: time.Now().Add(-since), Apps: []measurements.Measurement{{App: "app"}}}
		v := &measurements.RoundVerdict{Apps: []measurements.AppVerdict{{App: "app", Targets: []measurements.TargetVerdict{{Target: "chat", State: measurements.Blocked,
			Layers: []measurements.LayerVerdict{{Layer: measurements.LayerTLS, Family: measurements.IPv4, State: measurements.Blocked, Signature: measurements.TLSResetSNI, Confidence: measurements.Likely}}}}}}}
		h.Learn(&r, v)
		return h
	}
	for name, test := range map[string]struct {
		history  measurements.History
		residual time.Duration
		sooner   bool
	}{
		"nothing fails":       {measurements.History{}, residual, false},
		"since a minute":      {failing(time.Minute), residual, true},
		"since half a day":    {failing(12 * time.Hour), residual, false},
		"no residual (demo)":  {failing(time.Minute), 0, false},
		"a long residual one": {failing(time.Minute), 5 * time.Hour, false},
	} {
		d := &daemon{every: func() time.Duration { return usual }, plan: &probe.Plan{Ledger: schedule.NewLedger(test.residual)}, history: test.history}
		got := d.pause()
		if sooner := got < usual; sooner != test.sooner || got <= test.residual && test.sooner {
			t.Errorf("%s: a pause of %v", name, got)
		}
	}
}

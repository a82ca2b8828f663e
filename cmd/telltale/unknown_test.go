package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/measurements"
)

// What has no word gets a line in the log, once a round however often it came; what has one gets none.
func TestUnknownFailuresAreLogged(t *testing.T) {
	var log bytes.Buffer
	d := &daemon{log: zerolog.New(&log)}
	seen := []measurements.Observation{
		{Target: "dc1", Operation: measurements.AppHandshake, Failure: measurements.Unknown("panic in app.f, line 3: out of range")},
		{Target: "dc2", Operation: measurements.AppHandshake, Failure: measurements.Unknown("panic in app.f, line 3: out of range")},
		{Target: "dc3", Operation: measurements.AppHandshake, Failure: measurements.Timeout},
	}
	for i := range 2 * mostSaid {
		seen = append(seen, measurements.Observation{Failure: measurements.Unknown(strings.Repeat("x", i+1))})
	}
	d.tellUnknown(&measurements.Round{Apps: []measurements.Measurement{{App: "telegram", Observations: seen}}})
	got := log.String()
	if strings.Count(got, "\n") != mostSaid || strings.Count(got, "panic in app.f") != 1 || !strings.Contains(got, `"target":"dc1"`) || strings.Contains(got, "dc3") {
		t.Error(got)
	}
}

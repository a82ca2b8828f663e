package main

import (
	"encoding/json"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
	"github.com/telltale-probe/telltale/measurements/ooni/oonitest"
)

// worlds have every kind of observation between them: clean and censored ones, each layer, hops, the apps'
// own exchanges, transfers, a reference vantage and its helper.
var worlds = []string{
	"innocent-clean-line", "innocent-offline", "innocent-captive-portal", "dns-injection-gfw", "dns-nxdomain-and-sni-behind-it",
	"tcp-refused-on-the-path", "tls-reset-by-name", "tls-answered-in-clear", "tls-alert-by-name", "tls-mitm-kazakhstan", "tls-cutoff-by-name",
	"http-block-page", "quic-timeout-by-name", "quic-forged-version", "app-imposter-without-the-key", "app-messenger-calls-dropped",
	"india-resolver-of-the-isp", "reference-helper-name-alone", "reference-data-centre-dropped",
}

// What is measured in these worlds is OONI's data format, key by key, and between them they have every key
// that we fill. Where there is a line, each app has resolved, connected and shaken hands.
func TestRecordsAreOONIs(t *testing.T) {
	if underRace {
		t.Skip("writing and checking are one goroutine's work; the worlds are played under the race detector elsewhere")
	}
	var format oonitest.Checker
	for _, world := range worlds {
		round := played(t, world).Round
		for app, line := range inFormat(t, &format, world, &round) {
			if world != "innocent-offline" && app != "clear" { // the app of a scenario, without TLS
				filled(t, world, line)
			}
		}
	}
	for _, key := range format.Missing() {
		t.Errorf("none of them has %s", key)
	}
}

// inFormat checks the records of a round, and gives them by their apps.
func inFormat(t *testing.T, format *oonitest.Checker, world string, r *measurements.Round) map[string][]byte {
	t.Helper()
	lines := map[string][]byte{}
	for _, m := range append([]measurements.Measurement{r.Gate}, r.Apps...) {
		line, err := ooni.Record(m)
		if err != nil {
			t.Fatalf("%s: %v", world, err)
		}
		bad := format.Check(line)
		for _, b := range bad[:min(len(bad), 10)] {
			t.Errorf("%s, %s: %s", world, m.App, b)
		}
		lines[m.App] = line
	}
	return lines
}

// filled checks that a record has something for each of the readers that OONI's data have.
func filled(t *testing.T, where string, line []byte) {
	t.Helper()
	var record struct {
		Name string                     `json:"test_name"`
		Keys map[string]json.RawMessage `json:"test_keys"`
	}
	if err := json.Unmarshal(line, &record); err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"queries", "tcp_connect", "tls_handshakes", "network_events"} {
		if s := string(record.Keys[list]); s == "[]" || s == "" {
			t.Errorf("%s, %s: %s is empty", where, record.Name, list)
		}
	}
}

package oonitest

import (
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
)

// A record that deviates in one place is found out, and the place is named.
func TestDeviationsAreFound(t *testing.T) {
	began := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	connect := measurements.Observation{Target: "web", Conn: 1, Operation: measurements.Connect, Endpoint: "192.0.2.1:443", Started: began, Duration: measurements.Seconds(time.Second)}
	m := measurements.Measurement{ID: "m", App: "telegram", Started: began, Runtime: measurements.Seconds(2 * time.Second), Observations: []measurements.Observation{connect}}
	line, err := ooni.Record(m)
	if err != nil {
		t.Fatal(err)
	}
	good := string(line)
	if bad := new(Checker).Check(line); bad != nil {
		t.Fatal(bad)
	}
	for _, tt := range []struct{ was, is, want string }{
		{`"data_format_version":"0.2.0"`, `"data_format_version":"0.5.0"`, "record.data_format_version: is no version"},
		{`"test_name":"telltale_telegram"`, `"test_name":"telegram"`, "record.test_name"},
		{`"probe_ip":"127.0.0.1"`, `"probe_ip":"192.0.2.9"`, "record.probe_ip"},
		{`"probe_cc":"ZZ"`, `"probe_cc":"zz"`, "record.probe_cc"},
		{`"input":null`, `"input":7`, "record.input: is none of null, string"},
		{`"input":null,`, ``, "record: input is missing"},
		{`"options":[]`, `"options":null`, "record.options: is no array"},
		{`"engine_name":"telltale"`, `"engine_name":1`, "record.annotations"},
		{`"dnst":0`, `"dns":0`, "dns is no extension"},
		{`"measurement_start_time":"2026-11-23 08:00:00"`, `"measurement_start_time":"2026-11-23T08:00:00Z"`, "record.measurement_start_time"},
		{`"queries":[]`, `"queries":null`, "test_keys.queries: is no array"},
		{`"queries":[]`, `"queries":[{}]`, "record.test_keys.queries[0]: engine is missing"},
		{`"x_telltale"`, `"telltale"`, "telltale is no key of the format"},
		{`"port":443`, `"port":"443"`, "record.test_keys.tcp_connect[0].port"},
		{`"success":true`, `"success":false`, "contradict"},
		{`"failure":null,"success":true`, `"failure":"blocked","success":false`, "record.test_keys.tcp_connect[0].status.failure: is no failure"},
		{`"operation":"connect"`, `"operation":"dial"`, "record.test_keys.network_events[0].operation"},
		{`"t":1,`, `"t":9,`, "it lasts from 0 to 9"},
		{`"t0":0,"t":1,"tags":["target=web","conn=1"],"transaction_id":1}],"x_`, `"t0":0,"t":1,"tags":["target=web","conn=1"],"transaction_id":1.5}],"x_`, "transaction_id"},
		{`{`, "{\n", "more than one line"},
	} {
		changed := strings.Replace(good, tt.was, tt.is, 1)
		if changed == good {
			t.Errorf("%s is not in the record", tt.was)
		}
		if bad := strings.Join(new(Checker).Check([]byte(changed)), "; "); !strings.Contains(bad, tt.want) {
			t.Errorf("%s: got %q, want %q in it", tt.is, bad, tt.want)
		}
	}
}

// Events of one connection are counted, and must come in order.
func TestEventsAreBounded(t *testing.T) {
	event := map[string]any{"t": 1.0, "tags": []any{"target=web", "conn=3"}}
	var many []any
	for range mostEvents + 1 {
		many = append(many, event)
	}
	var c Checker
	c.events(append(many, map[string]any{"t": 0.5, "tags": []any{}}))
	if len(c.bad) != 2 {
		t.Error(c.bad)
	}
}

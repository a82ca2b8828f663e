package ooni

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni/oonitest"
)

// same compares what JSON can carry: durations to the microsecond, addresses and times by value.
var same = cmp.Options{
	cmpopts.EquateComparable(netip.Addr{}),
	cmp.Comparer(func(a, b measurements.Seconds) bool {
		return time.Duration(a).Round(time.Microsecond) == time.Duration(b).Round(time.Microsecond)
	}),
}

func line(t testing.TB, m measurements.Measurement) []byte {
	t.Helper()
	b, err := Record(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A record read back is the measurement that it was made of, certificate chains included.
func TestRoundTrip(t *testing.T) {
	for name, want := range map[string]measurements.Measurement{
		"everything": sample(),
		"nothing":    {ID: "m", App: measurements.ControlApp},
	} {
		got, err := Parse(line(t, want))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A record is one line, or files of them could not be read.
func TestRecordIsOneLine(t *testing.T) {
	if b := line(t, sample()); bytes.ContainsAny(b, "\r\n") {
		t.Error("the record has a line feed")
	}
}

// decode reads a record as any other program would.
func decode(t *testing.T, m measurements.Measurement) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(line(t, m), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// Every key that the format has is there with its type, and no other is but for x_….
func TestEveryKeyHasItsType(t *testing.T) {
	var format oonitest.Checker
	for _, bad := range format.Check(line(t, sample())) {
		t.Error(bad)
	}
	for _, key := range format.Missing() {
		t.Errorf("the sample lacks %s", key)
	}
	if bad := format.Check(line(t, measurements.Measurement{ID: "m", App: measurements.ControlApp})); bad != nil {
		t.Errorf("a measurement in which nothing was seen: %v", bad)
	}
}

// at walks down a decoded record: keys of objects, indices of arrays.
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			v = v.(map[string]any)[step]
		case int:
			v = v.([]any)[step]
		}
	}
	return v
}

// The values that a reader of OONI's format relies on.
func TestValues(t *testing.T) {
	rec := decode(t, sample())
	none := sample()
	none.Vantage = measurements.Vantage{}
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"never an OONI name", at(rec, "test_name"), "telltale_telegram"},
		{"the network is the volunteer's word", at(rec, "probe_asn"), "AS64496"},
		{"so is the country", at(rec, "probe_cc"), "NL"},
		{"no word, no network", at(decode(t, none), "probe_asn"), "AS0"},
		{"no word, no country", at(decode(t, none), "probe_cc"), "ZZ"},
		{"never the own address", at(rec, "probe_ip"), "127.0.0.1"},
		{"times are UTC without a zone", at(rec, "measurement_start_time"), "2026-11-23 08:00:00"},
		{"the home's resolver has no address", at(rec, "test_keys", "queries", 0, "resolver_address"), ""},
		{"a DoH resolver is its URL", at(rec, "test_keys", "queries", 1, "resolver_address"), "https://192.0.2.53/dns-query"},
		{"answers have their TTL", at(rec, "test_keys", "queries", 0, "answers", 1, "ttl"), 300.0},
		{"failures are OONI's words", at(rec, "test_keys", "queries", 1, "failure"), "dns_nxdomain_error"},
		{"success is null", at(rec, "test_keys", "tcp_connect", 0, "status", "failure"), nil},
		{"our own words are unknown there", at(rec, "test_keys", "tls_handshakes", 1, "failure"), "unknown_failure: tls_alert_40"},
		{"versions are written as OONI does", at(rec, "test_keys", "tls_handshakes", 0, "tls_version"), "TLSv1.3"},
		{"QUIC is a handshake over udp", at(rec, "test_keys", "tls_handshakes", 2, "network"), "udp"},
		{"times count from the start", at(rec, "test_keys", "tls_handshakes", 0, "t"), 0.181},
		{"an observation's index ties the two forms", at(rec, "test_keys", "tls_handshakes", 0, "transaction_id"), 5.0},
		{"tags tell the control", at(rec, "test_keys", "tls_handshakes", 0, "tags", 1), "control=N"},
		{"bytes that are no text are base64", at(rec, "test_keys", "requests", 0, "response", "body", "format"), "base64"},
		{"the port is in the URL, the path as sent", at(rec, "test_keys", "requests", 0, "request", "url"), "http://web.example.org:8080/a?b=%20c"},
		{"a failed exchange has a URL too", at(rec, "test_keys", "requests", 1, "request", "url"), "https://web.example.org"},
		{"so are those of an app's own exchange", at(rec, "test_keys", "network_events", 24, "failure"), "unknown_failure: app_imposter"},
		{"the platform is named as OONI does", at(rec, "annotations", "platform"), "macos"},
		{"x_telltale keeps our words", at(rec, "test_keys", "x_telltale", "observations", 5, "failure"), "tls_alert_40"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

// Events frame every step, in the order in which they happened.
func TestNetworkEvents(t *testing.T) {
	var got []string
	last := 0.0
	for _, e := range keys(ref(sample())).NetworkEvents {
		got = append(got, e.Operation)
		if e.T < last {
			t.Errorf("%s comes before its time", e.Operation)
		}
		last = e.T
	}
	want := strings.Fields(`resolve_start resolve_done resolve_start connect read tls_handshake_start write read tls_handshake_done
		tls_handshake_start tls_handshake_done http_transaction_start write read http_transaction_done quic_handshake_start
		resolve_done write_to quic_handshake_done write_to read_from http_transaction_start http_transaction_done
		write read write_to read_from write read resolve_start resolve_done`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func ref(m measurements.Measurement) *measurements.Measurement { return &m }

// What Parse would refuse is not written in the first place.
func TestRecordIsBounded(t *testing.T) {
	m := sample()
	m.Observations[0].DNS.Raw = make([]byte, MaxLine/2)
	if _, err := Record(m); err == nil {
		t.Error("a record past MaxLine was written")
	}
	m = sample()
	m.Targets[0].Hosts = make([]string, maxValues)
	if _, err := Record(m); err == nil {
		t.Error("a record of too many values was written")
	}
}

// Whoever hands us a file learns what is wrong with it.
func TestParseRefuses(t *testing.T) {
	good := string(line(t, sample()))
	for _, tt := range []struct{ name, line, want string }{
		{"nothing", "", "unexpected end"},
		{"half a line", good[:len(good)/2], "unexpected end"},
		{"no object", "[]", "cannot unmarshal array"},
		{"two objects", good + good, "after top-level value"},
		{"another version", strings.Replace(good, `"0.2.0"`, `"0.5.0"`, 1), "data_format_version"},
		{"OONI's own", `{"data_format_version":"0.2.0","test_keys":{"queries":null}}`, "x_telltale"},
		{"a later form of ours", strings.Replace(good, schema, "telltale/measurement/v9", 1), "v9"},
		{"a wrong type", strings.Replace(good, `"app":"telegram"`, `"app":7`, 1), "app"},
		{"a time that is none", strings.Replace(good, `"started":"2026`, `"started":"x026`, 1), "parsing time"},
		{"an address that is none", strings.Replace(good, `"addresses":["192.0.2.10"]`, `"addresses":["nowhere"]`, 1), "nowhere"},
		{"a chain of no handshake", strings.ReplaceAll(good, `"transaction_id":5`, `"transaction_id":500`), "transaction_id 500"},
		{"a chain in another format", strings.Replace(good, `"format":"base64"`, `"format":"pem"`, 1), "pem"},
		{"a line past the bound", strings.Repeat(" ", MaxLine+1), "more than"},
		{"a bomb of small values", `{"test_keys":{"x_telltale":{"observations":[` + strings.Repeat("{},", maxValues) + `{}]}}}`, "values"},
	} {
		if _, err := Parse([]byte(tt.line)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q in it", tt.name, err, tt.want)
		}
	}
	if _, err := Parse([]byte(`{"data_format_version":"0.2.0","test_keys":{}}`)); !errors.Is(err, ErrNotOurs) {
		t.Errorf("another program's record: %v", err)
	}
}

// A bad line does not hide the good ones, and is named.
func TestRead(t *testing.T) {
	good := string(line(t, sample()))
	in := good + "\n\nnonsense\n" + strings.Repeat("x", MaxLine+100) + "\r\n" + good
	var ids, errs []string
	for m, err := range Read(strings.NewReader(in)) {
		if err != nil {
			errs = append(errs, err.Error())
			continue
		}
		ids = append(ids, m.ID)
	}
	if len(ids) != 2 || len(errs) != 2 || !strings.HasPrefix(errs[0], "line 3: ") || !strings.HasPrefix(errs[1], "line 4: ") {
		t.Errorf("got %v, errors %v", ids, errs)
	}
}

// Nothing that anybody hands us makes Parse panic, and what it accepts survives another turn.
func FuzzParse(f *testing.F) {
	f.Add(line(f, sample()))
	f.Add([]byte(`{"data_format_version":"0.2.0","test_keys":{"x_telltale":{"schema":"telltale/measurement/v1","observations":[{"tls":{}}]},"tls_handshakes":[{"transaction_id":1,"peer_certificates":[{"data":"AA==","format":"base64"}]}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Record(m)
		if err != nil {
			return // a time or a size that JSON can't write
		}
		if _, err := Parse(again); err != nil {
			t.Fatalf("what was accepted is refused after being written: %v", err)
		}
	})
}

// A line is where its offset says, without the white space around it, whatever its length.
func TestLines(t *testing.T) {
	in := "first\r\n\n \t second \u00a0\n" + strings.Repeat("x", 200_000) + "\n" + strings.Repeat("y", MaxLine+9) + "\nlast"
	var numbers []int
	for l, err := range Lines(strings.NewReader(in)) {
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, l.Number)
		if at := in[l.Offset:]; !strings.HasPrefix(at, string(l.Text)) || len(l.Text) > MaxLine+1 {
			t.Errorf("line %d is not at %d", l.Number, l.Offset)
		}
	}
	if !slices.Equal(numbers, []int{1, 3, 4, 5, 6}) {
		t.Errorf("got lines %v", numbers)
	}
}

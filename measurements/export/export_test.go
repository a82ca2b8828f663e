package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
	"github.com/telltale-probe/telltale/measurements/store"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 123456789, time.UTC)

// kept is a store of rounds, a minute apart; body is what each app's measurement weighs.
func kept(t *testing.T, rounds, body int) *store.Store {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for i := range rounds {
		id, at := fmt.Sprint("r", i), noon.Add(time.Duration(i)*time.Minute)
		measured := func(app string) measurements.Measurement {
			return measurements.Measurement{ID: id + app, Round: id, App: app, Started: at, Targets: []measurements.TargetInfo{{ID: "web", Hosts: []string{strings.Repeat("x", body)}}}}
		}
		r := measurements.Round{ID: id, Started: at, Gate: measured(measurements.ControlApp), Apps: []measurements.Measurement{measured("telegram"), measured("line")}}
		if err := s.Append(r, verdict(at)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// verdict has a finding, a target of which nothing was measured, a placebo, and what a hostile network said.
func verdict(at time.Time) measurements.RoundVerdict {
	ok := measurements.LayerVerdict{Layer: measurements.LayerDNS, Family: measurements.IPv4, State: measurements.OK, Scope: "unknown", Rule: "passes", Reasons: []string{}, Endpoints: measurements.EndpointCounts{Measured: 2}}
	bad := measurements.LayerVerdict{
		Layer: measurements.LayerTLS, Family: measurements.IPv4, State: measurements.Blocked, Signature: measurements.TLSResetSNI, Confidence: measurements.Likely, Scope: "beyond", Rule: "tls-dies-with-name",
		Reasons: []string{`=HYPERLINK("http://192.0.2.1","x")`, "a\r\nb, \x1b[2J\u009b"}, Endpoints: measurements.EndpointCounts{Measured: 2, Failed: 1},
	}
	return measurements.RoundVerdict{
		Schema: measurements.RoundSchema, Started: at, DurationSeconds: 3, Network: measurements.NetworkVerdict{State: measurements.OK},
		Apps: []measurements.AppVerdict{
			{App: "telegram", State: measurements.Partial, Targets: []measurements.TargetVerdict{{Target: "web", State: measurements.Blocked, Layers: []measurements.LayerVerdict{ok, bad}}}},
			{App: "line", State: measurements.Skipped, Targets: []measurements.TargetVerdict{{Target: "@media", State: measurements.Skipped}}},
		},
		Placebo:  &measurements.AppVerdict{App: measurements.PlaceboApp, State: measurements.OK, Targets: []measurements.TargetVerdict{{Target: "p", State: measurements.OK, Layers: []measurements.LayerVerdict{ok}}}},
		Standing: []measurements.Standing{{App: "telegram", Target: "web"}, {App: "line", Target: "chat"}},
	}
}

// all writes a form as a whole.
func all(t *testing.T, f Form, sel store.Selection) string {
	t.Helper()
	out := append([]byte{}, f.Head...)
	for r, err := range f.All(sel) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r.Text...)
	}
	return string(out)
}

// Each measurement is the line that package ooni makes of it; over many pages, oldest first.
func TestOONI(t *testing.T) {
	s := kept(t, page, 1)
	var want bytes.Buffer
	for r, err := range s.Rounds() {
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range append([]measurements.Measurement{r.Gate}, r.Apps...) {
			line, err := ooni.Record(m)
			if err != nil {
				t.Fatal(err)
			}
			want.Write(append(line, '\n'))
		}
	}
	form := OONI(s)
	if diff := cmp.Diff(want.String(), all(t, form, store.Selection{})); diff != "" {
		t.Errorf("(-want +got):\n%.2000s", diff)
	}
	if n, err := form.Rounds(store.Selection{Apps: []string{"line"}}); n != page || err != nil {
		t.Errorf("%d rounds, %v", n, err)
	}
	var names []string
	for line := range strings.Lines(all(t, form, store.Selection{Apps: []string{"line"}, Until: noon.Add(time.Second)})) {
		m, err := ooni.Parse([]byte(strings.TrimSpace(line)))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, m.App)
	}
	if got := fmt.Sprint(names); got != "[control line]" { // the gate comes with an app
		t.Error(got)
	}
}

// A verdict is what `once --format=json` prints, with its round and rules.
func TestJSON(t *testing.T) {
	s := kept(t, 2, 1)
	lines := strings.SplitAfter(all(t, JSON(s, nil), store.Selection{}), "\n")
	var got, want any
	if err := json.Unmarshal([]byte(lines[1]), &got); err != nil || len(lines) != 3 {
		t.Fatal(lines, err)
	}
	v := verdict(noon.Add(time.Minute))
	text, err := json.Marshal(&v)
	if err != nil || json.Unmarshal(text, &want) != nil {
		t.Fatal(err)
	}
	want.(map[string]any)["round"], want.(map[string]any)["rules"] = "r1", measurements.RulesVersion
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	one := all(t, JSON(s, []string{"line"}), store.Selection{Since: noon.Add(time.Minute)})
	if strings.Contains(one, "telegram") || strings.Contains(one, "placebo") || strings.Count(one, `"app":"line"`) != 2 || !strings.Contains(one, `"network":{"state":"ok"`) {
		t.Error(one)
	}
	if with := all(t, JSON(s, []string{measurements.PlaceboApp}), store.Selection{}); strings.Count(with, `"app":"placebo"`) != 2 {
		t.Error(with)
	}
}

// The table is RFC 4180's; it has a row for each finding, and nothing in it is run or moves a cursor.
func TestCSV(t *testing.T) {
	s := kept(t, 1, 1)
	text := all(t, CSV(s, nil), store.Selection{})
	if strings.Count(text, "\r\n") != strings.Count(text, "\n") || strings.ContainsAny(text, "\x1b\u009b") {
		t.Errorf("%q", text)
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	start := []string{"r0", "2026-11-23T12:00:00.123Z", measurements.RulesVersion, "ok", ""}
	want := [][]string{
		{
			"round", "started", "rules", "network_state", "network_signature", "app", "app_state", "target", "target_state", "layer", "ip_family", "state", "signature",
			"confidence", "scope", "rule", "endpoints_measured", "endpoints_failed", "reasons",
		},
		append(start[:5:5], "telegram", "partial", "web", "blocked", "dns", "ipv4", "ok", "", "", "unknown", "passes", "2", "0", ""),
		append(start[:5:5], "telegram", "partial", "web", "blocked", "tls", "ipv4", "blocked", "tls.reset.sni", "likely", "beyond", "tls-dies-with-name", "2", "1",
			`'=HYPERLINK("http://192.0.2.1","x") | a��b, �[2J�`),
		append(start[:5:5], "line", "skipped", "'@media", "skipped", "", "", "", "", "", "", "", "", "", ""),
		append(start[:5:5], "placebo", "ok", "p", "ok", "dns", "ipv4", "ok", "", "", "unknown", "passes", "2", "0", ""),
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if text := all(t, CSV(s, []string{"line"}), store.Selection{}); strings.Count(text, "\n") != 2 {
		t.Error(text)
	}
	if text := all(t, CSV(s, []string{"line"}), store.Selection{Since: noon.Add(time.Hour)}); strings.Count(text, "\n") != 1 {
		t.Errorf("not the header alone: %q", text)
	}
}

func TestCells(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a=b": "a=b", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", " \u00a0=1": "' \u00a0=1", "\t=1": "\ufffd=1",
		"＝1": "'＝1", "\xff": "\ufffd", "'=1": "'=1", "2026-11-23": "2026-11-23",
	} {
		if got := cell(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestWhen(t *testing.T) {
	for text, want := range map[string]time.Time{
		"0s": noon, "90m": noon.Add(-90 * time.Minute), "24h": noon.AddDate(0, 0, -1), "7d": noon.AddDate(0, 0, -7), "0d": noon,
		"2026-11-23":                time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC),
		"2026-11-23T08:00:00Z":      time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC),
		"2026-11-23T08:00:00.5Z":    time.Date(2026, 11, 23, 8, 0, 0, 5e8, time.UTC),
		"2026-11-23T08:00:00+03:30": time.Date(2026, 11, 23, 4, 30, 0, 0, time.UTC),
	} {
		if got, err := When(text, noon); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "-1d", "-5m", "1.5d", "99999d", "yesterday", "2026-13-01", "2026-11-23 08:00", "2026-11-23T08:00:00", "1700000000", "∞"} {
		if got, err := When(text, noon); err == nil || !strings.Contains(err.Error(), "24h, 7d") {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
}

// A store of forty megabytes is written in the memory of a record.
func TestMemory(t *testing.T) {
	if underRace {
		t.Skip("the race detector has a memory of its own: the run without it tells")
	}
	const rounds, body = 20, 1 << 20
	s := kept(t, rounds, body)
	var now, before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	most, written := int64(0), 0
	form := OONI(s)
	for r, err := range form.All(store.Selection{}) {
		if err != nil {
			t.Fatal(err)
		}
		written += len(r.Text)
		r.Text = nil
		runtime.GC()
		runtime.ReadMemStats(&now)
		most = max(most, int64(now.HeapAlloc)-int64(before.HeapAlloc))
	}
	if written < 3*rounds*body || most > 10*body {
		t.Errorf("%d KiB written, %d KiB of memory", written>>10, most>>10)
	}
}

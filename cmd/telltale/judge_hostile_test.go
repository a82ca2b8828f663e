package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	ms "github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
)

// edited changes x_telltale of a record by hand: the path leads to the value that is replaced; nil
// deletes it.
func edited(t testing.TB, line []byte, value any, path ...any) string {
	t.Helper()
	var record map[string]any
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&record); err != nil {
		t.Fatal(err)
	}
	at := record["test_keys"].(map[string]any)["x_telltale"]
	for _, step := range path[:len(path)-1] {
		if i, ok := step.(int); ok {
			at = at.([]any)[i]
		} else {
			at = at.(map[string]any)[step.(string)]
		}
	}
	switch last := path[len(path)-1].(type) {
	case int:
		at.([]any)[last] = value
	case string:
		if at.(map[string]any)[last] = value; value == nil {
			delete(at.(map[string]any), last)
		}
	}
	out, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// Lines that were damaged by hand are refused with file and line and what is wrong, and the others are
// judged: the good round behind is found blocked, and nothing that was damaged is.
func TestJudgeRefusesDamage(t *testing.T) {
	good := evidenceOf(t, "tls-reset-by-name", asMeasured)
	gate, app, _ := bytes.Cut(bytes.TrimSpace(good), []byte("\n"))
	six := indexOf(t, app, func(o *ms.Observation) bool { return o.Operation != ms.Resolve && o.Addr().Is6() })
	edit := func(value any, path ...any) string { return edited(t, app, value, path...) }
	for what, test := range map[string]struct{ damaged, want string }{
		"truncated":                 {string(app[:bytes.LastIndexByte(app[:len(app)/2], ',')]), "unexpected end"},
		"a wrong type":              {edit("many", "observations"), "cannot unmarshal string"},
		"a string for a time":       {edit("soon", "observations", 0, "duration"), "cannot unmarshal string"},
		"a number that is none":     {strings.Replace(string(app), `"runtime":`, `"runtime":NaN,"x":`, 1), "invalid character 'N'"},
		"an absurd number":          {edit(json.Number("1e300"), "observations", 0, "duration"), "out of bounds"},
		"a number past all":         {edit(json.Number("1e999"), "observations", 0, "sent"), "number 1e999"},
		"centuries":                 {edit(json.Number("1e9"), "runtime"), "x_telltale.runtime"},
		"a fraction of a byte":      {edit(json.Number("0.5"), "observations", 0, "sent"), "number 0.5"},
		"a negative time":           {edit(-1, "observations", 0, "duration"), "observations[0].duration of -1s"},
		"a negative count":          {edit(-1, "observations", 0, "received"), "observations[0].received -1"},
		"more bytes than there are": {edit(json.Number("1000000000000000"), "observations", 0, "received"), "received 1000000000000000"},
		"a time that is none":       {edit("2026-13-45T00:00:00Z", "started"), "parsing time"},
		"an unknown layer":          {edit([]any{map[string]any{"target": "web", "reason": "budget", "layer": "cake"}}, "skipped"), `skipped[0].layer "cake"`},
		"an unknown family":         {edit("ipv9", "observations", 0, "ip_family"), `ip_family "ipv9"`},
		"an unknown operation":      {edit("guess", "observations", 0, "operation"), `operation "guess"`},
		"an unknown control":        {edit("Z", "observations", 0, "control"), `control "Z"`},
		"a resolve without answer":  {edit(nil, "observations", indexOf(t, app, func(o *ms.Observation) bool { return o.Operation == ms.Resolve }), "dns"), "does not say what it saw"},
		"an endpoint that is none":  {edit("web:https", "observations", six, "endpoint"), "no address with a port"},
		"another family's endpoint": {edit("192.0.2.1:443", "observations", six, "endpoint"), "ip_family"},
		"no such target":            {edit("elsewhere", "observations", 0, "target"), "none of the targets"},
		"a target twice":            {edit(valueOf(t, app, "targets", 0), "targets", 1), "stands twice"},
		"no app":                    {edit("", "app"), "app is empty"},
		"a million observations":    {strings.Replace(string(app), `"observations":[`, `"observations":[`+strings.Repeat(`{},`, 1_000_000), 1), "values"},
		"thousands of observations": {strings.Replace(string(app), `"observations":[`, `"observations":[`+strings.Repeat(`{},`, 10_000), 1), "more than 2048"},
		"a line past the bound":     {strings.Repeat("x", ooni.MaxLine+1), "more than"},
		"nesting":                   {strings.Repeat("[", 1<<16), "exceeded max depth"},
		"nesting inside":            {strings.Replace(string(app), `"observations":[`, `"observations":[`+strings.Repeat("[", 11_000)+strings.Repeat("]", 11_000)+",", 1), "exceeded max depth"},
		"bytes that are no text":    {"\xff\xfe{}", "invalid character"},
		"null":                      {"null", "neither a measurement"},
		"another version":           {strings.Replace(string(app), `"data_format_version":"0.2.0"`, `"data_format_version":"9"`, 1), "data_format_version"},
		"another program's":         {`{"data_format_version":"0.2.0","test_keys":{}}`, "another program"},
		"a verdict of once":         {`{"schema":"telltale/round/v1","apps":[]}`, "neither a measurement"},
		"a long id":                 {edit(strings.Repeat("x", 1000), "id"), "more than 256 bytes"},
		"terminal commands":         {edit("\x1b]0;owned\a", "observations", 0, "operation"), "operation"},
	} {
		t.Run(what, func(t *testing.T) {
			// The damaged app belongs to a round of its own, whose gate is fine.
			other := edited(t, gate, "other", "round")
			other = edited(t, []byte(other), "other-gate", "id")
			damaged := strings.Replace(test.damaged, `"round":"`, `"round":"other","was":"`, 1)
			damaged = strings.Replace(damaged, `"id":"`, `"id":"other-`, 1)
			code, out, errs := telltale(t, other+"\n"+damaged+"\n"+string(good), "judge", "-")
			if code != exitCould || !strings.Contains(errs, "standard input: line 2: ") || !strings.Contains(errs, test.want) {
				t.Errorf("exit %d, want %q: %s", code, test.want, errs)
			}
			if !strings.Contains(out, "2 rounds judged") || !strings.Contains(out, "1 lines refused") || strings.Count(out, "tls.reset.sni") != 1 {
				t.Errorf("the good lines are not judged, or the bad one is:\n%s", out)
			}
			if strings.ContainsAny(out+errs, "\x1b\a") {
				t.Error("what the file holds reaches the terminal as it is")
			}
		})
	}
}

// indexOf gives the index of the first observation that is wanted.
func indexOf(t testing.TB, line []byte, wanted func(*ms.Observation) bool) int {
	t.Helper()
	m, err := ooni.Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Observations {
		if wanted(&m.Observations[i]) {
			return i
		}
	}
	t.Fatal("there is none")
	return 0
}

// valueOf gives a value of x_telltale.
func valueOf(t testing.TB, line []byte, key string, i int) any {
	t.Helper()
	var in struct {
		Keys struct {
			Ours map[string]any `json:"x_telltale"`
		} `json:"test_keys"`
	}
	if err := json.Unmarshal(line, &in); err != nil {
		t.Fatal(err)
	}
	return in.Keys.Ours[key].([]any)[i]
}

// What is odd and may be true is judged: words of failures that nobody knows explain nothing.
func TestJudgeUnknownFailures(t *testing.T) {
	damaged := evidenceOf(t, "tls-reset-by-name", func(r *ms.Round) {
		for i := range r.Apps {
			for j := range r.Apps[i].Observations {
				if o := &r.Apps[i].Observations[j]; !o.OK() {
					o.Failure = "made_up\x1b[31m"
				}
			}
		}
	})
	code, out, errs := telltale(t, string(damaged), "judge", "-")
	if code != exitDone || strings.Contains(out, "blocked") || !strings.Contains(out, "inconclusive") || strings.Contains(out, "\x1b") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
}

// What stands twice is used once; a round can't be made too large to hold.
func TestJudgeRefusesRepeats(t *testing.T) {
	good := evidenceOf(t, "tls-reset-by-name", asMeasured)
	code, out, errs := telltale(t, string(good)+string(good), "judge", "-")
	if code != exitCould || !strings.Contains(errs, "line 3") || !strings.Contains(errs, "stands twice, first in standard input: line 1") || !strings.HasPrefix(out[strings.LastIndex(out, "1 rounds"):], "1 rounds judged") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	_, app, _ := bytes.Cut(bytes.TrimSpace(good), []byte("\n"))
	var many strings.Builder
	for i := range 100 {
		line := edited(t, app, fmt.Sprint("id", i), "id")
		many.WriteString(edited(t, []byte(line), fmt.Sprint("app", i), "app") + "\n")
	}
	if code, out, errs := telltale(t, many.String(), "judge", "-"); code != exitCould || !strings.Contains(errs, "line 65: ") || !strings.Contains(out, "36 lines refused") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// A file of rubbish takes no more memory than its longest line, and a bounded number of words.
func TestJudgeMemoryIsBounded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rubbish.ndjson")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	for range 8 { // 256 MiB in all
		if _, err := f.Write(append(bytes.Repeat([]byte("[{},"), 8<<20), '\n')); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.WriteString(strings.Repeat("x\n", 10_000)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	code, _, errs := telltale(t, "", "judge", file)
	runtime.ReadMemStats(&after)
	if grown := (after.TotalAlloc - before.TotalAlloc) >> 20; code != exitCould || grown > 200 {
		t.Errorf("exit %d, %d MiB allocated in all", code, grown)
	}
	if n := strings.Count(errs, "\n"); n > maxRefusals+3 || !strings.Contains(errs, "10008") {
		t.Errorf("%d lines of errors", n)
	}
}

// small gives a round's evidence with what is needed alone, so that fuzzing has short lines to change:
// without the keys for others, and of each measurement a few observations.
func small(t testing.TB, name string) []byte {
	t.Helper()
	r := played(t, name).Round
	var out bytes.Buffer
	for _, m := range []ms.Measurement{r.Gate, r.Apps[0]} {
		least := ms.Measurement{ID: m.ID, Round: m.Round, App: m.App, Started: m.Started, Targets: m.Targets[:min(len(m.Targets), 3)]}
		for i := range m.Observations {
			o := m.Observations[i]
			known := slices.ContainsFunc(least.Targets, func(info ms.TargetInfo) bool { return info.ID == o.Target })
			if known && o.Family == ms.IPv4 && len(least.Observations) < 16 {
				if o.DNS != nil {
					o.DNS.Raw = nil
				}
				least.Observations = append(least.Observations, o)
			}
		}
		type ours struct {
			Schema string `json:"schema"`
			ms.Measurement
		}
		line, err := json.Marshal(map[string]any{"data_format_version": "0.2.0", "test_keys": map[string]any{"x_telltale": ours{"telltale/measurement/v1", least}}})
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(line, '\n'))
	}
	return out.Bytes()
}

// Nothing that a file holds makes judging panic, or write what makes terminals do things.
func FuzzJudgeFile(f *testing.F) {
	for _, name := range []string{"tls-reset-by-name", "dns-injection-gfw", "throttle-by-name-twitter-2021", "quic-timeout-by-name", "reference-data-centre-refused"} {
		f.Add(small(f, name))
	}
	f.Add([]byte(`{"round":"r","rules":"x","verdict":{"apps":[{"targets":[{"layers":[{}]}]}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, args := range [][]string{{"--format=json"}, {"--compare=" + ms.RulesVersions[0]}} {
			code, out, errs := telltale(t, string(b), append([]string{"judge", "-"}, args...)...)
			if code != exitDone && (code != exitCould || errs == "") {
				t.Fatalf("exit %d: %s", code, errs)
			}
			if strings.ContainsAny(out+errs, "\x1b\a") {
				t.Fatal("control characters")
			}
		}
	})
}

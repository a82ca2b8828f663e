package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
)

// played runs a scenario of the matrix.
func played(t testing.TB, name string) *scenarios.Result {
	t.Helper()
	all, err := scenarios.All()
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if all[i].Name == name {
			result, err := newLab().Run(&all[i])
			if err != nil {
				t.Fatal(err)
			}
			return result
		}
	}
	t.Fatalf("no scenario %s", name)
	return nil
}

// evidenceOf writes what was measured in a scenario, as `once --format=ooni` does.
func evidenceOf(t testing.TB, name string, edit func(*measurements.Round)) []byte {
	t.Helper()
	result := played(t, name)
	edit(&result.Round)
	var out bytes.Buffer
	for _, m := range append([]measurements.Measurement{result.Round.Gate}, result.Round.Apps...) {
		line, err := ooni.Record(m)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(line, '\n'))
	}
	return out.Bytes()
}

func asMeasured(*measurements.Round) {}

// without leaves observations out.
func without(wanted func(*measurements.Observation) bool) func(*measurements.Round) {
	return func(r *measurements.Round) {
		for i := range r.Apps {
			var kept []measurements.Observation
			for _, o := range r.Apps[i].Observations {
				if !wanted(&o) {
					kept = append(kept, o)
				}
			}
			r.Apps[i].Observations = kept
		}
	}
}

// A measurement without its control, or without its gate, or of which anything else is missing, is inconclusive; the
// whole one is a block.
func TestJudgeNeedsControls(t *testing.T) {
	for what, test := range map[string]struct {
		edit    func(*measurements.Round)
		blocked bool
	}{
		"whole":                 {asMeasured, true},
		"without control N":     {without(func(o *measurements.Observation) bool { return o.Control == measurements.N }), false},
		"without the gate":      {func(r *measurements.Round) { r.Gate.Observations = nil }, false},
		"without any connect":   {without(func(o *measurements.Observation) bool { return o.Operation == measurements.Connect }), false},
		"without any resolving": {without(func(o *measurements.Observation) bool { return o.Operation == measurements.Resolve }), false},
	} {
		code, out, errs := telltale(t, string(evidenceOf(t, "tls-reset-by-name", test.edit)), "judge", "-")
		if code != exitDone || errs != "" {
			t.Errorf("%s: exit %d: %s", what, code, errs)
		}
		if strings.Contains(out, "blocked") != test.blocked {
			t.Errorf("%s: blocked should be %v:\n%s", what, test.blocked, out)
		}
	}
}

// What other rules say of the same evidence is shown where it differs, and which rule says it.
func TestJudgeCompares(t *testing.T) {
	first := measurements.RulesVersions[0]
	slow := string(evidenceOf(t, "throttle-by-name-twitter-2021", asMeasured))
	code, out, errs := telltale(t, slow, "judge", "--compare="+first, "-")
	for _, want := range []string{"rules " + first + " → " + measurements.RulesVersion, "ok (by passes) → throttled throttle.sni suspected", "passes → volume-slow-with-name", " 0 same, 1 changed"} {
		if code != exitDone || !strings.Contains(out, want) {
			t.Errorf("exit %d, %q is missing: %s%s", code, want, out, errs)
		}
	}
	if code, out, errs = telltale(t, slow, "judge", "--rules="+first, "--compare="+measurements.RulesVersion, "-"); code != exitDone || !strings.Contains(strings.Join(strings.Fields(out), " "), "(by volume-slow-with-name) → ok (by passes)") {
		t.Errorf("the other way round, exit %d: %s%s", code, out, errs)
	}
	same := string(evidenceOf(t, "tls-reset-by-name", asMeasured))
	if code, out, _ = telltale(t, same, "judge", "--compare="+first, "-"); code != exitDone || out != "1 rounds judged: 1 same, 0 changed, 0 with nothing to compare; 0 lines refused\n" {
		t.Errorf("exit %d: %s", code, out)
	}
}

// What was said at the time stands in the store; a change is told with the rules that made it.
func TestJudgeAStore(t *testing.T) {
	t.Parallel()
	dir, _ := demoed(t)
	lines := t.TempDir()
	asLines(t, dir, lines)
	for _, args := range [][]string{
		{"judge", dir}, {"judge", dir, dir}, {"judge", filepath.Join(dir, "telltale.db")}, {"--store.path=" + dir, "judge"},
		{"judge", lines}, append([]string{"judge"}, glob(t, lines, "measurements-*.ndjson")...), append([]string{"judge", lines}, glob(t, lines, "*.ndjson")...),
	} {
		if code, out, errs := telltale(t, "", args...); code != exitDone || !strings.HasPrefix(out, "2 rounds judged: 2 same, ") {
			t.Errorf("%v: exit %d: %s%s", args, code, out, errs)
		}
	}
	if code, out, errs := telltale(t, "", "judge", dir, lines); code != exitCould || !strings.HasPrefix(out, "2 rounds judged: 2 same, ") || !strings.Contains(errs, "stands twice, first in") {
		t.Errorf("the same evidence twice: exit %d: %s%s", code, out, errs)
	}
	file := glob(t, lines, "verdicts-*.ndjson")[0]
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("tls.reset.sni"), []byte("tls.timeout.sni"))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := telltale(t, "", "judge", "--format=json", lines)
	said := strings.Split(strings.TrimSpace(out), "\n")
	if code != exitDone || len(said) != 3 {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	var changed judged
	var total judgeTotal
	for i, to := range []any{&judged{}, &changed, &total} {
		if err := json.Unmarshal([]byte(said[i]), to); err != nil {
			t.Fatal(err)
		}
	}
	if total.Rounds != 2 || total.Same != 1 || total.Changed != 1 || len(changed.Changes) != 2 || changed.Verdict.Schema != measurements.RoundSchema {
		t.Fatalf("%+v, %+v", total, changed.Changes)
	}
	c := changed.Changes[0]
	if c.Target != "web" || c.Was.Signature != measurements.TLSTimeoutSNI || c.Is.Signature != measurements.TLSResetSNI || c.Was.Rule != c.Is.Rule {
		t.Errorf("%+v: %+v → %+v", c, c.Was, c.Is)
	}
}

// asLines writes a store as daily files of the first format.
func asLines(t *testing.T, from, to string) {
	t.Helper()
	kept, err := store.Open(from, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kept.Close() }()
	files := map[string][]byte{}
	add := func(kind string, at time.Time, line []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		name := kind + "-" + at.UTC().Format(time.DateOnly) + ".ndjson"
		files[name] = append(append(files[name], line...), '\n')
	}
	for r, err := range kept.Rounds() {
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range append([]measurements.Measurement{r.Gate}, r.Apps...) {
			line, err := ooni.Record(m)
			add("measurements", r.Started, line, err)
		}
	}
	for j, err := range kept.Verdicts() {
		if err != nil {
			t.Fatal(err)
		}
		line, err := json.Marshal(j)
		add("verdicts", j.Verdict.Started, line, err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(to, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	return files
}

// Rounds are judged in the order of time, whatever that of the lines, so that a finding of a later round
// has the history of the earlier ones.
func TestJudgeInOrderOfTime(t *testing.T) {
	good := bytes.SplitAfter(bytes.TrimSpace(evidenceOf(t, "dns-silence", asMeasured)), []byte("\n"))
	var lines [][]byte
	for i, day := range []string{"2000-01-03", "2000-01-01"} { // the later one comes first
		for j := range good {
			line := bytes.ReplaceAll(bytes.TrimSpace(good[j]), []byte("2000-01-01"), []byte(day))
			line = bytes.Replace(line, []byte(`"x_telltale":{"schema":"telltale/measurement/v1","id":"`), []byte(`"x_telltale":{"schema":"telltale/measurement/v1","id":"x`+day), 1)
			line = bytes.Replace(line, []byte(`"round":"`), []byte(`"round":"r`+string(rune('1'-i))), 1)
			lines = append(lines, line)
		}
	}
	code, out, errs := telltale(t, string(bytes.Join(lines, []byte("\n"))), "judge", "-")
	early, late := strings.Index(out, "2000-01-01"), strings.Index(out, "2000-01-03")
	if code != exitDone || early < 0 || late < early {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	if !strings.Contains(out[early:late], "dns.timeout") || !strings.Contains(out[early:late], "suspected") || !strings.Contains(out[late:], "likely") {
		t.Errorf("the first should be suspected, the second likely:\n%s", out)
	}
}

// Evidence of two homes never makes one history.
func TestJudgeKeepsVantagesApart(t *testing.T) {
	b := &bench{by: ruleSet{measurements.RulesVersion, measurements.Rules}}
	for _, country := range []string{"NL", "DE", "NL"} {
		r := measurements.Round{Gate: measurements.Measurement{App: measurements.ControlApp, Vantage: measurements.Vantage{Country: country}}}
		if _, err := b.judge(b.by, &r); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.histories) != 2 {
		t.Errorf("%d histories, want 2", len(b.histories))
	}
}

func TestJudgeUsage(t *testing.T) {
	empty := t.TempDir()
	for what, test := range map[string]struct {
		args []string
		code int
		errs string
	}{
		"an empty store":   {[]string{"--store.path=" + empty}, exitUsage, "no telltale.db"},
		"no such file":     {[]string{filepath.Join(empty, "none.ndjson")}, exitUsage, "none.ndjson"},
		"an empty folder":  {[]string{empty}, exitUsage, "no measurements-DATE.ndjson"},
		"no such rules":    {[]string{"--rules=1999", "-"}, exitUsage, measurements.RulesVersion},
		"nor to compare":   {[]string{"--compare=1999", "-"}, exitUsage, measurements.RulesVersion},
		"a wrong format":   {[]string{"--format=ooni", "-"}, exitUsage, "table"},
		"nothing on stdin": {[]string{"-"}, exitCould, "no measurement"},
	} {
		code, _, errs := telltale(t, "", append([]string{"judge"}, test.args...)...)
		if code != test.code || !strings.Contains(errs, test.errs) {
			t.Errorf("%s: exit %d: %s", what, code, errs)
		}
	}
}

// The list says of each rule what it says.
func TestJudgeLists(t *testing.T) {
	code, out, _ := telltale(t, "", "judge", "--list")
	for i := range measurements.Rules {
		if r := &measurements.Rules[i]; r.Until == "" && (code != exitDone || !strings.Contains(out, "\n"+r.ID+" (")) {
			t.Errorf("exit %d, %s is missing", code, r.ID)
		}
	}
	if code, old, _ := telltale(t, "", "judge", "--list", "--rules="+measurements.RulesVersions[0]); code != exitDone || strings.Contains(old, "line-congested") {
		t.Errorf("exit %d; the first set lists a later rule", code)
	}
}

// A file of verdicts is a mistake easily made: both formats are JSON, and both come from the same commands.
func TestJudgeVerdictsAlone(t *testing.T) {
	line := `{"schema":"telltale/round/v1","round":"a","rules":"2026-11-23","started":"2026-11-23T08:00:00Z","apps":[]}` + "\n"
	if code, _, errs := telltale(t, line, "judge", "-"); code != exitCould || !strings.Contains(errs, "verdicts alone (--format=json) can't be judged") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

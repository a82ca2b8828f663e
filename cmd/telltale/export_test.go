package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
)

// storeOf is a store with a world's last round, and what was said of it.
func storeOf(t *testing.T, result *scenarios.Result) (dir string) {
	t.Helper()
	dir = t.TempDir()
	kept, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kept.Close() }()
	if err := kept.Append(result.Round, result.Verdict); err != nil {
		t.Fatal(err)
	}
	return dir
}

// exported is what `telltale export` writes of a store.
func exported(t *testing.T, dir string, args ...string) string {
	t.Helper()
	code, out, errs := telltale(t, "", append([]string{"--store.path=" + dir, "export"}, args...)...)
	if code != exitDone || errs != "" {
		t.Fatalf("%v: exit %d: %s", args, code, errs)
	}
	return out
}

// judgedAgain gives the verdict of evidence with one round.
func judgedAgain(t *testing.T, evidence string, args ...string) measurements.RoundVerdict {
	t.Helper()
	code, out, errs := telltale(t, evidence, append([]string{"judge", "--format=json"}, args...)...)
	if code != exitDone || errs != "" {
		t.Fatalf("exit %d: %s", code, errs)
	}
	var j judged
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&j); err != nil {
		t.Fatal(err)
	}
	return j.Verdict
}

// Evidence that was exported, and is judged again by the same rules, gives the very same verdicts: with
// reasons, standing findings and all. So does the evidence on one app for this app.
func TestExportedEvidenceIsJudgedTheSame(t *testing.T) {
	list := worlds
	if underRace {
		list = worlds[6:8] // judging is one goroutine's work, and slow there
	}
	for _, world := range list {
		result := played(t, world)
		dir := storeOf(t, result)
		evidence := exported(t, dir, "--format=ooni")
		again := judgedAgain(t, evidence, "-")
		if diff := cmp.Diff(judgedAgain(t, "", dir), again); diff != "" {
			t.Errorf("%s: the store is judged otherwise (-store +exported):\n%s", world, diff)
		}
		if result.Scenario.Rounds > 1 {
			continue // what was said then had a history that is not in this store
		}
		if diff := cmp.Diff(result.Verdict, again); diff != "" {
			t.Errorf("%s: it was judged otherwise at the time (-then +exported):\n%s", world, diff)
		}
		both := evidence + exported(t, dir, "--format=json")
		if code, out, errs := telltale(t, both, "judge", "-"); code != exitDone || !strings.HasPrefix(out, "1 rounds judged: 1 same, ") {
			t.Errorf("%s: with the exported verdict, exit %d: %s%s", world, code, out, errs)
		}
		for _, app := range again.Apps {
			one := judgedAgain(t, exported(t, dir, "--app="+app.App), "-")
			if diff := cmp.Diff(&app, one.Of(app.App)); diff != "" || len(one.Apps) != 1 {
				t.Errorf("%s: the evidence on %s alone is judged otherwise (-all +one):\n%s", world, app.App, diff)
			}
		}
	}
}

// What a daemon wrote is exported in every form; each line of it stands alone, the first one too.
func TestExportAStore(t *testing.T) {
	t.Parallel()
	dir, _ := demoed(t)
	names := map[string]int{}
	for line := range strings.Lines(exported(t, dir)) {
		var record struct {
			Version string `json:"data_format_version"`
			Name    string `json:"test_name"`
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil || record.Version != "0.2.0" {
			t.Fatal(err, record)
		}
		names[record.Name]++
		filled(t, "demo", []byte(line))
	}
	want := map[string]int{"telltale_control": 2, "telltale_telegram": 2, "telltale_whatsapp": 2, "telltale_line": 2, "telltale_instagram": 2, "telltale_placebo": 2}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	var rounds []store.Told
	for line := range strings.Lines(exported(t, dir, "--format=json", "--app=telegram", "--app=line")) {
		var told store.Told
		if err := json.Unmarshal([]byte(line), &told); err != nil || told.Schema != measurements.RoundSchema || len(told.Apps) != 2 {
			t.Fatal(err, line)
		}
		rounds = append(rounds, told)
	}
	if len(rounds) != 2 || rounds[0].Round == rounds[1].Round || !rounds[0].Started.Before(rounds[1].Started) {
		t.Fatalf("%+v", rounds)
	}
	table, err := csv.NewReader(strings.NewReader(exported(t, dir, "--format=csv", "--since=1h", "--app=telegram"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	found := func(row []string) bool {
		return row[0] == rounds[1].Round && strings.Contains(strings.Join(row, ","), "telegram,partial,web,blocked,tls,ipv4,blocked,tls.reset.sni,likely")
	}
	if !slices.ContainsFunc(table, found) {
		t.Errorf("no row for the block of web: %v", table)
	}
	last := rounds[1].Started.UTC().Format(time.RFC3339Nano)
	if lines := strings.Count(exported(t, dir, "--since="+last), "\n"); lines != 6 {
		t.Errorf("%d lines since the second round", lines)
	}
	if lines := strings.Count(exported(t, dir, "--until="+last, "--format=json"), "\n"); lines != 1 {
		t.Errorf("%d rounds until the second one", lines)
	}
}

// What can't be exported is said, and why.
func TestExportUsage(t *testing.T) {
	dir, empty := storeOf(t, &scenarios.Result{Round: measurements.Round{ID: "r", Started: time.Now(), Gate: measurements.Measurement{ID: "g", App: measurements.ControlApp}, Apps: []measurements.Measurement{{ID: "m", App: "someone-elses"}}}}), t.TempDir()
	for what, test := range map[string]struct {
		store string
		args  []string
		code  int
		errs  string
	}{
		"a wrong format":            {dir, []string{"--format=xml"}, exitUsage, "ooni"},
		"a time that is none":       {dir, []string{"--since=yesterday"}, exitUsage, "--since=yesterday: must be how long ago (90m, 24h, 7d)"},
		"until none":                {dir, []string{"--until=1700000000"}, exitUsage, "--until=1700000000"},
		"no time between":           {dir, []string{"--since=1h", "--until=2h"}, exitUsage, "--since=1h is not before --until=2h"},
		"no such app":               {dir, []string{"--app=telegramm"}, exitUsage, "--app=telegramm: no such app; there are control, instagram, line, messenger, placebo, signal, someone-elses, telegram"},
		"an app of the store's own": {dir, []string{"--app=someone-elses"}, exitDone, ""},
		"an app without evidence":   {dir, []string{"--app=signal", "--format=csv"}, exitDone, ""},
		"nothing of that time":      {dir, []string{"--until=2000-01-01"}, exitDone, "nothing to export"},
		"a file for an argument":    {dir, []string{"telltale.db"}, exitUsage, "unexpected argument"},
		"no such folder":            {filepath.Join(empty, "none"), nil, exitUsage, "--store.path: store: open"},
		"no folder":                 {filepath.Join(dir, "telltale.db"), nil, exitUsage, "--store.path: store: "},
		"an empty folder":           {empty, nil, exitCould, "there is no store in " + empty + ": nothing was measured here yet"},
	} {
		code, _, errs := telltale(t, "", append([]string{"--store.path=" + test.store, "export"}, test.args...)...)
		if code != test.code || !strings.Contains(errs, test.errs) {
			t.Errorf("%s: exit %d: %s", what, code, errs)
		}
	}
	t.Setenv("XDG_STATE_HOME", filepath.Join(empty, "state"))
	t.Setenv("XDG_CONFIG_HOME", empty)
	t.Setenv("HOME", empty)
	t.Setenv("LocalAppData", empty)
	for _, command := range []string{"export", "judge"} {
		if code, _, errs := telltale(t, "", command); code != exitCould || !strings.Contains(errs, "there is no store in ") {
			t.Errorf("%s, never measured: exit %d: %s", command, code, errs)
		}
	}
}

// failing is a stdout that takes so many bytes.
type failing struct {
	room int
	err  error
}

func (f *failing) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, f.err
	}
	return len(b), nil
}

// Whoever has read enough ends it, and that is no failure; a full disk is one.
func TestExportWhereNobodyReads(t *testing.T) {
	dir := storeOf(t, played(t, "innocent-clean-line"))
	for _, test := range []struct {
		err  error
		code int
	}{{&os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}, exitDone}, {syscall.ENOSPC, exitCould}} {
		for _, format := range []string{"ooni", "json", "csv"} {
			var errs strings.Builder
			code := run([]string{"--store.path=" + dir, "export", "--format=" + format}, terminal{strings.NewReader(""), &failing{1000, test.err}, &errs})
			if code != test.code || (errs.String() == "") != (test.code == exitDone) {
				t.Errorf("%v, %s: exit %d: %s", test.err, format, code, errs.String())
			}
		}
	}
}

// `| head` ends an export, without a word and with exit code 0.
func TestExportIntoAClosedPipe(t *testing.T) {
	binary := kernelBinary(t)
	dir := storeOf(t, played(t, "innocent-clean-line"))
	cmd := exec.Command(binary, "--store.path="+dir, "export")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip("the program is built for Linux alone:", err)
	}
	var first json.RawMessage
	if err := json.NewDecoder(io.LimitReader(out, 1<<20)).Decode(&first); err != nil {
		t.Error(err)
	}
	_ = out.Close()
	if err := cmd.Wait(); err != nil || errs.Len() > 0 {
		t.Errorf("%v: %s", err, errs.String())
	}
}

// interrupting ends a context in the middle of the second record.
type interrupting struct {
	strings.Builder
	records int
	end     context.CancelFunc
}

func (i *interrupting) Write(b []byte) (int, error) {
	if i.records++; i.records == 2 {
		i.end()
	}
	return i.Builder.Write(b)
}

// Ctrl-C ends it after a whole record, and that is told.
func TestExportInterrupted(t *testing.T) {
	kept, err := store.Open(storeOf(t, played(t, "innocent-clean-line")), store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kept.Close() }()
	ctx, end := context.WithCancel(t.Context())
	out := interrupting{records: -1, end: end} // the head comes before the first
	err = (&exportCmd{Format: "ooni"}).write(ctx, &cli{}, terminal{out: &out, err: io.Discard}, kept, store.Selection{})
	if err == nil || !strings.Contains(err.Error(), "stopped before the end") {
		t.Error(err)
	}
	text := out.String()
	if strings.Count(text, "\n") != 2 || !strings.HasSuffix(text, "}\n") {
		t.Errorf("%d lines, the last ends in %q", strings.Count(text, "\n"), text[len(text)-10:])
	}
}

// A record that can't be read is told, the others are exported, and the exit code says so.
func TestExportOfADamagedStore(t *testing.T) {
	dir := storeOf(t, played(t, "innocent-clean-line"))
	db, err := sql.Open("sqlite", filepath.Join(dir, "telltale.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = db.Exec("UPDATE measurements SET body = x'00' WHERE app = 'telegram'"); err != nil || db.Close() != nil {
		t.Fatal(err)
	}
	code, out, errs := telltale(t, "", "--store.path="+dir, "export")
	if code != exitCould || !strings.Contains(errs, "of measurements: ") || !strings.Contains(errs, "left out: 1") || strings.Count(out, "\n") == 0 {
		t.Errorf("exit %d, %d lines: %s", code, strings.Count(out, "\n"), errs)
	}
}

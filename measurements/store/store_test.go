package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/measurements"
)

// monday is late enough in a day that a local zone would name another one.
var monday = time.Date(2026, 11, 23, 23, 30, 0, 0, time.UTC)

const dayFile = "measurements-2026-11-23.ndjson"

func round(id string, at time.Time) measurements.Round {
	measured := func(app string, after time.Duration) measurements.Measurement {
		return measurements.Measurement{
			ID: id + "-" + app, Round: id, App: app, Started: at.Add(after), Runtime: measurements.Seconds(time.Second),
			Targets: []measurements.TargetInfo{{ID: "web", Probes: []string{"https"}}},
			Observations: []measurements.Observation{{
				Target: "web", Operation: measurements.TLSHandshake, Family: measurements.IPv4, Endpoint: "192.0.2.1:443", Started: at.Add(after),
				TLS: &measurements.TLS{Chain: [][]byte{{1, 2, 3}}},
			}},
		}
	}
	return measurements.Round{
		ID: id, Started: at, Runtime: measurements.Seconds(3 * time.Second),
		Gate: measured(measurements.ControlApp, 0),
		Apps: []measurements.Measurement{measured("telegram", time.Second), measured("line", 2*time.Second)},
	}
}

func verdict(at time.Time) measurements.RoundVerdict {
	return measurements.RoundVerdict{Schema: measurements.RoundSchema, Started: at, Apps: []measurements.AppVerdict{}}
}

func open(t *testing.T, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func appendRound(t *testing.T, s *Store, id string, at time.Time) {
	t.Helper()
	if err := s.Append(round(id, at), verdict(at)); err != nil {
		t.Fatal(err)
	}
}

// ids gives the rounds that can be read, and the errors met on the way.
func ids(s *Store) (rounds []string, errs []error) {
	for r, err := range s.Rounds() {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		rounds = append(rounds, fmt.Sprintf("%s:%d", r.ID, len(r.Apps)))
	}
	return rounds, errs
}

func wantIDs(t *testing.T, s *Store, want ...string) {
	t.Helper()
	got, errs := ids(s)
	if diff := cmp.Diff(want, got); diff != "" || errs != nil {
		t.Errorf("errors %v, rounds (-want +got):\n%s", errs, diff)
	}
}

// What was appended is read back, over days and over a restart.
func TestRoundsComeBack(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	want := []measurements.Round{round("a", monday), round("b", monday.Add(20*time.Minute)), round("c", monday.Add(time.Hour))}
	for _, r := range want {
		if err := s.Append(r, verdict(r.Started)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, Options{})
	var got []measurements.Round
	for r, err := range s.Rounds() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	n := 0
	for j, err := range s.Verdicts() {
		if err != nil || j.Round != want[n].ID || j.Rules != measurements.RulesVersion || !j.Verdict.Started.Equal(want[n].Started) {
			t.Errorf("verdict %d: %+v, %v", n, j, err)
		}
		n++
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*.ndjson")); n != 3 || len(files) != 4 {
		t.Errorf("%d verdicts in files %v", n, files)
	}
}

// Reading can stop at any time.
func TestReadingStops(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	appendRound(t, s, "a", monday)
	appendRound(t, s, "b", monday.Add(time.Hour))
	for range s.Rounds() {
		break
	}
	for range s.Verdicts() {
		break
	}
}

// Nobody else on the machine reads what was measured.
func TestPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits: the directory inherits its owner's")
	}
	dir := filepath.Join(t.TempDir(), "state", "telltale")
	s := open(t, dir, Options{})
	appendRound(t, s, "a", monday)
	if err := s.SaveState("x", 1); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		info, statErr := os.Stat(path)
		if statErr == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return errors.Join(err, statErr)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func addTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// Half a line is moved aside, said so, and the next round is a line of its own.
func TestTornLine(t *testing.T) {
	half := `{"half":"` + strings.Repeat("x", 200<<10) // longer than one read
	for name, when := range map[string]string{"before open": "open", "while open": "append"} {
		dir := t.TempDir()
		path := filepath.Join(dir, dayFile)
		var log bytes.Buffer
		s := open(t, dir, Options{})
		appendRound(t, s, "a", monday)
		addTo(t, path, half)
		if when == "open" {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir, Options{Log: zerolog.New(&log)})
		}
		appendRound(t, s, "b", monday.Add(time.Minute))
		wantIDs(t, s, "a:2", "b:2")
		kept, err := os.ReadFile(path + tornSuffix)
		if err != nil || string(kept) != half+"\n" {
			t.Errorf("%s: %d bytes were kept aside, %v", name, len(kept), err)
		}
		if when == "open" && !strings.Contains(log.String(), "moved aside") {
			t.Errorf("%s: nothing was said: %s", name, log.String())
		}
	}
}

// A file that is nothing but half a line is emptied.
func TestTornFirstLine(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, dayFile), []byte("\x00\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, Options{})
	appendRound(t, s, "a", monday)
	wantIDs(t, s, "a:2")
}

// A damaged line in the middle costs itself, and the error says where it is.
func TestDamagedLine(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	appendRound(t, s, "a", monday)
	addTo(t, filepath.Join(dir, dayFile), "damaged\n")
	appendRound(t, s, "b", monday)
	got, errs := ids(s)
	if diff := cmp.Diff([]string{"a:2", "b:2"}, got); diff != "" || len(errs) != 1 || !strings.Contains(errs[0].Error(), dayFile+": line 4: ") {
		t.Errorf("errors %v, rounds (-want +got):\n%s", errs, diff)
	}
}

// fullDisk takes some bytes and then no more.
type fullDisk struct {
	*os.File
	room int
}

func (d fullDisk) WriteAt(b []byte, at int64) (int, error) {
	n, err := d.File.WriteAt(b[:min(d.room, len(b))], at)
	return n, errors.Join(err, errors.New("no space left on device"))
}

// What did not fit is cut off again, so that no later line is glued to it.
func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("whole\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := writeWhole(fullDisk{f, 3}, []byte("a round\n"), 6); err == nil {
		t.Error("a write that failed was taken for a good one")
	}
	if got, _ := os.ReadFile(path); string(got) != "whole\n" {
		t.Errorf("the file holds %q", got)
	}
}

// A round that can't be written is an error, and the next one can be.
func TestAppendFails(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	path := filepath.Join(dir, dayFile)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(round("a", monday), verdict(monday)); err == nil {
		t.Error("a round was written to a directory")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	appendRound(t, s, "b", monday)
	wantIDs(t, s, "b:2")
}

// Days past the retention go, with what was moved aside; everything else stays.
func TestRetention(t *testing.T) {
	dir := t.TempDir()
	now := time.Now().UTC()
	name := func(kind string, days int, suffix string) string {
		return kind + "-" + now.AddDate(0, 0, -days).Format(time.DateOnly) + suffix
	}
	gone := []string{name("measurements", 12, ".ndjson"), name("verdicts", 12, ".ndjson"), name("measurements", 12, ".ndjson.torn")}
	stay := []string{name("measurements", 10, ".ndjson"), name("measurements", 0, ".ndjson"), "measurements-old.ndjson", "notes.txt", name("mine", 12, ".ndjson")}
	for _, f := range append(gone, stay...) {
		if err := os.WriteFile(filepath.Join(dir, f), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir, Options{Retention: 10 * 24 * time.Hour})
	for _, f := range gone {
		if _, err := os.Stat(filepath.Join(dir, f)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there", f)
		}
	}
	for _, f := range stay {
		if _, err := os.Stat(filepath.Join(dir, f)); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// Two daemons never write to one store; readers need no leave, and change nothing.
func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	appendRound(t, s, "a", monday)
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Fatalf("a second writer: %v", err)
	}
	reader := open(t, dir, Options{ReadOnly: true})
	addTo(t, filepath.Join(dir, dayFile), "being writ")
	wantIDs(t, reader, "a:2")
	if err := reader.Append(round("b", monday), verdict(monday)); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a reader appended: %v", err)
	}
	if err := reader.SaveState("x", 1); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a reader saved: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, Options{})
	if _, err := Open(filepath.Join(dir, "none"), Options{ReadOnly: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a store that is not there was read: %v", err)
	}
}

// A state comes back after a restart; none is an error that says so, and so is a damaged one.
func TestState(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	var got map[string]int
	if err := s.LoadState("ledger", &got); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no state: %v", err)
	}
	for _, want := range []int{1, 2} {
		if err := s.SaveState("ledger", map[string]int{"n": want}); err != nil {
			t.Fatal(err)
		}
		if err := s.LoadState("ledger", &got); err != nil || got["n"] != want {
			t.Errorf("got %v, %v; want %d", got, err, want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "state-ledger.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.LoadState("ledger", &got); err == nil {
		t.Error("a damaged state was loaded")
	}
	for _, name := range []string{"", "../x", "A", "a/b", "a.b"} {
		if err := s.SaveState(name, 1); err == nil {
			t.Errorf("%q was taken for a name", name)
		}
	}
}

// Writers, savers and readers don't meet in the middle of a change.
func TestConcurrentUse(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			appendRound(t, s, fmt.Sprint("r", i), monday)
			if err := s.SaveState("x", i); err != nil {
				t.Error(err)
			}
			if _, errs := ids(s); errs != nil {
				t.Error(errs)
			}
		})
	}
	all.Wait()
	if got, _ := ids(s); len(got) != 4 {
		t.Errorf("got %v", got)
	}
}

package store

import (
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
	"github.com/telltale-probe/telltale/measurements"
)

// monday is late enough in a day that a local zone would name another one.
var monday = time.Date(2026, 11, 23, 23, 30, 0, 0, time.UTC)

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
	want[1].Apps[0].Observations = append(want[1].Apps[0].Observations, page("a page of a stranger "+strings.Repeat("x", leastBlob)), page("short"))
	for _, i := range []int{2, 0, 1} {
		if err := s.Append(want[i], verdict(want[i].Started)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{false, true} {
		s = open(t, dir, Options{ReadOnly: readOnly})
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
		if n != 3 || s.Size() == 0 {
			t.Errorf("%d verdicts, %d bytes", n, s.Size())
		}
	}
	if n := count(t, s, "blobs"); n != 2 {
		t.Errorf("%d blobs, want the chain's certificate and the long page", n)
	}
}

// More rounds than are looked up at once come in their order, each once.
func TestManyRounds(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	var want []string
	for i := range 2*readAhead + 1 {
		id := fmt.Sprintf("r%03d", i)
		appendRound(t, s, id, monday.Add(time.Duration(i/3)*time.Minute)) // some begin at the same time
		want = append(want, id+":2")
	}
	wantIDs(t, s, want...)
	n := 0
	for _, err := range s.Verdicts() {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != len(want) {
		t.Errorf("%d verdicts, want %d", n, len(want))
	}
}

// A measurement that can't be written as JSON costs itself, and is told.
func TestWhatCanNotBeWritten(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	bad := round("a", monday)
	bad.Apps[0].Started = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	err := s.Keep(&Kept{Round: bad, Verdict: verdict(monday), States: map[string]any{"good": 1, "bad": func() {}}})
	if err == nil || !strings.Contains(err.Error(), "a-telegram") || !strings.Contains(err.Error(), "state bad") {
		t.Errorf("%v", err)
	}
	wantIDs(t, s, "a:1")
	var n int
	if err := s.LoadState("good", &n); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
}

// The connection that writes is set up as the acknowledgement promises.
func TestPragmas(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "auto_vacuum": "2", "user_version": "1", "application_id": fmt.Sprint(applicationID), "fullfsync": "1", "secure_delete": "2"} {
		var got string
		if err := row(s.db, "PRAGMA "+pragma, &got); err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", pragma, got, want, err)
		}
	}
}

func count(t *testing.T, s *Store, table string) (n int) {
	t.Helper()
	if err := row(s.db, "SELECT count(*) FROM "+table, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func page(body string) measurements.Observation {
	return measurements.Observation{
		Target: "web", Operation: measurements.HTTPExchange, Family: measurements.IPv4, Endpoint: "192.0.2.1:80", Started: monday,
		HTTP: &measurements.HTTP{Method: "GET", Path: "/", Status: 200, Body: []byte(body), BodyBytes: int64(len(body))},
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

// Two daemons never write to one store; readers need no leave, see what is written meanwhile, and change
// nothing.
func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	empty := open(t, dir, Options{ReadOnly: true}) // before the first round
	wantIDs(t, empty)
	s := open(t, dir, Options{})
	appendRound(t, s, "a", monday)
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Fatalf("a second writer: %v", err)
	}
	reader := open(t, dir, Options{ReadOnly: true})
	wantIDs(t, reader, "a:2")
	appendRound(t, s, "b", monday.Add(time.Minute))
	wantIDs(t, reader, "a:2", "b:2")
	for what, err := range map[string]error{
		"appended": reader.Append(round("c", monday), verdict(monday)), "saved": reader.SaveState("x", 1), "saved a key": reader.SaveKey("x", 1),
		"enqueued": reader.Enqueue(Message{Kind: "x"}), "delivered": reader.Delivered("x", 1),
	} {
		if !errors.Is(err, ErrReadOnly) {
			t.Errorf("a reader %s: %v", what, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(round("c", monday), verdict(monday)); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
	open(t, dir, Options{})
	if _, err := Open(filepath.Join(dir, "none"), Options{ReadOnly: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a store that is not there was read: %v", err)
	}
}

// A state comes back after a restart; none is an error that says so, and so is a damaged one. A file of
// the first format is read until there is a newer value.
func TestState(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	var got map[string]int
	if err := s.LoadState("ledger", &got); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no state: %v", err)
	}
	file := filepath.Join(dir, "state-ledger.json")
	if err := os.WriteFile(file, []byte(`{"n":7}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.LoadState("ledger", &got); err != nil || got["n"] != 7 {
		t.Errorf("of the first format: %v, %v", got, err)
	}
	for _, want := range []int{1, 2} {
		if err := s.SaveState("ledger", map[string]int{"n": want}); err != nil {
			t.Fatal(err)
		}
		if err := s.LoadState("ledger", &got); err != nil || got["n"] != want {
			t.Errorf("got %v, %v; want %d", got, err, want)
		}
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of the first format: %v", err)
	}
	if _, err := s.db.Exec("UPDATE state SET body = x'00'"); err != nil {
		t.Fatal(err)
	}
	if err := s.LoadState("ledger", &got); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a damaged state: %v", err)
	}
	for _, name := range []string{"", "../x", "A", "a/b", "a.b"} {
		if s.SaveState(name, 1) == nil || s.SaveKey(name, 1) == nil || s.LoadKey(name, &got) == nil {
			t.Errorf("%q was taken for a name", name)
		}
	}
}

// A key outlives the database, and is not in it.
func TestKey(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	var got string
	if err := s.LoadKey("secret", &got); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no key: %v", err)
	}
	if err := s.SaveKey("secret", "sesame"); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, "state"); n != 0 {
		t.Errorf("%d documents in the database", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, databaseName)); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir, Options{}).LoadKey("secret", &got); err != nil || got != "sesame" {
		t.Errorf("%q, %v", got, err)
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

// What stands, and what has ended, is found again with its epoch; each blocking once.
func TestOnsets(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	standing := measurements.Standing{App: "line", Target: "web", Layer: measurements.LayerTLS, Family: measurements.IPv4, Signature: measurements.TLSResetSNI, Confidence: measurements.Likely, Onset: monday, LastFailed: monday}
	for i, confidence := range []measurements.Confidence{measurements.Likely, measurements.Confirmed} {
		r, v := round(fmt.Sprint(i), monday.Add(time.Duration(i)*time.Hour)), verdict(monday)
		r.Gate.Vantage.Epoch = "home"
		standing.Confidence = confidence
		v.Standing = []measurements.Standing{standing}
		if err := s.Append(r, v); err != nil {
			t.Fatal(err)
		}
	}
	want := []Onset{{Epoch: "home", Standing: standing}}
	if got, err := s.Onsets(); err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v:\n%s", err, cmp.Diff(want, got))
	}
	r, v := round("2", monday.Add(2*time.Hour)), verdict(monday)
	r.Gate.Vantage.Epoch = "home"
	v.Ended = []measurements.Standing{standing}
	if err := s.Append(r, v); err != nil {
		t.Fatal(err)
	}
	want[0].Ended = true
	if got, err := s.Onsets(); err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v:\n%s", err, cmp.Diff(want, got))
	}
}

// Who reads while another process is making the database finds nothing yet, and no fault.
func TestReadWhileItIsMade(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, databaseName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, Options{ReadOnly: true})
	for range s.Rounds() {
		t.Error("there is nothing to read")
	}
	if n, err := s.Waiting("metrics"); n != 0 || err != nil {
		t.Errorf("%d messages: %v", n, err)
	}
}

// One round is read by its id and start.
func TestRound(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	appendRound(t, s, "a", monday)
	appendRound(t, s, "b", monday.Add(time.Hour))
	r, err := s.Round("b", monday.Add(time.Hour))
	if err != nil || r.ID != "b" || len(r.Apps) == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := s.Round("b", monday); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another start: %v", err)
	}
}

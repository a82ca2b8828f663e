package store

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
)

// archived makes the line of a measurement.
func archived(t testing.TB, round, app string, at time.Time) string {
	t.Helper()
	line, err := archivedLine(round, app, at)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func archivedLine(round, app string, at time.Time) (string, error) {
	b, err := ooni.Record(measurements.Measurement{ID: round + app, Round: round, App: app, Started: at, Runtime: measurements.Seconds(time.Second)})
	return string(b) + "\n", err
}

func recorded(t testing.TB, round string) string {
	t.Helper()
	b, err := json.Marshal(Judged{Round: round, Rules: "then", Verdict: measurements.RoundVerdict{Schema: measurements.RoundSchema}})
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}

// read gives the rounds of an archive, each as "id: apps", with a star where a verdict is known.
func rounds(t *testing.T, stdin string, paths ...string) (out []string, refused []string) {
	t.Helper()
	a, err := OpenArchive(paths, strings.NewReader(stdin), func(err error) { refused = append(refused, err.Error()) })
	if err != nil {
		t.Fatal(err)
	}
	for e := range a.Rounds() {
		text := e.Round.ID + ":"
		if e.Round.Gate.App != "" {
			text += " gate"
		}
		for i := range e.Round.Apps {
			text += " " + e.Round.Apps[i].App
		}
		if e.Recorded != nil {
			text += "*"
		}
		out = append(out, text)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	return out, refused
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// Rounds come in the order of time, put together from lines and files in any order.
func TestArchiveOrder(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	late := write("measurements-2026-11-24.ndjson", archived(t, "c", "app", noon.AddDate(0, 0, 1))+archived(t, "c", measurements.ControlApp, noon.AddDate(0, 0, 1)))
	early := write("measurements-2026-11-23.ndjson", archived(t, "b", "app", noon.Add(time.Hour))+"\n  "+archived(t, "a", "app", noon)+archived(t, "b", measurements.ControlApp, noon.Add(2*time.Hour))+archived(t, "a", "other", noon))
	write("verdicts-2026-11-23.ndjson", recorded(t, "b")+recorded(t, "gone"))
	write("verdicts-2026-11-24.ndjson.torn", "half")
	write("notes.txt", "somebody else's")
	want := []string{"a: app other", "b: gate app*", "c: gate app"}
	for name, paths := range map[string][]string{
		"files, the later one first": {late, early}, "the folder": {dir}, "both": {early, dir, late},
	} {
		if got, refused := rounds(t, "", paths...); !slices.Equal(got, want) || refused != nil {
			t.Errorf("%s: got %q, refused %q", name, got, refused)
		}
	}
	whole, err := os.ReadFile(early)
	if err != nil {
		t.Fatal(err)
	}
	if got, refused := rounds(t, string(whole)+recorded(t, "a"), "-", late); !slices.Equal(got, []string{"a: app other*", "b: gate app", "c: gate app"}) || refused != nil {
		t.Errorf("standard input: got %q, refused %q", got, refused)
	}
}

// What can't be used is told with its place, and costs nothing else.
func TestArchiveRefuses(t *testing.T) {
	a := archived(t, "a", "app", noon)
	for name, c := range map[string]struct{ text, want string }{
		"half a line":          {a[:len(a)/2] + "\n", "unexpected end"},
		"the same again":       {a, "stands twice, first in standard input: line 1"},
		"its app again":        {strings.Replace(a, `"id":"aapp"`, `"id":"x"`, 1), "round \"a\" has \"app\" twice"},
		"what is no evidence":  {"{}\n", "neither"},
		"two verdicts":         {recorded(t, "a") + recorded(t, "a"), "line 3: the verdict of round \"a\" stands twice"},
		"verdicts on too much": {strings.Replace(recorded(t, "a"), `"apps":null`, `"apps":[`+strings.Repeat("{},", 100)+`{}]`, 1), "verdict.apps has 101"},
		"a bomb":               {`{"x":[` + strings.Repeat("{},", 1<<19) + "{}]}\n", "values"},
	} {
		got, refused := rounds(t, a+c.text, "-")
		if len(got) != 1 || len(refused) != 1 || !strings.Contains(refused[0], c.want) || !strings.HasPrefix(refused[0], "standard input: line ") {
			t.Errorf("%s: got %q, refused %q", name, got, refused)
		}
	}
}

// A round whose clock was set in its middle lasts long, and no less than nothing.
func TestArchiveOfCenturies(t *testing.T) {
	a, err := OpenArchive([]string{"-"}, strings.NewReader(archived(t, "a", "app", time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC))+archived(t, "a", measurements.ControlApp, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))), func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	for e := range a.Rounds() {
		if e.Round.Runtime <= 0 {
			t.Errorf("it lasts %d", e.Round.Runtime)
		}
	}
}

// An archive's memory is that of its index: of a file of one hundred MiB next to nothing is kept.
func TestArchiveMemory(t *testing.T) {
	if UnderRace {
		t.Skip("the race detector has a memory of its own, and is slow: the run without it tells")
	}
	var file bytes.Buffer
	padding := `,"padding":"` + strings.Repeat("x", 1<<20) + `"}`
	for i := range 100 {
		line := strings.TrimSuffix(archived(t, "round"+string(rune('A'+i)), "app", noon), "}\n")
		file.WriteString(line + padding + "\n")
	}
	path := filepath.Join(t.TempDir(), "large.ndjson")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	file.Reset()
	file = bytes.Buffer{}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a, err := OpenArchive([]string{path}, nil, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	runtime.GC()
	runtime.ReadMemStats(&after)
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); a.Len() != 100 || kept > 4<<20 {
		t.Errorf("%d rounds, %d KiB kept", a.Len(), kept>>10)
	}
}

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// firstFormat writes rounds of two apps and the gate as daily files of the first format.
func firstFormat(t testing.TB, dir string, days, aDay int) (want []string) {
	t.Helper()
	for d := range days {
		at := noon.AddDate(0, 0, d)
		var evidence, verdicts strings.Builder
		for i := range aDay {
			id := fmt.Sprintf("d%02dr%02d", d, i)
			started := at.Add(time.Duration(i) * time.Minute)
			for _, app := range []string{measurements.ControlApp, "line", "telegram"} {
				evidence.WriteString(archived(t, id, app, started))
			}
			verdicts.WriteString(recorded(t, id))
			want = append(want, id+":2")
		}
		for kind, text := range map[string]string{"measurements": evidence.String(), "verdicts": verdicts.String()} {
			if err := os.WriteFile(filepath.Join(dir, kind+"-"+at.Format(time.DateOnly)+".ndjson"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return want
}

// Files of the first format are taken in once, in order, and are gone afterwards; a reader that comes
// before reads them as they are.
func TestImport(t *testing.T) {
	dir := t.TempDir()
	want := firstFormat(t, dir, 3, 50)
	if got, refused := rounds(t, "", dir); len(got) != len(want) || refused != nil {
		t.Errorf("before: %d rounds, refused %q", len(got), refused)
	}
	s, log, _ := watched(t, dir, Options{})
	wantIDs(t, s, want...)
	if n := count(t, s, "verdicts"); n != 150 {
		t.Errorf("%d verdicts", n)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*.ndjson*")); files != nil {
		t.Errorf("left: %v", files)
	}
	if !strings.Contains(log.String(), `"done":6,"file":"verdicts-2026-11-25.ndjson","lines":50,"refused":0`) {
		t.Errorf("said: %s", log)
	}
	if got, refused := rounds(t, "", dir); len(got) != len(want) || !strings.HasSuffix(got[0], "*") || refused != nil {
		t.Errorf("after: %d rounds, %v, refused %q", len(got), got[0], refused)
	}
}

// Lines that can't be read are counted and passed over; their file stays, out of the way.
func TestImportRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "measurements-2026-11-23.ndjson")
	text := archived(t, "a", "line", noon) + "rubbish\n" + archived(t, "b", "line", noon.Add(time.Minute)) + archived(t, "a", "line", noon) + `{"torn":`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, log, _ := watched(t, dir, Options{})
	wantIDs(t, s, "a:1", "b:1")
	if kept, err := os.ReadFile(path + importedSuffix); err != nil || string(kept) != text {
		t.Errorf("%d bytes of %d were kept, %v", len(kept), len(text), err)
	}
	if !strings.Contains(log.String(), `"lines":5,"refused":2`) || !strings.Contains(log.String(), `"line":2`) {
		t.Errorf("said: %s", log)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, log, _ = watched(t, dir, Options{})
	wantIDs(t, s, "a:1", "b:1")
	if strings.Contains(log.String(), "first format") {
		t.Errorf("it was taken in again: %s", log)
	}
}

// What a crash cut short is done again, and doubles nothing.
func TestImportTwice(t *testing.T) {
	dir := t.TempDir()
	want := firstFormat(t, dir, 2, 60)
	files := map[string][]byte{}
	for _, name := range glob(t, dir, "*.ndjson") {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = b
	}
	for range 2 {
		for name, b := range files {
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := open(t, dir, Options{})
		wantIDs(t, s, want...)
		if err := s.Close(); err != nil {
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

// A full disk ends the import; the files stay for the next start.
func TestImportOnFullDisk(t *testing.T) {
	dir, from := t.TempDir(), t.TempDir()
	s := open(t, dir, Options{})
	firstFormat(t, from, 1, 200)
	if _, err := s.db.Exec("PRAGMA max_page_count = 40"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "measurements-2026-11-23.ndjson")
	if err := os.Rename(filepath.Join(from, filepath.Base(file)), file); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.importLines()
	s.mu.Unlock()
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, Options{})
	if got, errs := ids(s); len(got) != 200 || errs != nil {
		t.Errorf("%d rounds, %v", len(got), errs)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// Whatever the lines are, they are taken in or counted, and what was taken in can be read.
func FuzzImport(f *testing.F) {
	good, err := archivedLine("a", "line", noon)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(good))
	f.Add([]byte(good + good + "\n\n" + strings.Replace(good, `"aline"`, `"other"`, 1)))
	f.Add([]byte(`{"round":"a","rules":"then","verdict":{"schema":"telltale/round/v1","started":"2026-11-23T08:00:00Z"}}`))
	f.Add([]byte(`{"round":"a","verdict":{}}` + "\n" + good[:len(good)/2]))
	f.Add([]byte(strings.ReplaceAll(good, "2026", "0001") + "\x00\xff"))
	s, err := Open(f.TempDir(), Options{})
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.db.Exec("PRAGMA synchronous = off"); err != nil { // nobody pulls the plug on a fuzzer
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s.mu.Lock()
		lines, refused, err := s.importFrom(strings.NewReader(string(text)), map[string]int64{})
		s.mu.Unlock()
		if err != nil || refused > lines {
			t.Fatalf("%d lines, %d refused, %v", lines, refused, err)
		}
		kept := 0
		for r, err := range s.Rounds() {
			if err != nil {
				t.Errorf("a round: %v", err)
			}
			if kept += len(r.Apps); r.Gate.App != "" {
				kept++
			}
		}
		for _, err := range s.Verdicts() {
			if err != nil {
				t.Errorf("a verdict: %v", err)
			}
			kept++
		}
		if kept > lines-refused {
			t.Errorf("%d of %d lines became %d", lines-refused, lines, kept)
		}
		for _, table := range []string{"measurements", "verdicts", "blobs", "uses"} {
			if _, err := s.db.Exec("DELETE FROM " + table); err != nil {
				t.Fatal(err)
			}
		}
	})
}

package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// A database is evidence like files: in the order of time, with what was said, also while a daemon writes
// to it, of which an archive sees nothing.
func TestArchiveOfDatabase(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	appendRound(t, s, "b", monday.Add(time.Minute))
	appendRound(t, s, "a", monday)
	a, err := OpenArchive([]string{dir}, nil, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	appendRound(t, s, "c", monday.Add(time.Hour))
	if _, err := s.db.Exec("DELETE FROM measurements WHERE round = 'b'"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for e := range a.Rounds() {
		got = append(got, fmt.Sprintf("%s %d %s %v %d", e.Round.ID, len(e.Round.Apps), e.Round.Gate.App, e.Recorded != nil, len(e.Round.Apps[0].Observations[0].TLS.Chain)))
	}
	if want := []string{"a 2 control true 1", "b 2 control true 1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got, refused := rounds(t, "", filepath.Join(dir, databaseName)); !slices.Equal(got, []string{"a: gate telegram line*", "c: gate telegram line*"}) || refused != nil {
		t.Errorf("got %q, refused %q", got, refused)
	}
}

// One in a folder that can't be written to, or that was copied from somewhere, is read as it is.
func TestArchiveOfCopy(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	s := open(t, from, Options{})
	appendRound(t, s, "a", monday)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(s.path())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(to, "a name with ? and # and %41.db")
	if runtime.GOOS == "windows" {
		path = filepath.Join(to, "a name with # and %41.db")
	}
	if err := os.WriteFile(path, b, 0o400); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(to, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(to, 0o700) })
	if got, refused := rounds(t, "", path); len(got) != 1 || refused != nil {
		t.Errorf("got %q, refused %q", got, refused)
	}
	db, err := openReadable(path, "immutable", "1")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// A stranger's database can tell lies, and nothing worse: each row that can't be used is told with its
// place, and costs nothing else.
func TestArchiveOfHostileDatabase(t *testing.T) {
	bomb := newPacker().pack(make([]byte, 40<<20))
	for name, test := range map[string]struct {
		sql  string
		args []any
		want string // "" where the whole file is refused
	}{
		"half a body":               {"UPDATE measurements SET body = substr(body, 1, 40) WHERE id = 'a-line'", nil, "row 3 of measurements: unexpected EOF"},
		"a bit that changed":        {"UPDATE measurements SET body = CAST(substr(body, 1, 60) || x'ff' || substr(body, 62) AS BLOB) WHERE id = 'a-line'", nil, "row 3 of measurements: "},
		"no body":                   {"UPDATE measurements SET body = '' WHERE id = 'a-line'", nil, "row 3 of measurements: EOF"},
		"a bomb":                    {"UPDATE measurements SET body = ? WHERE id = 'a-line'", []any{bomb}, "row 3 of measurements: more than"},
		"a body of another row":     {"UPDATE measurements SET body = (SELECT body FROM measurements WHERE id = 'a-control') WHERE id = 'a-line'", nil, "another than its row's"},
		"a certificate too many":    {"DELETE FROM blobs", nil, "blob 1: sql: no rows"},
		"another certificate":       {"UPDATE blobs SET body = ?", []any{newPacker().pack([]byte("another"))}, "SHA-256"},
		"a certificate of a bomb":   {"UPDATE blobs SET body = ?", []any{bomb}, "blob 1: more than"},
		"an observation too many":   {"UPDATE measurements SET body = ? WHERE id = 'a-line'", []any{newPacker().pack([]byte(`{"id":"a-line","round":"a","app":"line","started":"2026-11-23T08:00:00Z","targets":[],"observations":[],"blobs":[{"o":0,"chain":[1]}]}`))}, "no observation 0"},
		"words that are none":       {"UPDATE measurements SET body = ? WHERE id = 'a-line'", []any{newPacker().pack([]byte(`{"id":"a-line","round":"a","app":""}`))}, "app is empty"},
		"a round's name is a novel": {"UPDATE measurements SET round = ? WHERE id = 'a-line'", []any{strings.Repeat("x", 1000)}, "more than 256 bytes"},
		"a verdict that is none":    {"UPDATE verdicts SET body = ?", []any{newPacker().pack([]byte("{"))}, "row 1 of verdicts: unexpected end"},
		"a time that is a word":     {"UPDATE measurements SET started = 'noon' WHERE id = 'a-line'", nil, "only a part of its measurements can be read"},
		"a view":                    {"DROP TABLE measurements; CREATE VIEW measurements AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i AS id FROM n", nil, ""},
		"somebody else's":           {"PRAGMA application_id = 1", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, Options{})
			appendRound(t, s, "a", monday)
			if _, err := s.db.Exec(test.sql, test.args...); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			var refused []string
			a, err := OpenArchive([]string{dir}, nil, func(err error) { refused = append(refused, err.Error()) })
			if test.want == "" {
				if err == nil || !strings.Contains(err.Error(), errForeign.Error()) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = a.Close() }()
			n := 0
			for range a.Rounds() {
				n++
			}
			if n != 1 && !strings.Contains(name, "certificate") || len(refused) == 0 || !strings.Contains(refused[0], test.want) || !strings.HasPrefix(refused[0], filepath.Join(dir, databaseName)+": ") {
				t.Errorf("%d rounds, refused %q", n, refused)
			}
		})
	}
}

// A database that was set aside is read as far as it goes; a copy of its first half is, too, if SQLite
// takes it for one.
func TestArchiveOfDamagedDatabase(t *testing.T) {
	dir, good := filled(t, 40)
	path := filepath.Join(dir, databaseName)
	bad := bytes.Clone(good)
	pages := bad[len(bad)/2/4096*4096:]
	copy(pages, bytes.Repeat([]byte{0xa5}, len(pages)/2))
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	var refused []error
	a, err := OpenArchive([]string{path}, nil, func(err error) { refused = append(refused, err) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	n := 0
	for range a.Rounds() {
		n++
	}
	if n == 0 || n >= 40 || len(refused) == 0 {
		t.Errorf("%d rounds of 40, refused %v", n, refused)
	}
}

// An archive of a database keeps an index in memory, not the rounds.
func TestArchiveOfDatabaseMemory(t *testing.T) {
	if UnderRace {
		t.Skip("the race detector has a memory of its own, and is slow: the run without it tells")
	}
	dir := t.TempDir()
	s := open(t, dir, Options{})
	for i := range 40 {
		keep(t, s, rich(fmt.Sprint("r", i), monday.Add(time.Duration(i)*time.Minute), 1<<20))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	a, err := OpenArchive([]string{dir}, nil, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	n := 0
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range a.Rounds() {
		n++
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); n != 40 || kept > 2*maxHeld {
		t.Errorf("%d rounds, %d KiB kept", n, kept>>10)
	}
}

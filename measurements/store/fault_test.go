package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// watched opens a store whose log and troubles can be looked at.
func watched(t *testing.T, dir string, o Options) (s *Store, log *bytes.Buffer, troubles map[string]int) {
	t.Helper()
	log, troubles = &bytes.Buffer{}, map[string]int{}
	o.Log, o.Trouble = zerolog.New(log), func(kind string) { troubles[kind]++ }
	return open(t, dir, o), log, troubles
}

// filled makes a store of some rounds with a state and a message, closed, and gives the database's bytes.
func filled(t *testing.T, rounds int) (dir string, database []byte) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, dir, Options{})
	for i := range rounds {
		err := s.Keep(&Kept{
			Round: round(fmt.Sprint("r", i), monday.Add(time.Duration(i)*time.Minute)), Verdict: verdict(monday),
			States: map[string]any{"history": i}, Outbox: []Message{{Kind: "mail", Body: []byte(fmt.Sprint(i))}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, databaseName))
	if err != nil {
		t.Fatal(err)
	}
	return dir, b
}

func asideFiles(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, databaseName+corruptInfix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, filepath.Base(f))
	}
	return names
}

// A database that is damaged is set aside as it is, told of, and another one begun: whenever it shows.
func TestCorrupt(t *testing.T) {
	_, good := filled(t, 20)
	garbage := func(n int) []byte {
		b := make([]byte, n)
		_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
		return b
	}
	for name, bad := range map[string][]byte{
		"no database at all":     []byte(strings.Repeat("no database at all. ", 500)),
		"a header of garbage":    append(garbage(100), good[100:]...),
		"the first page garbage": append(append([]byte{}, good[:100]...), append(garbage(3996), good[4096:]...)...),
		"half of it":             good[:len(good)/2],
		"a page and a half":      good[:6000],
		"garbage behind page 1":  append(append([]byte{}, good[:4096]...), garbage(len(good)-4096)...),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, databaseName)
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			s, log, troubles := watched(t, dir, Options{})
			appendRound(t, s, "new", monday.Add(time.Hour))
			wantIDs(t, s, "new:2")
			aside := asideFiles(t, dir)
			if len(aside) != 1 || troubles[Corrupt] == 0 || !strings.Contains(log.String(), aside[0]) {
				t.Fatalf("aside %v, troubles %v, log: %s", aside, troubles, log)
			}
			if kept, err := os.ReadFile(filepath.Join(dir, aside[0])); err != nil || !bytes.Equal(kept, bad) {
				t.Errorf("%d bytes were kept aside, of %d (%v)", len(kept), len(bad), err)
			}
		})
	}
}

// Damage behind a good header shows while the daemon runs, and costs no round that comes after.
func TestCorruptLater(t *testing.T) {
	dir, good := filled(t, 20)
	s, log, troubles := watched(t, dir, Options{})
	f, err := os.OpenFile(filepath.Join(dir, databaseName), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	// All but the first page, whose change would be seen as another process's.
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, len(good)-4096), 4096); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Close(), s.closeDatabase()); err != nil { // its cache has good pages still
		t.Fatal(err)
	}
	for i := range 3 {
		appendRound(t, s, fmt.Sprint("new", i), monday.Add(time.Hour))
	}
	wantIDs(t, s, "new0:2", "new1:2", "new2:2")
	if len(asideFiles(t, dir)) != 1 || troubles[Corrupt] != 1 || !strings.Contains(log.String(), "set aside") {
		t.Errorf("aside %v, troubles %v, log: %s", asideFiles(t, dir), troubles, log)
	}
}

// Whatever page is damaged, the store opens or begins anew, takes rounds and is readable afterwards.
func TestRandomPages(t *testing.T) {
	_, good := filled(t, 40)
	random := rand.New(rand.NewPCG(7, 7))
	asides, times := 0, 20
	if Exhaustive() {
		times = 60
	}
	for i := range times {
		dir := t.TempDir()
		bad := bytes.Clone(good)
		for range 1 + random.IntN(3) {
			at := random.IntN(len(bad))
			for j := at; j < min(at+1+random.IntN(4096), len(bad)); j++ {
				bad[j] = byte(random.Uint32())
			}
		}
		if err := os.WriteFile(filepath.Join(dir, databaseName), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir, Options{})
		if errors.Is(err, ErrNewer) {
			continue // the version number itself was hit: who is asked is the human
		}
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		for j := range 3 {
			if err := s.Append(round(fmt.Sprint("new", j), monday.Add(time.Hour)), verdict(monday)); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
		if _, errs := ids(s); len(errs) > 0 { // what was hit is told; the next round begins anew if it was the structure
			if err := s.Append(round("last", monday.Add(2*time.Hour)), verdict(monday)); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
		if got, errs := ids(s); len(got) == 0 || got[len(got)-1] != "new2:2" && got[len(got)-1] != "last:2" {
			t.Errorf("%d: %v, %v", i, got, errs)
		}
		asides += len(asideFiles(t, dir))
		if err := s.Close(); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if asides == 0 {
		t.Error("no damage was seen")
	}
}

// What must be remembered and what was not delivered yet is taken over from a damaged database.
func TestSalvage(t *testing.T) {
	dir, _ := filled(t, 5)
	s, log, _ := watched(t, dir, Options{})
	if err := s.setAside(errDamaged); err != nil {
		t.Fatal(err)
	}
	appendRound(t, s, "new", monday)
	var n int
	if err := s.LoadState("history", &n); err != nil || n != 4 {
		t.Errorf("the state is %d, %v: %s", n, err, log)
	}
	messages, err := s.Next("mail", 10)
	if err != nil || len(messages) != 5 || messages[4].Seq != messages[0].Seq+4 || string(messages[4].Body) != "4" {
		t.Errorf("%v, %v", messages, err)
	}
	if err := s.Enqueue(Message{Kind: "mail"}); err != nil {
		t.Fatal(err)
	}
	if messages, _ = s.Next("mail", 10); messages[5].Seq <= messages[4].Seq {
		t.Errorf("a number was given twice: %v", messages[5])
	}
	last := messages[5].Seq
	if err := s.Delivered("mail", last); err != nil {
		t.Fatal(err)
	}
	if err := s.setAside(errDamaged); err != nil {
		t.Fatal(err)
	}
	if err := s.Enqueue(Message{Kind: "mail"}); err != nil {
		t.Fatal(err)
	}
	if messages, _ = s.Next("mail", 10); len(messages) != 1 || messages[0].Seq <= last {
		t.Errorf("a number was given twice: %v, after %d", messages, last)
	}
}

// A log that is none costs itself; one that breaks off in its middle costs what comes after.
func TestDamagedLog(t *testing.T) {
	crashed := func(t *testing.T) (dir string, log []byte) {
		dir, from := t.TempDir(), t.TempDir()
		s := open(t, from, Options{})
		for i := range 5 {
			appendRound(t, s, fmt.Sprint("r", i), monday.Add(time.Duration(i)*time.Minute))
			if i == 1 {
				if _, err := s.db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, suffix := range []string{"", "-wal"} {
			b, err := os.ReadFile(s.path() + suffix)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, databaseName)+suffix, b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			log = b
		}
		return dir, log
	}
	t.Run("whole", func(t *testing.T) {
		dir, _ := crashed(t)
		wantIDs(t, open(t, dir, Options{}), "r0:2", "r1:2", "r2:2", "r3:2", "r4:2")
	})
	for name, damage := range map[string]func([]byte) []byte{
		"garbage":          func(b []byte) []byte { return bytes.Repeat([]byte{0x5a}, len(b)) },
		"a wrong checksum": func(b []byte) []byte { b[13]++; return b },
		"a few bytes":      func([]byte) []byte { return []byte("log") },
	} {
		t.Run(name, func(t *testing.T) {
			dir, b := crashed(t)
			if err := os.WriteFile(filepath.Join(dir, databaseName+"-wal"), damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			s, log, troubles := watched(t, dir, Options{})
			appendRound(t, s, "new", monday.Add(time.Hour))
			wantIDs(t, s, "r0:2", "r1:2", "new:2")
			if aside := asideFiles(t, dir); len(aside) != 1 || !strings.HasSuffix(aside[0], "-wal") || troubles[Corrupt] != 1 || !strings.Contains(log.String(), aside[0]) {
				t.Errorf("aside %v, troubles %v, log: %s", aside, troubles, log)
			}
		})
	}
	t.Run("broken off", func(t *testing.T) {
		dir, b := crashed(t)
		copy(b[len(b)*2/3:], bytes.Repeat([]byte{0x5a}, len(b)))
		if err := os.WriteFile(filepath.Join(dir, databaseName+"-wal"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir, Options{})
		appendRound(t, s, "new", monday.Add(time.Hour))
		got, errs := ids(s)
		if errs != nil || len(got) < 3 || len(got) > 5 || got[len(got)-1] != "new:2" {
			t.Errorf("%v, %v", got, errs)
		}
	})
}

// At most three damaged databases are kept, and no more bytes than the database may have; the newest
// always is.
func TestSetAsideIsBounded(t *testing.T) {
	for name, test := range map[string]struct {
		most int64
		want int
	}{"three": {0, mostAside}, "two": {25000, 2}, "the newest": {1, 1}} {
		dir := t.TempDir()
		for i := range 5 {
			b := bytes.Repeat([]byte{byte('0' + i)}, 10000)
			if err := os.WriteFile(filepath.Join(dir, databaseName), b, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := open(t, dir, Options{MaxSize: test.most}).Close(); err != nil {
				t.Fatal(err)
			}
		}
		files := asideFiles(t, dir)
		if len(files) != test.want {
			t.Fatalf("%s: %v", name, files)
		}
		for i, f := range files {
			b, err := os.ReadFile(filepath.Join(dir, f))
			if err != nil || len(b) == 0 || b[0] != byte('5'-len(files)+i) {
				t.Errorf("%s: %s is not one of the newest: %.1q, %v", name, f, b, err)
			}
		}
	}
}

// A database of a newer version is refused and left as it is, by writers and readers.
func TestNewer(t *testing.T) {
	dir, _ := filled(t, 1)
	s := open(t, dir, Options{})
	if _, err := s.db.Exec(fmt.Sprintf("PRAGMA user_version = %d", len(migrations)+1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{false, true} {
		if _, err := Open(dir, Options{ReadOnly: readOnly}); !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "version 2") {
			t.Errorf("read only %v: %v", readOnly, err)
		}
	}
	if _, err := OpenArchive([]string{dir}, nil, nil); !errors.Is(err, ErrNewer) {
		t.Errorf("an archive: %v", err)
	}
	if files := asideFiles(t, dir); files != nil {
		t.Errorf("it was set aside: %v", files)
	}
}

// Each step of the schema is made once, whole, and in its order; one that fails leaves the one before.
func TestMigrate(t *testing.T) {
	dir, _ := filled(t, 2)
	path := filepath.Join(dir, databaseName)
	db, err := openSQLite(path, pragmas)
	if err != nil {
		t.Fatal(err)
	}
	steps := append(migrations[:len(migrations):len(migrations)], "ALTER TABLE verdicts ADD COLUMN more TEXT NOT NULL DEFAULT 'x'", "CREATE TABLE half (a); SELECT nothing FROM nowhere")
	if err := migrate(db, steps); err == nil {
		t.Error("a step that fails was made")
	}
	var version, half int
	var more string
	if err := errors.Join(row(db, "PRAGMA user_version", &version), row(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'", &half), row(db, "SELECT more FROM verdicts LIMIT 1", &more)); err != nil || version != 2 || half != 0 || more != "x" {
		t.Errorf("version %d, %d half tables, %q, %v", version, half, more, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// A disk that is full costs the rounds that it has no room for. SQLite says SQLITE_FULL at a bound of
// pages exactly as at the end of a disk.
func TestFull(t *testing.T) {
	dir, _ := filled(t, 3)
	s, _, troubles := watched(t, dir, Options{})
	var pages int
	if err := row(s.db, "PRAGMA page_count", &pages); err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
		t.Fatal(err)
	}
	big := round("big", monday.Add(time.Hour))
	big.Apps[0].Observations[0].TLS.Chain = [][]byte{randomBytes(100_000)}
	for range 2 {
		if err := s.Append(big, verdict(monday)); err == nil || troubleOf(err) != Full {
			t.Errorf("%v", err)
		}
	}
	if troubles[Full] != 2 || len(troubles) != 1 {
		t.Errorf("troubles: %v", troubles)
	}
	wantIDs(t, s, "r0:2", "r1:2", "r2:2")
	if _, err := s.db.Exec("PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(big, verdict(monday)); err != nil {
		t.Error(err)
	}
	wantIDs(t, s, "r0:2", "r1:2", "r2:2", "big:2")
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(b)
	return b
}

// A store that may not be written to is an error at the start, and none of the daemon's while it runs.
func TestReadOnlyFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits")
	}
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere; TestFullDisk, which needs root, mounts one read-only")
	}
	dir, _ := filled(t, 1)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	if err := os.Remove(filepath.Join(dir, "lock")); err == nil {
		t.Fatal("the folder can be written to")
	}
	wantIDs(t, open(t, dir, Options{ReadOnly: true}), "r0:2")
	if _, err := Open(filepath.Join(dir, "new"), Options{}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v", err)
	}
}

// Who deletes the database while the daemon runs loses what was in it, and nothing that comes after.
func TestDeletedWhileOpen(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not let go of an open file")
	}
	dir, _ := filled(t, 1)
	s, log, _ := watched(t, dir, Options{})
	for _, suffix := range neighbours {
		if err := os.Remove(s.path() + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	appendRound(t, s, "new", monday)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, open(t, dir, Options{}), "new:2")
	if !strings.Contains(log.String(), "taken away") {
		t.Errorf("nothing was said: %s", log)
	}
}

package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// disk mounts a small disk of its own.
func disk(t *testing.T, size string) (dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("a disk of its own takes root to mount")
	}
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
		t.Skip("no disk of its own can be mounted here:", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// large is a round that takes a hundred kilobytes.
func large(i int) measurements.Round {
	r := round(fmt.Sprint("large", i), monday.Add(time.Duration(i)*time.Minute))
	der := randomBytes(100_000)
	copy(der, r.ID)
	r.Apps[0].Observations[0].TLS.Chain = [][]byte{der}
	return r
}

// A disk that is full, or not to be written to, costs the rounds of that time: what was kept before can be
// read, also by a start on the full disk, and the next round that has room is kept.
func TestFullDisk(t *testing.T) {
	dir := disk(t, "3m")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _, troubles := watched(t, dir, Options{})
	if err := s.SaveState("history", 7); err != nil {
		t.Fatal(err)
	}
	var want []string
	next := 0
	untilFull := func() {
		t.Helper()
		for begin := next; ; next++ {
			err := s.Append(large(next), verdict(monday))
			if err != nil {
				if troubleOf(err) != Full {
					t.Fatal(err)
				}
				return
			}
			if want = append(want, fmt.Sprintf("large%d:2", next)); next > begin+100 {
				t.Fatal("the disk is never full")
			}
		}
	}
	untilFull()
	if troubles[Full] == 0 || len(want) < 4 {
		t.Fatalf("%d rounds, troubles %v", len(want), troubles)
	}
	wantIDs(t, s, want...)

	fill(t, filepath.Join(dir, "more"))
	untilFull() // the log may have had some room of its own
	if err := s.Close(); err != nil {
		t.Log(err) // the log could not be written into the database, and stays beside it
	}
	s, log, troubles := watched(t, dir, Options{})
	var n int
	if err := s.LoadState("history", &n); err != nil || n != 7 {
		t.Errorf("the state is %d, %v: %s", n, err, log)
	}
	untilFull()
	if troubles[Full] == 0 {
		t.Errorf("troubles %v", troubles)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	appendRound(t, s, "zz", monday.Add(time.Hour))
	wantIDs(t, s, append(want, "zz:2")...)
	if files := asideFiles(t, dir); files != nil {
		t.Errorf("set aside: %v", files)
	}
}

// fill writes until there is no room for a byte.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 16; size > 0; {
		if _, err = f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	_ = f.Close()
}

// The kernel makes a failing disk one that can't be written to. A daemon that runs goes on; one that is
// started says what is wrong.
func TestReadOnlyDisk(t *testing.T) {
	dir := disk(t, "4m")
	s, _, troubles := watched(t, dir, Options{})
	appendRound(t, s, "a", monday)
	if err := s.Close(); err != nil { // a writer's open file holds the remount up
		t.Fatal(err)
	}
	remount := func(flags uintptr) {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, "size=4m"); err != nil {
			t.Skip("it can't be remounted here:", err)
		}
	}
	remount(syscall.MS_RDONLY)
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("%v", err)
	}
	s.closed = false
	if err := s.Append(round("b", monday), verdict(monday)); err == nil || len(troubles) == 0 {
		t.Errorf("%v, troubles %v", err, troubles)
	}
	wantIDs(t, open(t, dir, Options{ReadOnly: true}), "a:2")
	remount(0)
	appendRound(t, s, "c", monday.Add(time.Minute))
	wantIDs(t, s, "a:2", "c:2")
}

// A start on a disk that has been full since the last stop knows what was remembered.
func TestStartOnFullDisk(t *testing.T) {
	dir := disk(t, "3m")
	s := open(t, dir, Options{})
	if err := s.Keep(&Kept{Round: round("a", monday), Verdict: verdict(monday), States: map[string]any{"history": 7}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	more := filepath.Join(dir, "more")
	fill(t, more)
	s, log, troubles := watched(t, dir, Options{})
	var n int
	if err := s.LoadState("history", &n); err != nil || n != 7 {
		t.Errorf("the state is %d, %v: %s", n, err, log)
	}
	if err := s.Append(round("b", monday), verdict(monday)); err == nil || troubles[Full] == 0 {
		t.Errorf("%v, troubles %v", err, troubles)
	}
	if err := os.Remove(more); err != nil {
		t.Fatal(err)
	}
	appendRound(t, s, "c", monday.Add(time.Minute))
	wantIDs(t, s, "a:2", "c:2")
}

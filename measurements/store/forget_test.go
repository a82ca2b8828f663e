package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Forget takes messages of the kinds and the documents away, files of the first format too, and nothing else.
func TestForget(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Enqueue(Message{Kind: "a", Body: []byte("1")}, Message{Kind: "b", Body: []byte("2")}))
	must(s.SaveState("gone", 1))
	must(s.SaveState("kept", 2))
	must(s.SaveKey("key", 3))
	must(os.WriteFile(filepath.Join(dir, "state-old.json"), []byte("4"), 0o600))
	must(s.Forget([]string{"a", "never"}, []string{"gone", "old", "never"}))
	for kind, want := range map[string]int{"a": 0, "b": 1} {
		if n, err := s.Waiting(kind); n != want || err != nil {
			t.Errorf("%d messages of %s: %v", n, kind, err)
		}
	}
	var v int
	for _, name := range []string{"gone", "old"} {
		if err := s.LoadState(name, &v); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there: %d, %v", name, v, err)
		}
	}
	if err := errors.Join(s.LoadState("kept", &v), s.LoadKey("key", &v)); err != nil {
		t.Error(err)
	}
	must(s.Close())
	if err := s.Forget([]string{"b"}, nil); err == nil {
		t.Error("forgot in a closed store")
	}
}

package main

import (
	"bytes"
	"testing"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/measurements/store"
)

// The key of the networks' names lives over restarts; one that can't be read, or is too short to be a
// secret, is made anew.
func TestEpochKeyIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := func(damage any) []byte {
		t.Helper()
		s, err := store.Open(dir, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		if damage != nil {
			if err := s.SaveKey(stateEpoch, damage); err != nil {
				t.Fatal(err)
			}
		}
		d := &daemon{log: zerolog.Nop(), store: s}
		made := d.epochKey()
		if stored, err := storedEpochKey(s); err != nil || !bytes.Equal(stored, made) {
			t.Errorf("stored %x, %v; in use %x", stored, err, made)
		}
		return made
	}
	first := key(nil)
	if len(first) != epochKeyLength || !bytes.Equal(first, key(nil)) {
		t.Error("another key after a restart")
	}
	for _, damage := range []any{"no base64", []byte{1, 2, 3}} {
		if again := key(damage); len(again) != epochKeyLength || bytes.Equal(again, first) {
			t.Errorf("after %v: %x", damage, again)
		}
	}
}

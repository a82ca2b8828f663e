//go:build linux

package store

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// What root makes in the store of another user is that user's: files beside a database that is open, too.
func TestKernelStoreKeepsItsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("TELLTALE_KERNEL_TESTS") == "require" {
			t.Fatal("it takes root")
		}
		t.Skip("it takes root")
	}
	const owner = 61234 // of those that systemd gives to services (systemd.exec, DynamicUser=)
	dir := filepath.Join(t.TempDir(), "store")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, owner, owner)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := errors.Join(s.SaveKey("instance", "a"), s.SaveKey("instance", "b"), s.SaveState("history", 1)); err != nil {
		t.Fatal(err)
	}
	// Whoever the directory is of can lay a link where root writes next.
	victim := filepath.Join(t.TempDir(), "root's")
	if err := errors.Join(os.WriteFile(victim, []byte("as it was"), 0o600), os.Symlink(victim, filepath.Join(dir, "state-instance.json.new")), s.SaveKey("instance", "c")); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(victim); string(b) != "as it was" {
		t.Errorf("root wrote through a link: %q, %v", b, err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 5 {
		t.Errorf("%v: %v; want a database with two files beside it, a key and a lock", files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if of := info.Sys().(*syscall.Stat_t); of.Uid != owner || of.Gid != owner || info.Mode().Perm() != 0o600 {
			t.Errorf("%s is of %d:%d, %v", f.Name(), of.Uid, of.Gid, info.Mode())
		}
	}
}

//go:build unix && !aix && !solaris

package store

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Whoever the directory is of can lay a link where the lock is: root would make the file behind it his.
func TestTheLockIsNoLink(t *testing.T) {
	const owner = 61234 // of those that systemd gives to services (systemd.exec, DynamicUser=)
	for name, link := range map[string]func(from, to string) error{"symbolic": os.Symlink, "hard": os.Link} {
		root := os.Geteuid() == 0
		if name == "hard" && !root {
			continue // who is not root gives nothing away
		}
		parent := t.TempDir()
		dir, victim := filepath.Join(parent, "store"), filepath.Join(parent, "root's")
		err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(victim, nil, 0o600), link(victim, filepath.Join(dir, "lock")))
		if root {
			err = errors.Join(err, os.Chown(dir, owner, owner))
		}
		if err != nil {
			t.Fatal(err)
		}
		if s, err := Open(dir, Options{}); err == nil {
			t.Errorf("%s: a link is taken for the lock", name)
			_ = s.Close()
		}
		info, err := os.Stat(victim)
		if err != nil {
			t.Fatal(err)
		}
		if of := info.Sys().(*syscall.Stat_t); int(of.Uid) != os.Geteuid() {
			t.Errorf("%s: the file behind it was given to %d", name, of.Uid)
		}
	}
}

// A child that was just started has a copy of the lock's descriptor until it runs its program: Close does
// not wait for that.
func TestCloseUnlocksBesideACopy(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	held, err := syscall.Dup(int(s.lock.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(held) }()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

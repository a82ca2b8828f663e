//go:build unix && !aix && !solaris

package store

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes a lock that the kernel gives back when the process ends, however it ends. A file
// that is merely there, as O_EXCL makes one, would outlive a crash.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600) // never through another's link
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, err
	}
	return f, nil
}

// unlockFile gives the lock back at once. To close the file is not enough: the lock is the open file's, and
// a child that was just started has a copy of it until it runs its program (flock(2)).
func unlockFile(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}

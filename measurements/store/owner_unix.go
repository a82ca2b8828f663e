//go:build unix && !aix && !solaris

package store

import (
	"os"
	"syscall"
)

// giveAway gives a file that root has just made to the owner of the directory: a service has a user of its
// own, and could not read what 'sudo telltale consent --new-id' leaves behind. SQLite does the same for what
// it makes beside a database (sqlite3.c, robustFchown). Others than root own what they make.
func giveAway(f *os.File, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}

//go:build unix && !aix && !solaris

package store

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// errElsewhere is what giveAway says of a file that stands somewhere else, too.
var errElsewhere = errors.New("the file has another name as well, and may be somebody else's")

// giveAway gives a file that root has just made to the owner of the directory: a service has a user of its
// own, and could not read what 'sudo telltale consent --new-id' leaves behind. SQLite does the same for what
// it makes beside a database (sqlite3.c, robustFchown). Others than root own what they make.
//
// It fails for a file with a further name: the directory's owner may have laid a link to one of root's there.
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
	if info, err = f.Stat(); err != nil {
		return err
	}
	if of, ok := info.Sys().(*syscall.Stat_t); !ok || !info.Mode().IsRegular() || of.Nlink != 1 {
		return fmt.Errorf("%s: %w", f.Name(), errElsewhere)
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}

package store

import (
	"errors"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// errDamaged says that a database was found damaged by other means than SQLite's.
var errDamaged = errors.New("damaged")

// The kinds of trouble that a store has, as metrics count them.
const (
	Full    = "full"    // the disk is
	Corrupt = "corrupt" // the database was damaged, and set aside
	IO      = "io"      // the disk did not do as it was told
	Other   = "other"   // permissions, mostly
)

// Troubles lists them all.
var Troubles = []string{Full, Corrupt, IO, Other}

// troubleOf names an error's kind.
func troubleOf(err error) string {
	switch codeOf(err) {
	case sqlite3.SQLITE_FULL:
		return Full
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return Corrupt
	case sqlite3.SQLITE_IOERR:
		if extended(err) == sqlite3.SQLITE_IOERR_SHMSIZE { // no room for the log's index
			return Full
		}
		return IO
	}
	switch {
	case errors.Is(err, errForeign), errors.Is(err, errDamaged):
		return Corrupt
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return Full
	case errors.Is(err, syscall.EIO):
		return IO
	}
	return Other
}

// codeOf gives SQLite's primary result code; 0 where the error is none of SQLite's.
func codeOf(err error) int { return extended(err) & 0xff }

func extended(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

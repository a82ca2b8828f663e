package store

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// checkLog looks at the log before SQLite does. One that is none is set aside alone: the database holds
// what was written before the last checkpoint, if a look at all of it finds it whole.
func (s *Store) checkLog() error {
	good, err := goodLog(s.path() + "-wal")
	if err != nil || good {
		return err
	}
	to := s.asideName() + "-wal"
	if err := os.Rename(s.path()+"-wal", to); err != nil {
		return err
	}
	if s.options.Trouble != nil {
		s.options.Trouble(Corrupt)
	}
	s.options.Log.Error().Str("kept_as", filepath.Base(to)).Msg("the database's log is damaged: it is set aside, and the last rounds may be lost")
	s.trimAside()
	if err := os.Remove(s.path() + "-shm"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(s.path()); err != nil {
		return nil //nolint:nilerr // then there is nothing to check, or openToWrite says what is wrong
	}
	db, err := openSQLite(s.path(), readPragmas, "mode", "ro", "immutable", "1")
	if err != nil {
		return err
	}
	return errors.Join(quickCheck(db), db.Close())
}

// quickCheck reads the whole database and says whether its structure holds.
func quickCheck(db *sql.DB) error {
	var said string
	if err := row(db, "PRAGMA quick_check(1)", &said); err != nil {
		return err
	}
	if said != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, said)
	}
	return nil
}

// goodLog says whether a write-ahead log begins as one (sqlite.org/fileformat2.html#walformat): with its
// magic number and a header whose checksum is right. SQLite takes another for an empty one and writes over it.
func goodLog(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	var header [32]byte
	if info, err := f.Stat(); err != nil || info.Size() == 0 {
		return err == nil, err
	}
	if _, err := f.ReadAt(header[:], 0); err != nil {
		return false, nil //nolint:nilerr // shorter than its header: whatever it is, no log
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch binary.BigEndian.Uint32(header[:]) {
	case 0x377f0682:
	case 0x377f0683:
		order = binary.BigEndian
	default:
		return false, nil
	}
	var a, b uint32
	for i := 0; i < 24; i += 8 {
		a += order.Uint32(header[i:]) + b
		b += order.Uint32(header[i+4:]) + a
	}
	return a == binary.BigEndian.Uint32(header[24:]) && b == binary.BigEndian.Uint32(header[28:]), nil
}

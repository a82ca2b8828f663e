package store

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// corruptInfix stands between the database's name and the time at which it was set aside.
const corruptInfix = ".corrupt-"

// mostAside is how many damaged databases are kept for whoever wants to look. Chosen by us: a disk that
// damages three has nothing new to tell with the fourth.
const mostAside = 3

// neighbours are the files that belong to a database, by what follows its name.
// -journal is there only where a file system can't do without it.
var neighbours = []string{"", "-wal", "-shm", "-journal"}

// setAside moves the database out of the way, with its log, so that SQLite's own tools find both.
func (s *Store) setAside(cause error) error {
	_ = s.closeDatabase()
	to := s.asideName()
	moved := false
	for _, suffix := range neighbours {
		switch err := os.Rename(s.path()+suffix, to+suffix); {
		case err == nil:
			moved = true
		case !errors.Is(err, fs.ErrNotExist):
			return err // on Windows: somebody reads it
		}
	}
	if !moved {
		return cause
	}
	s.aside = to
	s.options.Log.Error().Err(cause).Str("kept_as", filepath.Base(to)).Msg("the database is damaged: it is set aside, and another one begun")
	s.trimAside()
	return syncDir(s.dir)
}

// asideTime is the form of the time at which a database was set aside, UTC. It sorts.
const asideTime = "20060102T150405Z"

// asideName is a name that no other has, and sorts behind those that there are.
func (s *Store) asideName() string {
	at := time.Now().UTC()
	if sets := s.asides(); len(sets) > 0 {
		last, err := time.Parse(asideTime, strings.TrimPrefix(sets[len(sets)-1].name, databaseName+corruptInfix))
		if err == nil && !at.Truncate(time.Second).After(last) {
			at = last.Add(time.Second)
		}
	}
	return s.path() + corruptInfix + at.Format(asideTime)
}

// aside is what was set aside at one time.
type aside struct {
	name  string // of the database, without its folder
	bytes int64
	files []string
}

// asides lists what was set aside, oldest first.
func (s *Store) asides() (out []*aside) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil
	}
	for _, e := range entries { // sorted by name, and so by time
		stem := e.Name()
		for _, suffix := range neighbours[1:] {
			stem = strings.TrimSuffix(stem, suffix)
		}
		info, err := e.Info()
		if err != nil || !strings.HasPrefix(stem, databaseName+corruptInfix) || !e.Type().IsRegular() {
			continue
		}
		if len(out) == 0 || out[len(out)-1].name != stem {
			out = append(out, &aside{name: stem})
		}
		last := out[len(out)-1]
		last.bytes += info.Size()
		last.files = append(last.files, e.Name())
	}
	return out
}

// trimAside deletes the oldest of what was set aside: more than mostAside, or more bytes than the database
// itself may have. The newest always stays.
func (s *Store) trimAside() {
	sets := s.asides()
	slices.Reverse(sets)
	sum := int64(0)
	for i, old := range sets {
		sum += old.bytes
		if i == 0 || i < mostAside && (s.options.MaxSize <= 0 || sum <= s.options.MaxSize) {
			continue
		}
		for _, file := range old.files {
			if err := os.Remove(filepath.Join(s.dir, file)); err != nil {
				s.options.Log.Warn().Err(err).Msg("what was set aside long ago can't be deleted")
			}
		}
	}
}

// salvage takes over what the program must remember, and what nobody has received yet, as far as the
// damaged database can be read. Its evidence stays where it is: half of it would look like all of it.
func (s *Store) salvage(path string) {
	parameters := []string{"mode", "ro", "_txlock", "deferred"}
	if _, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		parameters = append(parameters, "immutable", "1") // nothing is put beside it
	}
	old, err := openSQLite(path, readPragmas, parameters...)
	if err != nil {
		return
	}
	defer func() { _ = old.Close() }()
	states, messages := 0, 0
	err = transact(s.db, func(tx *sql.Tx) error {
		for _, copying := range []struct {
			n            *int
			read, insert string
		}{
			{&states, "SELECT name, saved, body FROM state WHERE length(body) <= 16777216 LIMIT 64", "INSERT OR IGNORE INTO state VALUES (?, ?, ?)"},
			{&messages, "SELECT seq, kind, created, body FROM outbox WHERE length(body) <= 16777216 ORDER BY seq", "INSERT OR IGNORE INTO outbox VALUES (?, ?, ?, ?)"},
		} {
			if err := copyRows(old, tx, copying.read, copying.insert, copying.n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.options.Log.Warn().Err(err).Msg("what the damaged database still held could not be taken over")
		return
	}
	s.options.Log.Info().Int("documents", states).Int("messages", messages).Msg("taken over from the damaged database")
}

// copyRows copies what can be read, up to the first row that can't. Only writing can fail.
func copyRows(from queryer, to *sql.Tx, read, insert string, n *int) error {
	var failed error
	_ = each(from, func(rows *sql.Rows) error { // what can't be read is damaged: that is known
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		values, to2 := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			to2[i] = &values[i]
		}
		if err := rows.Scan(to2...); err != nil {
			return err
		}
		if _, failed = to.Exec(insert, values...); failed != nil {
			return failed
		}
		*n++
		return nil
	}, read)
	return failed
}

package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxState bounds a document, in bytes. Chosen by us: the largest, the history's, has some hundred KiB at
// its own bounds.
const maxState = 16 << 20

// SaveState keeps v, as JSON, under a name of small letters, digits and hyphens. The old value stays until
// the new one is on the disk whole.
func (s *Store) SaveState(name string, v any) error {
	documents, err := marshalStates(newPacker(), map[string]any{name: v})
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.write(func(tx *sql.Tx) error { return saveDocuments(tx, documents, time.Now()) }); err != nil {
		return fmt.Errorf("store: state %s: %w", name, err)
	}
	s.forget(documents)
	return nil
}

// document is a state, ready to be written.
type document struct {
	name string
	body []byte
}

// marshalStates leaves out what can't be written, and says so.
func marshalStates(p *packer, states map[string]any) (out []document, failed error) {
	for _, name := range slices.Sorted(maps.Keys(states)) {
		err := checkName(name)
		var b []byte
		if err == nil {
			b, err = json.Marshal(states[name])
		}
		if err == nil && len(b) > maxState {
			err = fmt.Errorf("%d bytes, more than %d", len(b), maxState)
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("state %s: %w", name, err))
			continue
		}
		out = append(out, document{name, p.pack(b)})
	}
	return out, failed
}

func saveDocuments(tx *sql.Tx, documents []document, now time.Time) error {
	for _, d := range documents {
		if _, err := tx.Exec("INSERT OR REPLACE INTO state (name, saved, body) VALUES (?, ?, ?)", d.name, now.UnixMilli(), d.body); err != nil {
			return err
		}
	}
	return nil
}

// LoadState reads what SaveState kept into v. Where nothing was kept the error wraps fs.ErrNotExist.
// Any error leaves the caller free to start anew: v is then not to be used.
func (s *Store) LoadState(name string, v any) error {
	if err := checkName(name); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	s.mu.Lock()
	b, err := s.loadDocument(name)
	err = s.met(err)
	s.mu.Unlock()
	if errors.Is(err, sql.ErrNoRows) {
		b, err = readBounded(s.keyPath(name)) // of the first format, until the next one is saved
	}
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return fmt.Errorf("store: state %s: %w", name, err)
	}
	return nil
}

func (s *Store) loadDocument(name string) ([]byte, error) {
	db := s.db
	if db == nil {
		if _, err := os.Stat(s.path()); err != nil || s.options.ReadOnly || s.closed {
			return nil, sql.ErrNoRows
		}
		alone, err := openAlone(s.path())
		if err != nil {
			return nil, err
		}
		defer func() { _ = alone.Close() }()
		db = alone
	}
	var body []byte
	if err := db.QueryRow("SELECT body FROM state WHERE name = ?", name).Scan(&body); err != nil {
		return nil, err
	}
	return unpack(body, maxState)
}

// SaveKey keeps a secret in a file of its own. Keys are made once: a database that is set aside must not
// take them along, and one that is handed to a researcher must not hold them.
func (s *Store) SaveKey(name string, v any) error {
	if err := checkName(name); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("store: key %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.options.ReadOnly:
		return ErrReadOnly
	case s.closed:
		return errClosed
	}
	if err := replace(s.keyPath(name), b); err != nil {
		return fmt.Errorf("store: key %s: %w", name, err)
	}
	return nil
}

// LoadKey reads what SaveKey kept into v. Where nothing was kept the error wraps fs.ErrNotExist.
func (s *Store) LoadKey(name string, v any) error {
	if err := checkName(name); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	b, err := readBounded(s.keyPath(name))
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return fmt.Errorf("store: key %s: %w", name, err)
	}
	return nil
}

func (s *Store) keyPath(name string) string { return filepath.Join(s.dir, "state-"+name+".json") }

func checkName(name string) error {
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("%q is no name of a state: small letters, digits and hyphens", name)
	}
	return nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err == nil && len(b) > maxState {
		err = fmt.Errorf("more than %d bytes", maxState)
	}
	return b, err
}

// replace puts b in place of a file: readers, and the next process after a crash, see the old bytes
// or the new ones, never a mixture.
func replace(path string, b []byte) error {
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) { // of who was killed here
		return err
	}
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // never through another's link
	if err != nil {
		return err
	}
	err = giveAway(f, filepath.Dir(path))
	if err == nil {
		_, err = f.Write(b)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// forget removes the files of the first format whose documents are in the database.
func (s *Store) forget(documents []document) {
	for _, d := range documents {
		if err := os.Remove(s.keyPath(d.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.options.Log.Warn().Err(err).Msg("a file of the first format can't be deleted")
		}
	}
}

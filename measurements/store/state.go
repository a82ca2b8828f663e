package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxState bounds a state file, in bytes. Chosen by us: the largest, the history's, has some
// hundred KiB at its own bounds.
const maxState = 16 << 20

// SaveState keeps v, as JSON, under a name of small letters, digits and hyphens. The old value stays
// until the new one is on the disk whole.
func (s *Store) SaveState(name string, v any) error {
	path, err := s.statePath(name)
	if err != nil {
		return err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("store: state %s: %w", name, err)
	}
	if len(b) > maxState {
		return fmt.Errorf("store: state %s has %d bytes, more than %d", name, len(b), maxState)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return ErrReadOnly
	}
	if err := replace(path, b); err != nil {
		return fmt.Errorf("store: state %s: %w", name, err)
	}
	return nil
}

// LoadState reads what SaveState kept into v. Where nothing was kept the error wraps fs.ErrNotExist.
// Any error leaves the caller free to start anew: v is then not to be used.
func (s *Store) LoadState(name string, v any) error {
	path, err := s.statePath(name)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("store: state %s: %w", name, err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err == nil && len(b) > maxState {
		err = fmt.Errorf("more than %d bytes", maxState)
	}
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return fmt.Errorf("store: state %s: %w", name, err)
	}
	return nil
}

func (s *Store) statePath(name string) (string, error) {
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return "", fmt.Errorf("store: %q is no name of a state: small letters, digits and hyphens", name)
	}
	return filepath.Join(s.dir, "state-"+name+".json"), nil
}

// replace puts b in place of a file: readers, and the next process after a crash, see the old bytes
// or the new ones, never a mixture.
func replace(path string, b []byte) error {
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
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

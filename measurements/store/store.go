package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
)

var (
	// ErrLocked is wrapped by Open's error where another process writes to the store.
	ErrLocked = errors.New("another process writes to this store")
	// ErrReadOnly is returned by what would change a store that was opened to be read.
	ErrReadOnly = errors.New("the store was opened to be read")
)

// Options say how a store is opened. The zero value writes, keeps everything and logs nothing.
type Options struct {
	// Retention is how long files are kept, counted from the end of their day; 0 is for ever.
	Retention time.Duration
	// ReadOnly changes nothing and needs no lock: for reading beside a running daemon.
	ReadOnly bool
	// Log takes what the store did on its own: torn lines moved aside, old files deleted.
	Log zerolog.Logger
}

// Store is an open store. Its methods may be called from several goroutines.
type Store struct {
	dir     string
	options Options
	lock    *os.File // nil where the store is only read

	mu sync.Mutex // one change at a time, and no reader in the middle of one
}

// Open opens the store in dir, which it makes if need be, repairs what a crash left and deletes what
// is older than the retention. Close gives it free for other processes.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{dir: dir, options: o}
	if o.ReadOnly {
		if _, err := os.ReadDir(dir); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		return s, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if info, err := os.Stat(dir); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		o.Log.Warn().Str("path", dir).Msg("others on this machine can list the store; its files stay private")
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", dir, err)
	}
	s.lock = lock
	if err := s.tidy(); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("store: %w", err)
	}
	return s, nil
}

// tidy repairs every file, not the last one alone: a clock that was set back makes an older one the
// last that was written to.
func (s *Store) tidy() error {
	s.deleteOld(time.Now())
	files, err := s.days(evidence, judgement)
	if err != nil {
		return err
	}
	for _, d := range files {
		if err := s.repair(d.path); err != nil {
			return err
		}
	}
	return nil
}

// Close lets other processes write to the store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return nil
	}
	err := s.lock.Close()
	s.lock = nil
	return err
}

// Judged is a round's verdict as it was said at the time, and by which rules.
type Judged struct {
	Round   string                    `json:"round"` // Round.ID
	Rules   string                    `json:"rules"` // measurements.RulesVersion of the day
	Verdict measurements.RoundVerdict `json:"verdict"`
}

// Append keeps a round and what was said about it: one line for each measurement, the gate's first,
// and one for the verdict. When it returns nil they are on the disk. When it fails, as on a full
// disk, the round may be lost and nothing else is: the next one can be appended.
func (s *Store) Append(round measurements.Round, v measurements.RoundVerdict) error {
	var lines bytes.Buffer
	for _, m := range append([]measurements.Measurement{round.Gate}, round.Apps...) {
		if m.App == "" {
			continue // a round that was stopped before its gate was measured
		}
		m.Round = round.ID
		line, err := ooni.Record(m)
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		lines.Write(append(line, '\n'))
	}
	verdict, err := json.Marshal(Judged{Round: round.ID, Rules: measurements.RulesVersion, Verdict: v})
	if err != nil {
		return fmt.Errorf("store: verdict of round %s: %w", round.ID, err)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return ErrReadOnly
	}
	s.deleteOld(time.Now())
	if err := s.appendWhole(s.dayPath(evidence, round.Started), lines.Bytes()); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := s.appendWhole(s.dayPath(judgement, round.Started), append(verdict, '\n')); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

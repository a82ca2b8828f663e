package store

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

var (
	// ErrLocked is wrapped by Open's error where another process writes to the store.
	ErrLocked = errors.New("another process writes to this store")
	// ErrReadOnly is returned by what would change a store that was opened to be read.
	ErrReadOnly = errors.New("the store was opened to be read")
	// errClosed is returned by what would change a store after Close.
	errClosed = errors.New("the store is closed")
)

// Options say how a store is opened. The zero value writes, keeps everything and logs nothing.
type Options struct {
	// Retention is how long a round is kept; 0 is for ever.
	Retention time.Duration
	// MaxSize bounds the database with its log, in bytes: the oldest rounds go first. What was set aside
	// as damaged may take as much again. 0 is no bound.
	MaxSize int64
	// ReadOnly changes nothing and needs no lock: for reading beside a running daemon.
	ReadOnly bool
	// Log takes what the store did on its own: what it set aside, imported or deleted.
	Log zerolog.Logger
	// Trouble is told of each failure by its kind, one of Troubles. Optional.
	Trouble func(kind string)
	// Dropped is told how many messages of a kind the outbox gave up undelivered. Optional.
	Dropped func(kind string, messages int)
}

// Store is an open store. Its methods may be called from several goroutines.
type Store struct {
	dir     string
	options Options
	lock    *os.File // nil where the store is only read, or closed

	mu     sync.Mutex // one change at a time
	db     *sql.DB    // nil while there is none that can be used
	opened os.FileInfo
	found  error  // damage that was met while reading
	aside  string // a damaged database from which the next one takes what can be read
	closed bool
	fast   time.Duration // by how much this machine's clock is ahead, as the last round that knew said; 0 is not, or nobody knows

	outboxAdded outboxAdded
}

// Open opens the store in dir, which it makes if need be, takes the files of the first format in and sets
// a damaged database aside. Close gives it free for other processes.
//
// A full or failing disk is no error here: it is told, and tried again with each round. A store that may
// not be written to, is another process's, or was written by a newer version (ErrNewer) is one.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{dir: dir, options: o}
	if o.ReadOnly {
		if err := s.openToRead(); err != nil {
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
	if err := giveAway(lock, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("store: %w", err), unlockFile(lock))
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("store: %s: %w", dir, err), unlockFile(lock))
	}
	return s, nil
}

// SetBounds changes for how long rounds are kept and how much they may take (Options); older and further ones go
// when the next round is kept.
func (s *Store) SetBounds(retention time.Duration, maxSize int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Retention, s.options.MaxSize = retention, maxSize
}

// Exists says whether there is a store in a directory: a database, or keys or documents of the first format.
// It makes nothing.
func Exists(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("store: %w", err)
	}
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		state, err := filepath.Match("state-*.json", e.Name())
		return e.Name() == databaseName || state && err == nil
	}), nil
}

// openToRead is content with a store that has no database yet: of the first format, of a daemon that waits
// for consent, or of one that is just starting.
func (s *Store) openToRead() error {
	if _, err := os.ReadDir(s.dir); err != nil {
		return err
	}
	db, err := openToRead(s.path())
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errEmpty) {
		return nil
	}
	s.db = db
	return err
}

// start makes the database ready, and does what may be left to do.
func (s *Store) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.write(func(*sql.Tx) error { return nil })
	if err == nil {
		s.importLines()
		s.tidy(time.Now(), oneChunk)
		return nil
	}
	if troubleOf(err) == Other {
		return err
	}
	s.options.Log.Error().Err(err).Msg("the store's database can't be opened now; it is tried again with each round")
	return nil
}

func (s *Store) path() string { return filepath.Join(s.dir, databaseName) }

// Close lets other processes write to the store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	err := s.closeDatabase()
	if s.lock != nil {
		err = errors.Join(err, unlockFile(s.lock))
		s.lock = nil
	}
	return err
}

func (s *Store) closeDatabase() error {
	if s.db == nil {
		return nil
	}
	err := s.db.Close()
	s.db, s.opened = nil, nil
	return err
}

// write makes a change whole, and on the disk, or not at all; s.mu is held. A damaged database is set
// aside, and the change made in a fresh one.
func (s *Store) write(change func(*sql.Tx) error) error {
	switch {
	case s.closed:
		return errClosed
	case s.options.ReadOnly:
		return ErrReadOnly
	}
	for again := false; ; again = true {
		err := s.found
		s.found = nil
		if err == nil {
			err = s.ready()
		}
		if err == nil {
			err = transact(s.db, change)
		}
		if err == nil {
			return nil
		}
		kind := troubleOf(err)
		if s.options.Trouble != nil {
			s.options.Trouble(kind)
		}
		if kind == IO {
			_ = s.closeDatabase() // a disk that was gone for a moment may be back under another handle
		}
		if kind != Corrupt || again {
			return err
		}
		if asideErr := s.setAside(err); asideErr != nil {
			return errors.Join(err, asideErr)
		}
	}
}

// ready makes sure that there is a database, and that it is still the file of that name: who deletes it
// while we run would otherwise delete all that comes after.
func (s *Store) ready() error {
	if s.db != nil {
		info, err := os.Stat(s.path())
		if err == nil && os.SameFile(info, s.opened) {
			return nil
		}
		s.options.Log.Error().Str("file", databaseName).Msg("the database's file was taken away; another one is begun")
		_ = s.closeDatabase()
	}
	if err := s.checkLog(); err != nil {
		return err
	}
	db, err := openToWrite(s.path())
	if err != nil {
		return err
	}
	if s.opened, err = os.Stat(s.path()); err != nil {
		return errors.Join(err, db.Close())
	}
	s.db = db
	if s.aside != "" {
		s.salvage(s.aside)
		s.aside = ""
	}
	return nil
}

// Size is what the database takes on the disk now, with its log, in bytes; 0 where there is none.
func (s *Store) Size() int64 {
	sum := int64(0)
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(s.path() + suffix); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

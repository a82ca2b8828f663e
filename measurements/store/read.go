package store

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// maxApps bounds a round that is put together: no catalogue has so many.
const maxApps = 64

// readAhead is how many rounds are looked up at once; between them others may write. Chosen by us.
const readAhead = 64

// Rounds gives the stored rounds, oldest first, put together again from their measurements.
//
// A measurement that can't be read yields an error that names it, and reading goes on. What was not
// stored is derived: a round's start is that of its first measurement, its runtime lasts to the end of the
// last one.
func (s *Store) Rounds() iter.Seq2[measurements.Round, error] {
	return func(yield func(measurements.Round, error) bool) {
		fail := func(err error) bool { return yield(measurements.Round{}, fmt.Errorf("store: %w", err)) }
		var from reader
		s.eachPage("SELECT DISTINCT started, round FROM measurements WHERE (started, round) > (?, ?) ORDER BY started, round LIMIT ?", fail, func(k roundKey) bool {
			r, errs := s.round(&from, k)
			for _, err := range errs {
				if !fail(err) {
					return false
				}
			}
			return len(r.Apps) == 0 && r.Gate.App == "" || yield(r, nil)
		})
	}
}

// roundKey says which round, in the order of time.
type roundKey struct {
	started int64
	round   string
}

// eachPage gives the keys of a query to each, until it returns false.
func (s *Store) eachPage(query string, fail func(error) bool, do func(roundKey) bool) {
	last := roundKey{math.MinInt64, ""}
	for {
		var page []roundKey
		err := s.view(func(q queryer) error {
			return each(q, func(rows *sql.Rows) error {
				var k roundKey
				err := rows.Scan(&k.started, &k.round)
				page = append(page, k)
				return err
			}, query, last.started, last.round, readAhead)
		})
		if err != nil {
			fail(err)
			return
		}
		for _, k := range page {
			if !do(k) {
				return
			}
			last = k
		}
		if len(page) < readAhead {
			return
		}
	}
}

// view reads in one go. Who writes to the store sets it aside after he met damage; without a database there is nothing to read.
func (s *Store) view(read func(queryer) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return nil
	}
	return s.met(read(s.db))
}

// met notes damage that showed while reading: the next change sets the database aside.
func (s *Store) met(err error) error {
	if err != nil && !s.options.ReadOnly && troubleOf(err) == Corrupt {
		s.found = err
	}
	return err
}

func (s *Store) round(from *reader, k roundKey) (r measurements.Round, errs []error) {
	err := s.view(func(q queryer) error {
		var ids []int64
		err := each(q, func(rows *sql.Rows) error {
			var id int64
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		}, "SELECT rowid FROM measurements WHERE started = ? AND round = ? ORDER BY rowid LIMIT ?", k.started, k.round, maxApps)
		if err != nil {
			return err
		}
		from.use(q)
		for _, id := range ids {
			m, err := from.measurement(id)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: measurement %d: %w", databaseName, id, err))
				continue
			}
			if r.ID == "" {
				r.ID, r.Started = k.round, m.Started
			}
			put(&r, m)
		}
		return nil
	})
	if err != nil {
		errs = append(errs, err)
	}
	return r, errs
}

// Round gives one round, by its id and start, as Rounds does. Where there is none, or no more, the error wraps
// fs.ErrNotExist; where a part can't be read, the round holds the rest.
func (s *Store) Round(id string, started time.Time) (measurements.Round, error) {
	var from reader
	r, errs := s.round(&from, roundKey{started.UnixMilli(), id})
	if len(errs) == 0 && r.ID == "" {
		errs = append(errs, fs.ErrNotExist)
	}
	if err := errors.Join(errs...); err != nil {
		return r, fmt.Errorf("store: round %.64q: %w", id, err)
	}
	return r, nil
}

// put adds a measurement to its round.
func put(r *measurements.Round, m measurements.Measurement) {
	if m.Started.Before(r.Started) {
		r.Runtime = sum(r.Runtime, measurements.Seconds(r.Started.Sub(m.Started)))
		r.Started = m.Started
	}
	r.Runtime = max(r.Runtime, sum(measurements.Seconds(m.Started.Sub(r.Started)), m.Runtime))
	if m.App == measurements.ControlApp && r.Gate.App == "" {
		r.Gate = m
		return
	}
	r.Apps = append(r.Apps, m)
}

// sum adds two times that are not below zero; centuries are as long as it gets.
func sum(a, b measurements.Seconds) measurements.Seconds {
	if s := a + b; s >= a {
		return s
	}
	return math.MaxInt64
}

// Verdicts gives what was said about the stored rounds at the time, oldest first. Errors are as in
// Rounds. To judge the evidence anew, judge Rounds.
func (s *Store) Verdicts() iter.Seq2[Judged, error] {
	return func(yield func(Judged, error) bool) {
		fail := func(err error) bool { return yield(Judged{}, fmt.Errorf("store: %w", err)) }
		s.eachPage("SELECT started, round FROM verdicts WHERE (started, round) > (?, ?) ORDER BY started, round LIMIT ?", fail, func(k roundKey) bool {
			var j Judged
			err := s.view(func(q queryer) (err error) {
				var id int64
				if err := each(q, func(rows *sql.Rows) error { return rows.Scan(&id) }, "SELECT rowid FROM verdicts WHERE round = ?", k.round); err != nil {
					return err
				}
				j, err = (&reader{q: q}).verdict(id)
				return err
			})
			switch {
			case errors.Is(err, sql.ErrNoRows):
				return true // the retention was faster
			case err != nil:
				return fail(fmt.Errorf("%s: verdict of round %.64q: %w", databaseName, k.round, err))
			}
			return yield(j, nil)
		})
	}
}

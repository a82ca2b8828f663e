package store

import (
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// Selection says which records are read, in the order of time. The zero value is all of them.
type Selection struct {
	// Since and Until bound when a record's round began, to the millisecond: not before Since, and before
	// Until. Zero is no bound.
	Since, Until time.Time
	// Apps are those whose measurements are read; none is all. A verdict is of a whole round, and is read
	// whatever stands here.
	Apps []string
	// After is the record behind which reading begins; the zero Position is before the first.
	After Position
}

// FindMeasurements says where the first measurements of a selection are, at most most of them. To go on, select
// what is after the last one: a record that is there all the while is found once, however many are added or
// deleted meanwhile.
func (s *Store) FindMeasurements(sel Selection, most int) ([]Position, error) {
	return s.find(evidence, &sel, most)
}

// FindVerdicts is FindMeasurements for what was said about rounds at the time.
func (s *Store) FindVerdicts(sel Selection, most int) ([]Position, error) {
	sel.Apps = nil
	return s.find(judgement, &sel, most)
}

func (s *Store) find(table string, sel *Selection, most int) (out []Position, err error) {
	where, args := sel.where()
	err = s.view(func(q queryer) error {
		return each(q, func(rows *sql.Rows) error {
			var p Position
			err := rows.Scan(&p.started, &p.round, &p.row)
			out = append(out, p)
			return err
		}, "SELECT started, round, rowid FROM "+table+where+" ORDER BY started, round, rowid LIMIT ?", append(args, most)...)
	})
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return out, nil
}

// where is the selection in SQL. Both bounds are of the index by time.
func (sel *Selection) where() (clause string, args []any) {
	from := sel.After
	if from == (Position{}) {
		from = Position{started: math.MinInt64}
	}
	if !sel.Since.IsZero() && sel.Since.UnixMilli() > from.started {
		from = Position{started: sel.Since.UnixMilli(), row: math.MinInt64}
	}
	clause, args = " WHERE (started, round, rowid) > (?, ?, ?)", []any{from.started, from.round, from.row}
	if !sel.Until.IsZero() {
		clause, args = clause+" AND started < ?", append(args, sel.Until.UnixMilli())
	}
	if len(sel.Apps) > 0 {
		clause += " AND app IN (" + strings.TrimSuffix(strings.Repeat("?, ", len(sel.Apps)), ", ") + ")"
		for _, app := range sel.Apps {
			args = append(args, app)
		}
	}
	return clause, args
}

// countRounds counts the rounds of a selection, whatever the apps.
func (s *Store) countRounds(table string, sel Selection) (n int, err error) {
	sel.Apps = nil
	where, args := sel.where()
	err = s.view(func(q queryer) error {
		return each(q, func(rows *sql.Rows) error { return rows.Scan(&n) },
			"SELECT count(*) FROM (SELECT DISTINCT started, round FROM "+table+where+")", args...)
	})
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	return n, nil
}

// CountMeasured says in how many rounds of a selection something was measured, of whatever app.
func (s *Store) CountMeasured(sel Selection) (int, error) { return s.countRounds(evidence, sel) }

// CountJudged says about how many rounds of a selection there is a verdict.
func (s *Store) CountJudged(sel Selection) (int, error) { return s.countRounds(judgement, sel) }

// errGone says that a record was deleted since it was found.
var errGone = errors.New("it is gone")

// Measurements reads measurements that were found. One that is gone meanwhile is left out; one that can't be
// read yields an error that names it, and reading goes on. Whoever writes to the store waits for one at a
// time at most.
func (s *Store) Measurements(at []Position) iter.Seq2[measurements.Measurement, error] {
	return readEach(s, evidence, at, func(r *reader, p Position) (measurements.Measurement, error) {
		m, err := r.measurement(p.row)
		if err == nil && m.Round != p.round {
			err = errGone // the number is another one's now
		}
		return m, err
	})
}

// Judged reads verdicts that were found, as Measurements does.
func (s *Store) Judged(at []Position) iter.Seq2[Judged, error] {
	return readEach(s, judgement, at, func(r *reader, p Position) (Judged, error) {
		j, err := r.verdict(p.row)
		if err == nil && j.Round != p.round {
			err = errGone
		}
		return j, err
	})
}

func readEach[T any](s *Store, table string, at []Position, read func(*reader, Position) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var from reader
		for _, p := range at {
			var record T
			err := errGone // also where there is no database any more
			_ = s.view(func(q queryer) error {
				from.use(q)
				if record, err = read(&from, p); errors.Is(err, sql.ErrNoRows) && !from.has(table, p.row) {
					err = errGone // and not a part of it alone
				}
				return err
			})
			if errors.Is(err, errGone) {
				continue
			}
			if err != nil {
				err = fmt.Errorf("store: %s: round %.64q, row %d of %s: %w", databaseName, p.round, p.row, table, err)
			}
			if !yield(record, err) {
				return
			}
		}
	}
}

// rowsAtOnce is how many rows are looked through while others wait. Chosen by us: some milliseconds of a slow disk.
const rowsAtOnce = 256

// Apps lists the apps of which there are measurements, sorted. Where all of them are looked for, this reads all of
// the store, in small steps; with names it ends when it has met all of these.
func (s *Store) Apps(names ...string) ([]string, error) {
	var met []string
	missing := slices.Clone(names)
	for last, n := int64(math.MinInt64), rowsAtOnce; n == rowsAtOnce; {
		n = 0
		err := s.view(func(q queryer) error {
			return each(q, func(rows *sql.Rows) error {
				var app string
				if err := rows.Scan(&last, &app); err != nil {
					return err
				}
				if n++; !slices.Contains(met, app) && len(met) < maxApps {
					met = append(met, app)
					missing = slices.DeleteFunc(missing, func(name string) bool { return name == app })
				}
				return nil
			}, "SELECT rowid, app FROM "+evidence+" WHERE rowid > ? ORDER BY rowid LIMIT ?", last, rowsAtOnce)
		})
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		if len(names) > 0 && len(missing) == 0 {
			break
		}
	}
	slices.Sort(met)
	return met, nil
}

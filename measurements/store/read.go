package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
)

// Rounds gives the stored rounds, oldest first, put together again from their measurements.
//
// A line that can't be read yields an error that names file and line, and reading goes on. What was
// not stored is derived: a round's start is that of its first measurement, its runtime lasts to the
// end of the last one. A round that is being written while it is read may lack its last apps.
func (s *Store) Rounds() iter.Seq2[measurements.Round, error] {
	return func(yield func(measurements.Round, error) bool) {
		fail := func(err error) bool { return yield(measurements.Round{}, fmt.Errorf("store: %w", err)) }
		s.eachDay(evidence, fail, func(lines io.Reader, fail func(error) bool) bool {
			return roundsOf(lines, yield, fail)
		})
	}
}

// maxApps bounds a round that is put together: no catalogue has so many.
const maxApps = 64

func roundsOf(lines io.Reader, yield func(measurements.Round, error) bool, fail func(error) bool) bool {
	var r *measurements.Round
	for m, err := range ooni.Read(lines) {
		if err != nil {
			if !fail(err) {
				return false
			}
			continue
		}
		if r != nil && r.ID != m.Round {
			if !yield(*r, nil) {
				return false
			}
			r = nil
		}
		if r == nil {
			r = &measurements.Round{ID: m.Round, Started: m.Started}
		}
		if len(r.Apps) >= maxApps {
			if !fail(fmt.Errorf("round %.40q: more than %d apps", r.ID, maxApps)) {
				return false
			}
			continue
		}
		put(r, m)
	}
	return r == nil || yield(*r, nil)
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
		s.eachDay(judgement, fail, func(lines io.Reader, fail func(error) bool) bool {
			return verdictsOf(lines, yield, fail)
		})
	}
}

func verdictsOf(lines io.Reader, yield func(Judged, error) bool, fail func(error) bool) bool {
	for line, err := range ooni.Lines(lines) {
		var j Judged
		if err == nil {
			j, err = parseJudged(line.Text)
		}
		if err != nil {
			if !fail(fmt.Errorf("line %d: %w", line.Number, err)) {
				return false
			}
			continue
		}
		if !yield(j, nil) {
			return false
		}
	}
	return true
}

func parseJudged(line []byte) (Judged, error) {
	var j Judged
	if err := ooni.CheckSize(line); err != nil {
		return j, err
	}
	if err := json.Unmarshal(line, &j); err != nil {
		return j, err
	}
	if n := len(j.Verdict.Apps); n > maxApps {
		return j, fmt.Errorf("verdict.apps has %d entries, more than %d", n, maxApps)
	}
	return j, nil
}

// eachDay opens the files of a kind one by one. fail takes an error and says whether to go on; so does
// read, which gets a fail that names the file.
func (s *Store) eachDay(kind string, fail func(error) bool, read func(lines io.Reader, fail func(error) bool) bool) {
	files, err := s.days(kind)
	if err != nil {
		fail(err)
		return
	}
	for _, d := range files {
		f, lines, err := s.openDay(d.path)
		if errors.Is(err, os.ErrNotExist) {
			continue // the retention was faster
		}
		if err != nil {
			if !fail(err) {
				return
			}
			continue
		}
		goOn := read(lines, func(err error) bool { return fail(fmt.Errorf("%s: %w", filepath.Base(d.path), err)) })
		_ = f.Close()
		if !goOn {
			return
		}
	}
}

// openDay gives the whole lines that a file has now: not half of one that is being written.
func (s *Store) openDay(path string) (*os.File, io.Reader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		size, err = wholeLines(f, size)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", filepath.Base(path), err), f.Close())
	}
	return f, io.NewSectionReader(f, 0, size), nil
}

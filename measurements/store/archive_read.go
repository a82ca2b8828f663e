package store

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
)

// Evidence is a round of an archive, with what was said about it at the time; Recorded is nil where
// nobody wrote that down.
type Evidence struct {
	Round    measurements.Round
	Recorded *Judged
	Refused  int // lines of the round that can't be used
}

// Len is how many rounds there are.
func (a *Archive) Len() int { return len(a.rounds) }

// Rounds gives the rounds in the order of time. A measurement that can't be used is left out of its
// round: what is missing makes the others say less, never more.
func (a *Archive) Rounds() iter.Seq[Evidence] {
	return func(yield func(Evidence) bool) {
		for _, r := range a.rounds {
			if e, ok := a.read(r); ok && !yield(e) {
				return
			}
		}
	}
}

// read is false for a round of which no measurement can be used.
func (a *Archive) read(r *indexed) (e Evidence, ok bool) {
	e.Round.ID = r.id
	for _, app := range r.order {
		m, err := r.apps[app].measurement()
		if err != nil {
			a.refused(fmt.Errorf("%s: %w", r.apps[app], err))
			e.Refused++
			continue
		}
		if !ok {
			e.Round.Started, ok = m.Started, true
		}
		put(&e.Round, m)
	}
	if ok && r.recorded.source != nil {
		j, err := r.recorded.verdict()
		if err != nil {
			a.refused(fmt.Errorf("%s: %w", r.recorded, err))
			e.Refused++
			return e, ok
		}
		e.Recorded = &j
	}
	return e, ok
}

func (p place) measurement() (measurements.Measurement, error) {
	if p.table != "" {
		return p.source.db.measurement(p.row)
	}
	text, err := p.text()
	if err != nil {
		return measurements.Measurement{}, err
	}
	return ooni.Parse(text)
}

func (p place) verdict() (Judged, error) {
	if p.table != "" {
		return p.source.db.verdict(p.row)
	}
	text, err := p.text()
	if err != nil {
		return Judged{}, err
	}
	return parseJudged(text)
}

// text reads the line again.
func (p place) text() ([]byte, error) {
	b := make([]byte, p.length)
	n, err := p.source.file.ReadAt(b, p.offset)
	if n == len(b) {
		return b, nil
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the file is shorter than it was a moment ago")
	}
	return nil, err
}

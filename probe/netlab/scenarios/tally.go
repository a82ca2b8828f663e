package scenarios

import (
	"slices"

	"github.com/telltale-probe/telltale/measurements"
)

// Tally counts what was made of every target of every scenario against what was true: its confusion
// matrix, row by row. A target is censored where its scenario is, and expects a finding there that is
// neither "down" nor "local"; every other one is free, those beside a censored one too.
type Tally struct {
	Censored Row `json:"censored"`
	Free     Row `json:"free"`
}

// Row is how targets of one kind were judged, by the strongest finding at any of their layers.
type Row struct {
	Targets      int `json:"targets"`
	Confirmed    int `json:"confirmed"` // called blocked or throttled, with this confidence
	Likely       int `json:"likely"`
	Suspected    int `json:"suspected"`
	Inconclusive int `json:"inconclusive"` // an abstention
	Other        int `json:"other"`        // down, or the household's own trouble
	OK           int `json:"ok"`
	Skipped      int `json:"skipped"` // nothing was measured
}

// AtLeast is the share of the row that was called blocked with this confidence or a higher one: for
// censored targets the sensitivity, for free ones the rate of false findings. 0 where there are none.
func (r *Row) AtLeast(c measurements.Confidence) float64 {
	n := r.Confirmed
	if c != measurements.Confirmed {
		n += r.Likely
	}
	if c == measurements.Suspected {
		n += r.Suspected
	}
	return share(n, r.Targets)
}

// Abstention is the share of the row about which nothing is said either way.
func (r *Row) Abstention() float64 { return share(r.Inconclusive, r.Targets) }

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// Add takes a scenario's result in.
func (t *Tally) Add(r *Result) {
	for _, app := range r.Verdict.All() {
		for i := range app.Targets {
			row := &t.Free
			if r.Scenario.censors(app.App, &app.Targets[i]) {
				row = &t.Censored
			}
			row.add(&app.Targets[i])
		}
	}
}

// censors says whether the scenario's censor is at work at the target. An expectation that names no
// target says so of those at which it was met.
func (s *Scenario) censors(app string, t *measurements.TargetVerdict) bool {
	return !s.Innocent && slices.ContainsFunc(s.Expect, func(e Expect) bool {
		if slices.Contains([]measurements.State{measurements.OK, measurements.Down, measurements.Local}, e.State) {
			return false
		}
		named := e.Target == t.Target && is(e.App, app)
		return named || slices.ContainsFunc(t.Layers, func(l measurements.LayerVerdict) bool { return e.matches(app, t.Target, &l) })
	})
}

func (r *Row) add(t *measurements.TargetVerdict) {
	r.Targets++
	has := func(c measurements.Confidence) bool {
		return slices.ContainsFunc(t.Layers, func(l measurements.LayerVerdict) bool {
			return (l.State == measurements.Blocked || l.State == measurements.Throttled) && l.Confidence == c
		})
	}
	switch {
	case has(measurements.Confirmed):
		r.Confirmed++
	case has(measurements.Likely):
		r.Likely++
	case has(measurements.Suspected):
		r.Suspected++
	case t.State == measurements.OK:
		r.OK++
	case t.State == measurements.Skipped:
		r.Skipped++
	case t.State == measurements.Inconclusive:
		r.Inconclusive++
	default:
		r.Other++
	}
}

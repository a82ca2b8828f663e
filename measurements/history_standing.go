package measurements

import (
	"cmp"
	"slices"
	"time"
)

// Standing is a blocking that stands after a round, whether or not the round saw it: one that blocks
// some of the trials still stands when one of them passes. Onset and end are intervals, since nobody
// looks all the time.
type Standing struct {
	App        string     `json:"app"`
	Target     string     `json:"target"`
	Layer      Layer      `json:"layer"`
	Family     Family     `json:"ip_family"`
	Signature  Signature  `json:"signature"`
	Confidence Confidence `json:"confidence"`
	// It began between LastOK, zero if the layer never was ok on this network, and Onset.
	LastOK time.Time `json:"last_ok,omitzero"`
	Onset  time.Time `json:"onset"`
	// If it is over, it ended between LastFailed and Passed, zero if nothing passed since: another
	// finding has taken its place.
	LastFailed time.Time `json:"last_failed"`
	Passed     time.Time `json:"passed,omitzero"`
	// Failures of Trials are counted since the onset, decorrelated.
	Failures int `json:"failures"`
	Trials   int `json:"trials"`
}

func newStanding(k placeKey, s *Series) Standing {
	layer := k.Layer
	if ofTransfers(s.Signature) {
		layer = shownIn(s.Signature)
	}
	return Standing{
		App: k.App, Target: k.Target, Layer: layer, Family: k.Family, Signature: s.Signature, Confidence: s.Confidence,
		LastOK: s.LastOK, Onset: s.Onset, LastFailed: s.Failed, Passed: s.Passed, Failures: s.Failures, Trials: s.Trials,
	}
}

// standing lists what stands after a round, of the targets that it still measures, and what has just
// ended. Now holds the places that the round had anything to say of.
func (e *Epoch) standing(r *Round, now looked) (stands, ended []Standing) {
	for k, p := range now {
		for i := range p.Open {
			if s := &p.Open[i]; s.Standing {
				stands = append(stands, newStanding(k, s))
			}
		}
	}
	for k, before := range e.places {
		for i := range before.Open {
			s := &before.Open[i]
			switch p := now[k]; {
			case !s.Standing || !measures(r, k):
			case p == nil && s.stale(r.Started):
				ended = append(ended, newStanding(k, s))
			case p == nil:
				stands = append(stands, newStanding(k, s))
			case !slices.ContainsFunc(p.Open, func(t Series) bool { return t.Signature == s.Signature && t.Standing }):
				over := newStanding(k, s)
				if over.Passed.IsZero() && p.LastOK.After(s.Failed) {
					over.Passed = p.LastOK
				}
				ended = append(ended, over)
			}
		}
	}
	slices.SortFunc(stands, compareStandings)
	slices.SortFunc(ended, compareStandings)
	return stands, ended
}

// staleTransfers is how long what transfers found stands that none has told of since. Chosen by us: at three looks a
// day nine did not come about, whatever kept them from it, and throttling lasts for hours as often as for weeks.
const staleTransfers = 3 * 24 * time.Hour

// stale says whether too much time has passed since transfers found what the series follows, or refuted it.
func (s *Series) stale(now time.Time) bool {
	last := s.Failed
	if s.Passed.After(last) {
		last = s.Passed
	}
	return ofTransfers(s.Signature) && now.Sub(last) >= staleTransfers
}

// measures says whether the round's catalogue still has the target.
func measures(r *Round, k placeKey) bool {
	return slices.ContainsFunc(r.Apps, func(m Measurement) bool {
		return m.App == k.App && slices.ContainsFunc(m.Targets, func(t TargetInfo) bool { return t.ID == k.Target })
	})
}

func compareStandings(a, b Standing) int {
	return cmp.Or(comparePlaces(a.place(), b.place()), cmp.Compare(a.Signature, b.Signature))
}

func (s *Standing) place() placeKey { return placeKey{s.App, s.Target, s.Layer, s.Family} }

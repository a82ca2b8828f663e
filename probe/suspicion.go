package probe

import (
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// Suspect puts targets with a finding under suspicion, so that their next visit begins with control N.
// One round that finds a target ok does not clear what the history still follows.
func Suspect(s *schedule.Suspicion, v *measurements.RoundVerdict, h *measurements.History) {
	for _, app := range v.All() {
		for _, t := range app.Targets {
			key := app.App + "/" + t.Target
			switch t.State {
			case measurements.OK:
				s.Clear(key)
			case measurements.Blocked, measurements.Throttled, measurements.Inconclusive:
				s.Suspect(key)
			}
		}
	}
	Resuspect(s, h)
}

// Resuspect puts what the history follows under suspicion: after a restart, for one.
func Resuspect(s *schedule.Suspicion, h *measurements.History) {
	open := h.Suspected(time.Now())
	for i := range open {
		s.Suspect(open[i].Key())
	}
	s.Follow(open)
	s.FollowTransfers(h.SuspectedTransfers())
}

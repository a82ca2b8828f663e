package measurements

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// What was not measured in a round is not known. A target that was left alone, since looking costs its
// household the app for a while, works no better for it: what stands there by the history stands until a
// look shows that it is over.

// notLooked are the reasons for a Skip that leave open whether what stood still stands: we chose not to
// look. A family that this machine has no more, or an address that is given no more, is not such a one.
var notLooked = []string{SkipPenalty, SkipResidual, SkipBudget, SkipTurn, SkipStopped}

// settle gives each app the state that its targets have by this round and, where the round left them
// alone, by what stands. Transfers are made in few rounds: what they found stands in those between.
func (v *RoundVerdict) settle(r *Round, at looked) {
	for i := range r.Apps {
		m := &r.Apps[i]
		app := v.Of(m.App)
		if app == nil {
			continue
		}
		carried := make([]State, len(app.Targets))
		for j := range app.Targets {
			t := &app.Targets[j]
			v.recall(m, t, at)
			if len(t.Unseen) > 0 && (t.State == Skipped || t.State == OK) {
				carried[j] = t.stands()
			}
			for _, reason := range t.Reasons {
				app.Reasons = append(app.Reasons, t.Target+": "+reason)
			}
		}
		app.Reasons = app.Reasons[:min(len(app.Reasons), maxReasons)]
		app.State = appState(m.Targets, app.Targets, carried)
	}
}

// recall notes what stands at those places of a target at which the round did not look.
func (v *RoundVerdict) recall(m *Measurement, t *TargetVerdict, at looked) {
	for _, s := range v.Standing {
		if s.App != m.App || s.Target != t.Target {
			continue
		}
		if ofTransfers(s.Signature) {
			if !at.at(&s) {
				t.Unseen = append(t.Unseen, s)
				t.Reasons = append(t.Reasons, fmt.Sprintf("no transfers in this round that tell: %s, found last %v ago", s.sentence(), v.Started.Sub(s.LastFailed).Round(time.Minute)))
			}
			continue
		}
		if t.measured(s.Layer, s.Family) {
			continue
		}
		if why := m.leftOut(t.Target, s.Family); why != "" {
			t.Unseen = append(t.Unseen, s)
			t.Reasons = append(t.Reasons, fmt.Sprintf("not measured in this round (%s): %s", why, s.sentence()))
		}
	}
}

// leftOut is why a target, or a part of it, was not looked at in a family; "" where that is not so.
func (m *Measurement) leftOut(target string, f Family) string {
	for i := range m.Skipped {
		if s := &m.Skipped[i]; s.Target == target && (s.Family == "" || s.Family == f) && slices.Contains(notLooked, s.Reason) {
			return s.Reason
		}
	}
	return ""
}

func (t *TargetVerdict) measured(l Layer, f Family) bool {
	return slices.ContainsFunc(t.Layers, func(e LayerVerdict) bool { return e.Layer == l && e.Family == f })
}

// stands is the state that the target would have if what stands unseen had been found again.
func (t *TargetVerdict) stands() State {
	for i := range t.Unseen {
		if t.Unseen[i].State() == Blocked {
			return Blocked
		}
	}
	return Throttled
}

// State is what a layer is called at which it stands.
func (s *Standing) State() State {
	if strings.HasPrefix(string(s.Signature), "throttle.") {
		return Throttled
	}
	return Blocked
}

// sentence says what stands, and since when.
func (s *Standing) sentence() string {
	return fmt.Sprintf("%s over %s stands since %s, %s", s.Signature, s.Family, s.Onset.UTC().Format("2006-01-02 15:04 MST"), s.Confidence)
}

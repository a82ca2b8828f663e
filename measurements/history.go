package measurements

import (
	"slices"
	"time"
)

// History is what earlier rounds taught: how near servers are, which findings stand and since when, and
// how often steps fail by themselves. A nil History is that of `once` without a store: rules then say
// less, never more. The zero value is that of a first round.
//
// A verdict holds for the network on which it was seen (DESIGN section 4, rule 11): every epoch of
// Vantage.Epoch has a history of its own, "" like any other, and they never mix.
type History struct {
	epochs  map[string]*Epoch
	current string // the epoch of the last round
}

// maxEpochs bounds the networks that are remembered; the one not seen for longest goes. Chosen by us:
// home, work, a few friends' and a telephone's.
const maxEpochs = 8

// epoch gives the history of a network; nil where there is none.
func (h *History) epoch(name string) *Epoch {
	if h == nil {
		return nil
	}
	return h.epochs[name]
}

// enter gives the history of a network to write in.
func (h *History) enter(name string, at time.Time) *Epoch {
	h.current = name
	e := h.epochs[name]
	if e == nil {
		h.makeRoom()
		e = newEpoch()
		if h.epochs == nil {
			h.epochs = map[string]*Epoch{}
		}
		h.epochs[name] = e
	}
	e.Seen = at
	return e
}

func (h *History) makeRoom() {
	for len(h.epochs) >= maxEpochs {
		oldest, first := "", true
		for name, e := range h.epochs {
			if first || e.Seen.Before(h.epochs[oldest].Seen) {
				oldest, first = name, false
			}
		}
		delete(h.epochs, oldest)
	}
}

// epochOf is the network on which a round was made: the gate's. Apps that were measured on another one,
// because the machine moved in mid-round, teach nothing and are not raised.
func epochOf(r *Round) string {
	if r.Gate.App == "" && len(r.Apps) > 0 {
		return r.Apps[0].Vantage.Epoch
	}
	return r.Gate.Vantage.Epoch
}

// nowhere says whether a round was made on no network, of a machine that names its networks: it is offline,
// and neither enters nor leaves any.
func (h *History) nowhere(r *Round) bool { return epochOf(r) == "" && h.current != "" }

// moved says whether the network changed in the course of the round: nobody knows then on which one a
// step was made.
func (r *Round) moved() bool {
	return r.Gate.Vantage.Moved || slices.ContainsFunc(r.Apps, func(m Measurement) bool { return m.Vantage.Moved })
}

// Learn takes a judged round into the history. One that moved teaches nothing.
func (h *History) Learn(r *Round, v *RoundVerdict) {
	if h.nowhere(r) || r.moved() {
		return
	}
	name, at := epochOf(r), r.Started.UTC().Round(0) // without the monotonic clock, which no file keeps
	e := h.enter(name, at)
	e.learnQUIC(&r.Gate)
	e.learnRTT(&r.Gate)
	for i := range r.Apps {
		if r.Apps[i].Vantage.Epoch == name {
			e.learnRTT(&r.Apps[i])
			e.learnAnswers(&r.Apps[i])
			e.learnHops(&r.Apps[i], at)
		}
	}
	said := map[placeKey]bool{}
	eachOutcome(r, v, func(k placeKey, o *outcome) {
		said[k] = true
		if p := e.record(k, at); p != nil {
			p.answered(o.forms, at)
			e.learn(p, p.advance(o, at, func(kind string) float64 { return e.benignRate(k, kind) }), at)
		}
	})
	e.forgetTransfers(said, at)
}

// forgetTransfers drops what transfers found where none has told anything for too long.
func (e *Epoch) forgetTransfers(said map[placeKey]bool, at time.Time) {
	for k, r := range e.places {
		if (k.Layer == layerStream || k.Layer == layerGoodput) && !said[k] {
			r.Open = slices.DeleteFunc(r.Open, func(s Series) bool { return s.stale(at) })
		}
	}
}

// Suspect is a series under suspicion, for the schedule: its target wants control N before every step,
// and an early visit, though never inside the residual time.
type Suspect struct {
	App, Target string
	Layer       Layer
	Family      Family
	Signature   Signature
	Confidence  Confidence
	Standing    bool      // it goes on, as far as is known
	Onset       time.Time // first failure
	Failed      time.Time // last failure
	Run         time.Time // first failure since the last success; zero after a success
}

// Turns says whether one address of the target in a round is enough to follow the finding: one that is said
// because of the name, wherever that is met, and already likely.
func (s *Suspect) Turns() bool {
	_, raised := repetitions[s.Signature]
	return raised && s.Layer != LayerDNS && s.Standing && confidenceRank(s.Confidence) >= confidenceRank(Likely)
}

// Key is the target's, as the schedule writes it.
func (s *Suspect) Key() string { return s.App + "/" + s.Target }

// maxSuspicion is how long after its last failure a series that does not stand wants early visits.
// Chosen by us: a block of 26 % is met again within a dozen visits, 97 times in 100.
const maxSuspicion = 2 * time.Hour

// Suspected lists the series that are open on the network of the last round, but for what transfers found: those
// that stand, and those that failed within the last hours and have not been explained by successes since.
func (h *History) Suspected(now time.Time) []Suspect {
	if h == nil || h.epochs[h.current] == nil {
		return nil
	}
	var out []Suspect
	for _, r := range h.epochs[h.current].sorted(func(r *record) bool { return len(r.Open) > 0 }) {
		for i := range r.Open {
			if s := &r.Open[i]; ofTransfers(s.Signature) {
				continue // an earlier visit alone tells nothing of it: SuspectedTransfers
			} else if s.Standing || now.Sub(s.Failed) < maxSuspicion {
				out = append(out, Suspect{r.App, r.Target, r.Layer, r.Family, s.Signature, s.Confidence, s.Standing, s.Onset, s.Failed, s.Run})
			}
		}
	}
	return out
}

package measurements

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
)

// historyFormat is the version of a history's JSON. Files without one are of the time before epochs.
const historyFormat = 2

type historyJSON struct {
	Format  int                  `json:"format"`
	Current string               `json:"current"`
	Epochs  map[string]epochJSON `json:"epochs"`
	// Keys of the time before epochs, read and not written.
	epochJSON
}

type epochJSON struct {
	Seen       *time.Time         `json:"seen,omitempty"`
	MinRTT     map[string]Seconds `json:"min_rtt,omitempty"`
	Answers    map[string]Failure `json:"answers,omitempty"`
	QUICWorked []Family           `json:"quic_families,omitempty"`
	Withdrawn  *time.Time         `json:"withdrawn,omitempty"`
	Places     []*record          `json:"places,omitempty"`
}

// MarshalJSON writes everything that the next process needs.
func (h *History) MarshalJSON() ([]byte, error) {
	out := historyJSON{Format: historyFormat, Current: h.current, Epochs: map[string]epochJSON{}}
	for name, e := range h.epochs {
		out.Epochs[name] = epochJSON{Seen: &e.Seen, MinRTT: e.MinRTT, Answers: e.Answers, QUICWorked: familiesOf(e.QUICWorked), Withdrawn: &e.Withdrawn, Places: e.sorted(func(*record) bool { return true })}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads a history. What is out of bounds, or can't come from us, is an error, and the
// history stays as it was: nothing is better than a past that never was. Of a file from before epochs
// the round-trip times go to the epoch "". Which findings stood is left behind: it did not say which of
// them any control had confirmed. So is the key "quic_worked", which did not say in which family: what one
// had would speak for the other. The next round learns it anew.
func (h *History) UnmarshalJSON(b []byte) error {
	var in historyJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	switch {
	case in.Format == 0 && in.Epochs == nil:
		in.Epochs = map[string]epochJSON{"": {MinRTT: in.MinRTT}}
	case in.Format != historyFormat:
		return fmt.Errorf("history: format %d is not known; this program reads %d", in.Format, historyFormat)
	}
	if len(in.Epochs) > maxEpochs {
		return fmt.Errorf("history: %d epochs, at most %d are kept", len(in.Epochs), maxEpochs)
	}
	out := History{epochs: map[string]*Epoch{}, current: in.Current}
	for name, e := range in.Epochs {
		epoch, err := e.read()
		if err != nil {
			return fmt.Errorf("history: epoch %.64q: %w", name, err)
		}
		out.epochs[name] = epoch
	}
	*h = out
	return nil
}

func familiesOf(set map[Family]bool) (out []Family) {
	for _, f := range []Family{IPv4, IPv6} {
		if set[f] {
			out = append(out, f)
		}
	}
	return out
}

func (in *epochJSON) read() (*Epoch, error) {
	e := newEpoch()
	for _, f := range in.QUICWorked {
		if f != IPv4 && f != IPv6 {
			return nil, fmt.Errorf("%.64q is no family", f)
		}
		e.QUICWorked[f] = true
	}
	if in.Seen != nil {
		e.Seen = *in.Seen
	}
	if in.Withdrawn != nil {
		e.Withdrawn = *in.Withdrawn
	}
	if len(in.MinRTT) > maxHistoryAddresses || len(in.Answers) > maxHistoryAddresses || len(in.Places) > maxHistoryPlaces {
		return nil, fmt.Errorf("%d addresses and %d places, at most %d and %d are kept", len(in.MinRTT), len(in.Places), maxHistoryAddresses, maxHistoryPlaces)
	}
	for addr, rtt := range in.MinRTT {
		if rtt < 0 {
			return nil, fmt.Errorf("address %.64q: a round-trip time below zero", addr)
		}
		e.MinRTT[addr] = rtt
	}
	for addr, answer := range in.Answers {
		if _, alert := answer.Alert(); !alert {
			return nil, fmt.Errorf("address %.64q: %.64q is no alert", addr, answer)
		}
		e.Answers[addr] = answer
	}
	for _, r := range in.Places {
		switch {
		case r == nil:
			return nil, fmt.Errorf("a place is null")
		case e.places[r.placeKey] != nil:
			return nil, fmt.Errorf("place %.64q twice", r.placeKey)
		}
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("place %.64q: %w", r.placeKey, err)
		}
		// Before transfers had places of their own, rounds without any counted as their successes.
		r.Open = slices.DeleteFunc(r.Open, func(s Series) bool { return followedIn(r.Layer, s.Signature) != r.Layer })
		e.places[r.placeKey] = r
	}
	e.recount()
	return e, nil
}

// check refuses what no round can have led to: a score that is not a number would make everything, or
// nothing, confirmed.
func (r *record) check() error {
	if len(r.HomeKind) > mostID {
		return fmt.Errorf("home_kind has more than %d bytes", mostID)
	}
	if len(r.Forms) > mostForms {
		return fmt.Errorf("%d forms, at most %d are kept", len(r.Forms), mostForms)
	}
	if r.Trials < 0 || r.Trials > mostTrials || len(r.Benign) > mostKinds || len(r.Open) > mostOpen {
		return fmt.Errorf("%d trials, %d kinds, %d series: out of bounds", r.Trials, len(r.Benign), len(r.Open))
	}
	for kind, t := range r.Benign {
		if t.Failures < 0 || t.Squares < t.Failures || t.Squares > math.MaxInt32 {
			return fmt.Errorf("%.64q failed %d times, in clusters of %d: impossible", kind, t.Failures, t.Squares)
		}
	}
	for i := range r.Open {
		if err := r.Open[i].check(); err != nil {
			return fmt.Errorf("series %.64q: %w", r.Open[i].Signature, err)
		}
	}
	return nil
}

func (s *Series) check() error {
	for _, score := range append(s.Scores[:], s.End) {
		if !(score >= 0 && score <= math.MaxInt32) {
			return fmt.Errorf("score %g is out of bounds", score)
		}
	}
	switch {
	case s.Kind != kindOf(s.Signature):
		return fmt.Errorf("kind %.64q does not fit", s.Kind)
	case s.Witnessed < 0 || s.Witnessed > s.Failures:
		return fmt.Errorf("%d of %d failures were witnessed", s.Witnessed, s.Failures)
	case s.Failures < 0 || s.Failures > s.Trials || s.Trials > math.MaxInt32:
		return fmt.Errorf("%d failures of %d trials", s.Failures, s.Trials)
	case s.NeutralFailed < 0 || s.NeutralFailed > s.Neutral || s.Neutral > math.MaxInt32:
		return fmt.Errorf("%d failures of %d neutral steps", s.NeutralFailed, s.Neutral)
	case confidenceRank(s.Confidence) < 0 || confidenceRank(s.Counted) < 0:
		return fmt.Errorf("confidences %.64q and %.64q are not known", s.Confidence, s.Counted)
	}
	return nil
}

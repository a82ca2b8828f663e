package measurements

import (
	"slices"
	"strings"
	"time"
)

// placeKey is where trials are made: one layer of a target in one family.
type placeKey struct {
	App    string `json:"app"`
	Target string `json:"target"`
	Layer  Layer  `json:"layer"`
	Family Family `json:"ip_family"`
}

// record is what is known of a place: the benign trials, and the series that are open there.
type record struct {
	placeKey
	LastOK  time.Time `json:"last_ok"`
	Counted time.Time `json:"counted"` // when its last trial was counted; all its series share it
	// Trials outside suspicion, and how those of them failed that did, by kind.
	Trials int              `json:"trials"`
	Benign map[string]Tally `json:"benign,omitempty"`
	// NeutralCounted is when a failure of control N alone was counted last.
	NeutralCounted time.Time `json:"neutral_counted"`
	Open           []Series  `json:"open,omitempty"`
	// Forms are those in which the app's own exchange was answered here, and when last (Observation.form).
	Forms map[string]time.Time `json:"forms,omitempty"`
	// AtHome is when a scan last found that handshakes die inside the home, and HomeKind how they do (Failure.Kind).
	AtHome   time.Time `json:"at_home,omitzero"`
	HomeKind string    `json:"home_kind,omitempty"`
}

// homeScanStands is how long a scan's word stands: a place is scanned once a day (probe, locatePause), in a round that
// may come a little later. Chosen by us.
const homeScanStands = 26 * time.Hour

// clone is a copy that can be advanced without touching the history.
func (r *record) clone() *record {
	out := *r
	out.Open = slices.Clone(r.Open)
	return &out
}

// outcome is what a round makes of one place.
type outcome struct {
	ok      bool // the layer was ok, and nothing else was found in it
	found   []found
	neutral []neutral
	forms   []string // in which the app's own exchange was answered
}

// found is a finding of the round: a trial that counts if its control passed and the target failed.
type found struct {
	signature  Signature
	confidence Confidence
	trial      bool
	witnessed  bool // it did not fail so for the reference vantage
}

// kindOf is the word in a signature that says how its trials fail: that of Failure.Kind in TLS, HTTP
// and QUIC. Benign rates are kept by it.
func kindOf(s Signature) string {
	_, rest, _ := strings.Cut(string(s), ".")
	kind, _, _ := strings.Cut(rest, ".")
	return kind
}

// neutral is what a trial's control met, whatever the target met.
type neutral struct {
	alone bool // it failed alone
	kind  string
}

// dropped is a suspicion that came to nothing, or a neutral name's failure: what failed was benign.
type dropped struct {
	kind             string
	failures, trials int
	withdrawn        bool // it was likely at once
}

// advance takes a round's outcome in, and gives what turned out benign. It is the one step of the
// history, also of the look ahead that judging takes. p0 bounds the benign rate of a kind.
func (r *record) advance(o *outcome, at time.Time, p0 func(kind string) float64) (benign []dropped) {
	r.rewind(at)
	benign = r.meetNeutral(o.neutral, at)
	fresh := at.Sub(r.Counted) >= Decorrelation
	if o.ok {
		if fresh && len(r.Open) == 0 {
			benign = append(benign, dropped{trials: 1})
		}
		benign = append(benign, r.pass(at, fresh, p0)...)
		r.LastOK = at
		if fresh {
			r.Counted = at
		}
		return benign
	}
	for _, f := range o.found {
		s := r.series(f, at)
		if s == nil {
			continue
		}
		counts := fresh && f.trial && s.apart(at)
		if counts && f.witnessed {
			s.Witnessed++
		}
		s.fail(at, f.confidence, f.trial, counts, s.benign(p0(s.Kind)))
		if counts {
			r.Counted = at
		}
	}
	r.supersede(at)
	return benign
}

// rewind pulls times of the future back to now: the clock was set back meanwhile, and waiting for what
// it said before could take years.
func (r *record) rewind(now time.Time) {
	back := func(times ...*time.Time) {
		for _, t := range times {
			if now.Before(*t) {
				*t = now
			}
		}
	}
	back(&r.LastOK, &r.Counted, &r.NeutralCounted, &r.AtHome)
	for i := range r.Open {
		s := &r.Open[i]
		back(&s.Onset, &s.LastOK, &s.Failed, &s.Passed, &s.Run, &s.Last)
	}
}

// superseded is how long a series stands that no round finds, while others are found in its place: the
// block has changed its means. Chosen by us: longer than the hours in which two take turns.
const superseded = 24 * time.Hour

func (r *record) supersede(at time.Time) {
	recent := slices.ContainsFunc(r.Open, func(s Series) bool { return s.Failed.Equal(at) })
	r.Open = slices.DeleteFunc(r.Open, func(s Series) bool { return recent && at.Sub(s.Failed) >= superseded })
}

// pass tells the open series of a success, and closes those that are over.
func (r *record) pass(at time.Time, fresh bool, p0 func(kind string) float64) (benign []dropped) {
	kept := r.Open[:0]
	for _, s := range r.Open {
		over, withdrawn := s.pass(at, fresh, s.benign(p0(s.Kind)))
		d := dropped{kind: s.Kind, withdrawn: withdrawn}
		if !over {
			kept = append(kept, s)
		} else if s.Counted == "" {
			d.failures, d.trials = s.Failures, s.Trials
		}
		if d != (dropped{kind: s.Kind}) {
			benign = append(benign, d)
		}
	}
	r.Open = kept
	return benign
}

// meetNeutral counts what control N met: for the series that are open, and for the benign rates.
func (r *record) meetNeutral(list []neutral, at time.Time) (benign []dropped) {
	for _, n := range list {
		for i := range r.Open {
			r.Open[i].Neutral++
			if n.alone && r.Open[i].Kind == n.kind {
				r.Open[i].NeutralFailed++
			}
		}
		if n.alone && at.Sub(r.NeutralCounted) >= Decorrelation {
			r.NeutralCounted = at
			benign = append(benign, dropped{kind: n.kind, failures: 1, trials: 1})
		}
	}
	return benign
}

// mostOpen bounds the open series of a place: findings of one layer are few, and exclude each other as a rule.
const mostOpen = 8

// series gives the open series of a finding; a new one where there is none; nil where there are too many.
func (r *record) series(f found, at time.Time) *Series {
	for i := range r.Open {
		if r.Open[i].Signature == f.signature {
			return &r.Open[i]
		}
	}
	if len(r.Open) >= mostOpen {
		return nil
	}
	r.Open = append(r.Open, Series{Signature: f.signature, Kind: kindOf(f.signature), Onset: at, LastOK: r.LastOK})
	return &r.Open[len(r.Open)-1]
}

// learn takes benign outcomes into the place's own sample. Both rates halve together, so that a line
// that has changed is learnt anew.
func (r *record) learn(d dropped) {
	r.Trials += d.trials
	if d.failures > 0 && (r.Benign[d.kind] != Tally{} || len(r.Benign) < mostKinds) {
		if r.Benign == nil {
			r.Benign = map[string]Tally{}
		}
		t := r.Benign[d.kind]
		t.cluster(d.failures)
		r.Benign[d.kind] = t
	}
	for r.Trials > mostTrials {
		r.Trials /= 2
		for kind, t := range r.Benign {
			r.Benign[kind] = t.half()
		}
	}
}

const (
	// mostTrials is how many trials a place remembers: half a year of them. Chosen by us.
	mostTrials = 13000
	// mostKinds bounds the kinds of failure that a place's rates know. An unknown one counts as one kind.
	mostKinds = 16
)

func (t Tally) half() Tally { return Tally{t.Failures / 2, t.Squares / 2} }

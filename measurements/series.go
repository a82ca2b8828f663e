package measurements

import (
	"fmt"
	"time"
)

// Series follows one finding of one place over rounds, from its first failure until nothing speaks for
// it any more. It is open while it is followed, and it stands while it is taken to go on: the two
// differ after a single failure, which the next success ends, but which is not forgotten at once.
type Series struct {
	Signature Signature `json:"signature"`
	Kind      string    `json:"kind"` // how its trials fail (kindOf)
	// Confidence is the highest that the rules, or repetition, ever gave while it stood.
	Confidence Confidence `json:"confidence"`
	Standing   bool       `json:"standing"`

	// Onset is an interval: from LastOK, zero if the layer never was ok here, to the first failure.
	Onset  time.Time `json:"onset"`
	LastOK time.Time `json:"last_ok"`
	// The end, when it comes, is one too: from Failed, the last failure, to Passed, the first success since.
	Failed time.Time `json:"failed"`
	Passed time.Time `json:"passed"` // zero after a failure
	Run    time.Time `json:"run"`    // first failure since the last success; zero after a success

	// Failures of Trials are counted, decorrelated, the last one at Last.
	Failures int       `json:"failures"`
	Trials   int       `json:"trials"`
	Last     time.Time `json:"last"`
	// Witnessed counts those of the failures that the reference vantage did not meet, of what transfers tell.
	Witnessed int `json:"witnessed,omitempty"`
	// Neutral is what control N met meanwhile: what it meets alone is no censor's doing.
	Neutral       int `json:"neutral"`
	NeutralFailed int `json:"neutral_failed"`

	Scores scores  `json:"scores"`
	End    float64 `json:"end"` // the mirrored test's score
	// Counted is the highest confidence that repetition alone gave.
	Counted Confidence `json:"counted,omitempty"`
}

// holds is the number of counted failures from which a single success no longer ends a series.
const holds = 2

// fail takes in that the finding was made again, at a confidence that the rules gave. It is a trial
// where the control had passed, and one more where the trials before lie far enough back.
func (s *Series) fail(at time.Time, given Confidence, trial, counts bool, p0 float64) {
	s.Failed, s.Passed, s.Standing = at, time.Time{}, true
	if s.Run.IsZero() {
		s.Run = at
	}
	if counts {
		s.Failures++
		s.count(true, p0)
		s.Last = at
	}
	if trial {
		s.Counted = higher(s.Counted, s.reached(at))
	}
	s.Confidence = higher(s.Confidence, higher(given, s.Counted))
}

// again says whether the finding came more than once, by trials that are no episode of one another.
func (s *Series) again() bool {
	return s.Failures >= holds || !s.Run.IsZero() && s.Failed.Sub(s.Run) >= Decorrelation
}

// pass takes in that the layer was ok, and says whether the series is over: dropped where nothing is
// left of the suspicion, ended where a finding stood and the mirrored test says that it no longer does.
// Withdrawn is what was likely at its first failure, and came to no second.
func (s *Series) pass(at time.Time, counts bool, p0 float64) (over, withdrawn bool) {
	withdrawn = s.Standing && s.Confidence == Likely && !s.again()
	s.Run = time.Time{}
	if s.Passed.IsZero() {
		s.Passed = at
	}
	if counts {
		s.count(false, p0)
	}
	if s.Failures < holds || s.over() {
		s.Standing = false
	}
	return !s.Standing && (s.over() || s.Scores == scores{}), withdrawn
}

// over says whether the mirrored test has come to its end.
func (s *Series) over() bool {
	if ofTransfers(s.Signature) {
		return s.End >= transfersEndedAt
	}
	return s.End >= endedAt
}

func (s *Series) count(failed bool, p0 float64) {
	s.Trials++
	s.Scores.add(failed, p0)
	s.End = endScore(s.End, failed, p0, s.Failures, s.Trials)
}

// reached is the confidence that repetition alone gives at a trial that failed.
func (s *Series) reached(at time.Time) Confidence {
	r, known := repetitions[s.Signature]
	switch score := s.Scores.most(); {
	case !known || score < likelyAt:
		return ""
	case score >= confirmedAt && r.Most != Likely && s.Failures >= confirmedTrials && at.Sub(s.Onset) >= r.span() && (!r.Witness || s.Witnessed >= confirmedTrials):
		return Confirmed
	}
	return Likely
}

// apart says whether a failure now is one more, or belongs to those before.
func (s *Series) apart(at time.Time) bool {
	r, known := repetitions[s.Signature]
	switch {
	case !known:
		return false
	case s.Last.IsZero():
		return true
	case !s.Run.IsZero() && !s.Last.Before(s.Run):
		return at.Sub(s.Last) >= max(r.Run, r.Apart)
	}
	return at.Sub(s.Last) >= r.Apart
}

// benign bounds p0 by what control N met while the series is open: a machine of a pool that is broken
// for every name makes the target fail alone as often as the neutral name. One failure may be chance.
func (s *Series) benign(p0 float64) float64 {
	if s.NeutralFailed < 2 {
		return p0
	}
	return max(p0, wilson(float64(s.NeutralFailed), float64(s.Neutral), 1))
}

// rate is the sentence that says how often it fails.
func (s *Series) rate() string {
	return fmt.Sprintf("failed in %d of %d trials since %s", s.Failures, s.Trials, s.Onset.UTC().Format("2006-01-02 15:04 MST"))
}

func higher(a, b Confidence) Confidence {
	if confidenceRank(b) > confidenceRank(a) {
		return b
	}
	return a
}

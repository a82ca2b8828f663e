package measurements

import (
	"strings"
	"testing"
	"time"
)

// pairOf is a pair of transfers as bytes and the time that they took: control N's, then the target's.
type pairOf struct {
	neutral, target Body
}

const wholeBody = 256 << 10

var (
	fast    = Body{Bytes: wholeBody, Active: Seconds(time.Second), Ended: EndedByBytes, Object: 1}
	crawls  = Body{Bytes: wholeBody, Active: Seconds(16 * time.Second), Ended: EndedByBytes, Object: 1}
	freezes = Body{Bytes: 20 << 10, Active: Seconds(time.Second), Ended: EndedByStall, Object: 1}
	page    = Body{Bytes: 20 << 10, Active: Seconds(time.Second), Ended: EndedComplete}
	file    = Body{Bytes: 96 << 10, Active: Seconds(6 * time.Second), Ended: EndedComplete}

	alike    = []pairOf{{fast, fast}}
	held     = []pairOf{{fast, crawls}, {fast, crawls}, {fast, crawls}}
	frozen   = []pairOf{{fast, freezes}}
	onePair  = []pairOf{{fast, crawls}}
	allSlow  = []pairOf{{crawls, crawls}, {crawls, crawls}, {crawls, crawls}}
	pages    = []pairOf{{page, page}}
	files    = []pairOf{{file, file}}
	bothStop = []pairOf{{freezes, freezes}}
)

// fetch makes a round in which the exchange passes, and these transfers are made.
func (h *home) fetch(pairs []pairOf) Round {
	h.t.Helper()
	r := h.round("", "")
	m := &r.Apps[0]
	m.Started, m.Reference = h.at, h.said(r.Started)
	exchange := Observation{Target: "chat", Operation: HTTPExchange, Transport: "tls", Family: IPv4, Endpoint: edge, Name: chatName, Conn: 2, Trial: 1, Started: h.at, HTTP: &HTTP{Status: 200, Verified: true}}
	m.Observations = append(m.Observations, exchange)
	for i, p := range pairs {
		for j, b := range []Body{p.neutral, p.target} {
			o := exchange
			o.Operation, o.Trial, o.Conn = Transfer, 2+i, 10+2*i+j
			o.Started = h.at.Add(time.Duration(2*i+j) * time.Minute)
			if o.Control, o.Transfer = N, &b; j == 1 {
				o.Control = T
			}
			if b.Ended == EndedByStall {
				o.Failure = Timeout
			}
			m.Observations = append(m.Observations, o)
		}
	}
	h.last = Judge(&r, h.h)
	h.h.Learn(&r, &h.last)
	h.at = h.at.Add(15 * time.Minute)
	return r
}

// said is R's word: it gets the object fast, and whole; nil where there is no R.
func (h *home) said(at time.Time) *Reference {
	if !h.reference {
		return nil
	}
	return &Reference{At: at, Targets: []ReferenceTarget{{Target: "chat", Transfers: []ReferenceTransfer{
		{Endpoint: edge, Name: chatName, Transport: "tls", At: at.Add(-4 * time.Hour), Bytes: wholeBody, Goodput: 10e6, Ended: EndedByBytes},
	}}}}
}

// a day of rounds, the first of which makes transfers.
func (h *home) fetchDaily(pairs []pairOf) {
	h.t.Helper()
	h.fetch(pairs)
	for range 4*24 - 1 {
		h.fetch(nil)
	}
}

// What transfers find outlives rounds that make none: they say nothing of it. It comes to be likely by rounds with
// transfers alone, and not by the pairs of one round; and confirmed where the reference vantage does not meet it.
func TestTransfersAreFollowedByThemselves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pairs     []pairOf
		signature Signature
		state     State
		reference bool
		most      Confidence
	}{
		"throttled":        {held, ThrottleSNI, Throttled, false, Likely},
		"cut off":          {frozen, TLSCutoffSNI, Blocked, false, Likely},
		"throttled, not R": {held, ThrottleSNI, Throttled, true, Confirmed},
		"cut off, not R":   {frozen, TLSCutoffSNI, Blocked, true, Confirmed},
	} {
		h := newHome(t)
		h.reference = c.reference
		h.fetchDaily(alike)
		onset := h.at
		for day := range 8 {
			h.fetchDaily(c.pairs)
			app := h.last.Apps[0]
			if app.State != c.state || app.Targets[0].State != OK || len(app.Targets[0].Unseen) != 1 || !strings.Contains(strings.Join(app.Reasons, " "), "found last 23h45m0s ago") {
				t.Fatalf("%s, day %d: %s between transfers: %v", name, day, app.State, app.Reasons)
			}
			want := string(c.signature) + " " + string(map[bool]Confidence{true: c.most, false: Suspected}[day > 5])
			if got := h.standing(); day == 0 && got != want || day > 5 && got != want {
				t.Errorf("%s, day %d: %s stands, want %s", name, day, got, want)
			}
		}
		s := h.last.Standing[0]
		if !s.Onset.Equal(onset) || !s.LastOK.Equal(onset.Add(-24*time.Hour)) || s.Failures != 8 || s.Trials != 8 || s.Layer != shownIn(c.signature) {
			t.Errorf("%s: %+v, began at %v", name, s, onset)
		}
		if !h.h.epoch("").Withdrawn.IsZero() {
			t.Errorf("%s: withdrawn by rounds that said nothing of it", name)
		}
		passed := 0
		for ; len(h.last.Ended) == 0 && passed < 20; passed++ {
			h.at = h.at.Add(8 * time.Hour)
			h.fetch(alike)
		}
		if passed < 2 || passed > 6 || len(h.last.Ended) != 1 || h.last.Ended[0].LastFailed.Before(s.LastFailed) || h.last.Ended[0].Passed.IsZero() {
			t.Errorf("%s: ended after %d rounds with good transfers: %+v", name, passed, h.last.Ended)
		}
	}
}

// Transfers that say nothing end nothing; what none has told of for days is over.
func TestTransfersThatSayNothing(t *testing.T) {
	t.Parallel()
	for name, pairs := range map[string][]pairOf{"none": nil, "a page": pages, "a file below what tells": files, "a line that is slow": allSlow, "a single pair": onePair} {
		h := newHome(t)
		h.fetch(held)
		for range 8 {
			h.at = h.at.Add(8 * time.Hour)
			if h.fetch(pairs); h.standing() != "throttle.sni suspected" || len(h.last.Ended) > 0 {
				t.Errorf("%s: %q stands, %v ended", name, h.standing(), h.last.Ended)
			}
		}
		h.at = h.at.Add(8 * time.Hour)
		if h.fetch(pairs); h.standing() != "" || len(h.last.Ended) != 1 || !h.last.Ended[0].Passed.IsZero() {
			t.Errorf("%s: after three days %q stands, %v ended", name, h.standing(), h.last.Ended)
		}
		if h.fetch(nil); h.standing() != "" || len(h.last.Ended) > 0 {
			t.Errorf("%s: it ends twice", name)
		}
	}
}

// A pair is a trial of each: does the stream go on, and how fast?
func TestTransferTrials(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pairs        []pairOf
		stream, rate Outcome
	}{
		"alike":           {alike, BothOK, BothOK},
		"throttled":       {held, BothOK, TargetOnlyFailed},
		"once slower":     {onePair, BothOK, ""},
		"all slow":        {allSlow, BothOK, BothFailed},
		"frozen":          {frozen, TargetOnlyFailed, ""},
		"both freeze":     {bothStop, BothFailed, ""},
		"neutral freezes": {[]pairOf{{freezes, fast}}, ControlOnlyFailed, ""},
		"neutral crawls":  {[]pairOf{{crawls, fast}, {crawls, fast}, {crawls, fast}}, BothOK, ControlOnlyFailed},
		"pages":           {pages, "", ""},
		"files":           {files, BothOK, ""},
	} {
		r := newHome(t).fetch(c.pairs)
		var stream, rate Outcome
		for _, trial := range Trials(&r.Apps[0], nil, nil) {
			if trial.followed == "" {
				continue
			}
			if trial.Layer == LayerTLS {
				stream = trial.Outcome
			} else {
				rate = trial.Outcome
			}
		}
		if stream != c.stream || rate != c.rate {
			t.Errorf("%s: stream %q, rate %q, want %q and %q", name, stream, rate, c.stream, c.rate)
		}
	}
}

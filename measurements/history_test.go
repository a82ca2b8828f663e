package measurements

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// A hard reset by name is likely at the first look, and confirmed within three hours, not before two.
// Looking again without learning (`once`) says the same; without a history it is likely.
func TestHardResetIsConfirmed(t *testing.T) {
	h := newHome(t)
	h.looks(24*time.Hour, always("", ""))
	onset := h.at
	if l := h.look(ConnectionReset, ""); l.Confidence != Likely {
		t.Fatalf("the first look says %s", l.Confidence)
	}
	for confirmed := time.Duration(0); confirmed == 0; {
		h.at = h.at.Add(15 * time.Minute)
		l, since := h.look(ConnectionReset, ""), h.at.Sub(onset)
		switch {
		case l.Confidence == Confirmed && since < 2*time.Hour:
			t.Fatalf("confirmed after %v", since)
		case l.Confidence == Confirmed:
			confirmed = since
		case since > 3*time.Hour:
			t.Fatalf("not confirmed after %v: %v", since, l.Reasons)
		}
	}
	r := h.round(ConnectionReset, "")
	for _, c := range []struct {
		h    *History
		want Confidence
	}{{h.h, Confirmed}, {nil, Likely}, {&History{}, Likely}} {
		v := Judge(&r, c.h)
		if got := v.Apps[0].Targets[0].Layers[2]; got.Confidence != c.want {
			t.Errorf("once says %s, want %s", got.Confidence, c.want)
		}
	}
	s := h.last.Standing[0]
	if !s.Onset.Equal(onset) || !s.LastOK.Equal(onset.Add(-15*time.Minute)) || s.Failures < 3 || s.Failures != s.Trials {
		t.Errorf("stands as %+v; the onset is %v", s, onset)
	}
}

// Partial blocking by silence is likely within a day, says its rate, and does not flap.
func TestPartialSilenceIsLikelyWithinADay(t *testing.T) {
	h := newHome(t)
	h.looks(7*24*time.Hour, always("", ""))
	rnd := rand.New(rand.NewPCG(6, 7))
	flaps, likely := 0, time.Time{}
	h.looks(5*24*time.Hour, func(i int) (Failure, Failure) {
		switch stands := h.standing(); {
		case likely.IsZero() && strings.Contains(stands, "tls.timeout.sni likely"):
			likely = h.at
		case !likely.IsZero() && stands == "":
			flaps++
		}
		if rnd.Float64() < 0.26 {
			return Timeout, ""
		}
		return "", ""
	})
	if d := likely.Sub(eight) - 7*24*time.Hour; likely.IsZero() || d > 24*time.Hour {
		t.Errorf("likely after %v", d)
	}
	if flaps > 0 {
		t.Errorf("it ended %d times in between", flaps)
	}
	l, s := h.look(Timeout, ""), h.last.Standing
	if len(s) != 1 || confidenceRank(l.Confidence) < confidenceRank(Likely) {
		t.Fatalf("%s, and %+v stands", l.Confidence, s)
	}
	if rate := float64(s[0].Failures) / float64(s[0].Trials); rate < 0.15 || rate > 0.4 {
		t.Errorf("a rate of 0.26 is told as %d of %d", s[0].Failures, s[0].Trials)
	}
	if want := fmt.Sprintf("failed in %d of %d trials since 2026-11-", s[0].Failures, s[0].Trials); !strings.Contains(fmt.Sprint(l.Reasons), want) {
		t.Errorf("no %q in %q", want, l.Reasons)
	}
}

// What must never grow by coming again and again, and how far it comes.
func TestInnocentRepetition(t *testing.T) {
	for _, c := range []struct {
		name string
		how  func(int) (Failure, Failure)
		// most is the highest confidence that may be said; "" is that nothing is called blocked.
		most Confidence
	}{
		{"nothing fails", always("", ""), ""},
		{"the server is down: N fails alike", always(ConnectionReset, ConnectionReset), ""},
		{"no control is made", always(ConnectionReset, "-"), ""},
		{"the server does not serve the name", always(TLSAlert(unrecognizedName), ""), ""},
		{"one name's machine is mute for a day", always(Timeout, ""), Likely},
		{"one name's machine hangs up for a day", always(EOF, ""), Likely},
		{"a certificate is missing for an evening", func(i int) (Failure, Failure) {
			if i < 40 {
				return TLSAlert(80), ""
			}
			return "", ""
		}, Likely},
		{"a handshake is lost twice a day", every(48, Timeout), Suspected},
		{"one machine of a pool resets every name", func(i int) (Failure, Failure) {
			switch i % 8 {
			case 0:
				return ConnectionReset, ""
			case 4:
				return "", ConnectionReset
			}
			return "", ""
		}, Likely},
	} {
		h := newHome(t)
		h.looks(48*time.Hour, always("", ""))
		most := Confidence("")
		h.looks(23*time.Hour, func(i int) (Failure, Failure) {
			for _, l := range h.last.Apps[0].Targets[0].Layers {
				if l.State == Blocked {
					most = higher(most, l.Confidence)
				}
			}
			return c.how(i)
		})
		if confidenceRank(most) > confidenceRank(c.most) {
			t.Errorf("%s: %s", c.name, most)
		}
	}
}

// An alert for one name is one event for as long as a certificate is missing: days of it are likely, never confirmed.
func TestAnAlertForDaysIsNotConfirmed(t *testing.T) {
	h := newHome(t)
	if l := h.look(TLSAlert(40), ""); l.Confidence != Suspected {
		t.Errorf("seen once: %s", l.Confidence)
	}
	if l := h.looks(9*24*time.Hour, always(TLSAlert(40), "")); l.Confidence != Likely {
		t.Errorf("after days: %s (%q)", l.Confidence, l.Reasons)
	}
}

// An unbroken silence is confirmed in the end: no outage of one name lasts for days.
func TestSilenceForDaysIsConfirmed(t *testing.T) {
	h := newHome(t)
	h.looks(24*time.Hour, always("", ""))
	if l := h.looks(9*24*time.Hour, always(Timeout, "")); l.Confidence != Confirmed {
		t.Errorf("after nine days: %s, %v", l.Confidence, l.Reasons)
	}
}

// Failures of one episode count once, however often one looks.
func TestEpisodesCountOnce(t *testing.T) {
	h := newHome(t)
	h.looks(24*time.Hour, always("", ""))
	for range 100 {
		h.look(Timeout, "")
		h.at = h.at.Add(10 * time.Second)
	}
	if l := h.look(Timeout, ""); l.Confidence != Suspected {
		t.Errorf("a hundred failures in a quarter of an hour are %s: %v", l.Confidence, l.Reasons)
	}
	if s := h.last.Standing; len(s) != 1 || s[0].Failures != 1 {
		t.Errorf("%+v, want one failure", s)
	}
}

// One failure ends with the next success; a block that was seen to stand ends by the test, and what
// comes later is another one.
func TestEndAndNextOnset(t *testing.T) {
	h := newHome(t)
	h.looks(24*time.Hour, always("", ""))
	h.look(ConnectionReset, "")
	h.at = h.at.Add(15 * time.Minute)
	if h.look("", ""); h.standing() != "" {
		t.Errorf("after one failure and a success %s stands", h.standing())
	}
	h = newHome(t)
	h.looks(24*time.Hour, always("", ""))
	h.looks(6*time.Hour, always(ConnectionReset, ""))
	h.look("", "")
	if h.standing() != "tls.reset.sni confirmed" {
		t.Errorf("one success after six hours of resets: %q stands", h.standing())
	}
	end := h.at
	for len(h.last.Ended) == 0 && h.at.Sub(end) < 24*time.Hour {
		h.at = h.at.Add(15 * time.Minute)
		h.look("", "")
	}
	if took := h.at.Sub(end); took < time.Hour || took > 12*time.Hour {
		t.Errorf("a block of six hours ended %v after its last failure", took)
	}
	if s := h.last.Ended; len(s) != 1 || !s[0].LastFailed.Equal(end.Add(-15*time.Minute)) || !s[0].Passed.Equal(end) || h.standing() != "" {
		t.Errorf("%+v ended; the end lies before %v", s, end)
	}
	h.at = h.at.Add(time.Hour)
	if l := h.look(ConnectionReset, ""); l.Confidence != Likely || !h.last.Standing[0].Onset.Equal(h.at) {
		t.Errorf("the next one is %s since %v", l.Confidence, h.last.Standing[0].Onset)
	}
}

// A finding that was likely at once and came to nothing makes the next one wait for its second look.
func TestWithdrawnFindings(t *testing.T) {
	h := newHome(t)
	h.looks(24*time.Hour, always("", ""))
	if l := h.look(ConnectionReset, ""); l.Confidence != Likely {
		t.Fatalf("the first is %s", l.Confidence)
	}
	h.at = h.at.Add(40 * time.Minute) // whenever one looks again
	h.looks(24*time.Hour, always("", ""))
	if l := h.look(ConnectionReset, ""); l.Confidence != Suspected || !strings.Contains(fmt.Sprint(l.Reasons), "withdrawn") {
		t.Errorf("the next is %s: %v", l.Confidence, l.Reasons)
	}
	if h.standing() != "tls.reset.sni suspected" {
		t.Errorf("%q stands", h.standing())
	}
	h.at = h.at.Add(25 * time.Minute)
	if l := h.look(ConnectionReset, ""); l.Confidence != Likely {
		t.Errorf("after it came again it is %s", l.Confidence)
	}
	h.at = h.at.Add(15 * time.Minute)
	h.looks(32*24*time.Hour, always("", ""))
	if l := h.look(ConnectionReset, ""); l.Confidence != Likely {
		t.Errorf("a month later it is %s: %v", l.Confidence, l.Reasons)
	}
}

// A block that changes its means is not two blocks for ever.
func TestSupersededSeriesEnd(t *testing.T) {
	h := newHome(t)
	h.looks(3*time.Hour, always(ConnectionReset, ""))
	h.looks(3*time.Hour, always(Timeout, ""))
	if !strings.Contains(h.standing(), "tls.reset.sni") || !strings.Contains(h.standing(), "tls.timeout.sni") {
		t.Errorf("%q stands, want both", h.standing())
	}
	if h.looks(24*time.Hour, always(Timeout, "")); h.standing() != "tls.timeout.sni likely" {
		t.Errorf("a day later %q stands", h.standing())
	}
}

// Networks never mix; one that was left is known again; the least recently used of many is forgotten.
func TestEpochs(t *testing.T) {
	h := newHome(t)
	h.epoch = "home"
	h.looks(4*time.Hour, always(ConnectionReset, ""))
	if h.standing() != "tls.reset.sni confirmed" {
		t.Fatalf("%q stands at home", h.standing())
	}
	h.epoch = "café"
	if l := h.look(ConnectionReset, ""); l.Confidence != Likely || len(h.h.Suspected(h.at)) != 1 {
		t.Errorf("another network begins with %s", l.Confidence)
	}
	h.epoch = "home"
	if l := h.look(ConnectionReset, ""); l.Confidence != Confirmed {
		t.Errorf("back at home it is %s", l.Confidence)
	}
	for i := range 20 {
		h.at = h.at.Add(time.Hour)
		h.epoch = fmt.Sprint("train ", i)
		h.look("", "")
	}
	if n := len(h.h.epochs); n != maxEpochs || h.h.epoch("home") != nil || h.h.epoch("train 19") == nil {
		t.Errorf("%d epochs are kept; home: %v", n, h.h.epoch("home"))
	}
}

// A machine that moves in mid-round teaches nothing of what it left.
func TestAppsOfAnotherEpochTeachNothing(t *testing.T) {
	h := newHome(t)
	r := h.round(ConnectionReset, "")
	r.Apps[0].Vantage.Epoch = "elsewhere"
	v := Judge(&r, h.h)
	if h.h.Learn(&r, &v); len(h.h.Suspected(h.at)) != 0 || h.h.epoch("elsewhere") != nil {
		t.Error("a measurement of another network was learnt")
	}
}

// What is open wants early visits: what stands, and what failed lately.
func TestSuspected(t *testing.T) {
	h := newHome(t)
	h.looks(24*time.Hour, always("", ""))
	if s := h.h.Suspected(h.at); len(s) != 0 {
		t.Errorf("on a clean line: %+v", s)
	}
	h.look(Timeout, "")
	h.at = h.at.Add(25 * time.Minute)
	h.look("", "")
	if s := h.h.Suspected(h.at); len(s) != 1 || s[0].Key() != "app/chat" || s[0].Standing || s[0].Signature != TLSTimeoutSNI {
		t.Errorf("after a failure and a success: %+v", s)
	}
	if s := h.h.Suspected(h.at.Add(3 * time.Hour)); len(s) != 0 {
		t.Errorf("hours later: %+v", s)
	}
	if s := (*History)(nil).Suspected(h.at); s != nil {
		t.Errorf("without a history: %+v", s)
	}
}

// A clock that was a year ahead must not make a year of deafness.
func TestClockSetBack(t *testing.T) {
	h := newHome(t)
	h.at = h.at.AddDate(1, 0, 0)
	h.looks(time.Hour, always(ConnectionReset, ""))
	h.at = eight
	if l := h.looks(4*time.Hour, always(ConnectionReset, "")); l.Confidence != Confirmed {
		t.Errorf("four hours of resets after the clock was set right: %s, %v", l.Confidence, l.Reasons)
	}
}

// Judging leaves the history as it was.
func TestJudgingIsPure(t *testing.T) {
	h := newHome(t)
	h.looks(4*time.Hour, every(3, ConnectionReset))
	before, _ := json.Marshal(h.h)
	for _, died := range []Failure{"", ConnectionReset, Timeout} {
		r := h.round(died, "")
		a, b := Judge(&r, h.h), Judge(&r, h.h)
		x, _ := json.Marshal(a)
		if y, _ := json.Marshal(b); string(x) != string(y) {
			t.Errorf("judged twice: %s and %s", x, y)
		}
	}
	if after, _ := json.Marshal(h.h); string(before) != string(after) {
		t.Errorf("judging changed the history:\n%s\n%s", before, after)
	}
}

// What works beside a place that was left alone because it fails is no success: neither another name of the
// target, nor the resolver's word for an address at which nobody looked. Another way there is.
func TestWhatWasLeftAloneDoesNotPass(t *testing.T) {
	for _, c := range []struct {
		name string
		skip Skip
		ends bool
	}{
		{"all was looked at", Skip{Target: "another", Family: IPv4, Layer: LayerTCP, Reason: SkipPenalty}, true},
		{"it is not due", Skip{Target: "chat", Family: IPv4, Layer: LayerTCP, Reason: SkipPenalty}, false},
		{"it rests", Skip{Target: "chat", Family: IPv4, Layer: LayerTCP, Reason: SkipResidual}, false},
		{"QUIC is not due", Skip{Target: "chat", Family: IPv4, Layer: LayerQUIC, Reason: SkipPenalty}, true},
		{"the other family rests", Skip{Target: "chat", Family: IPv6, Layer: LayerTCP, Reason: SkipResidual}, true},
		{"the budget is spent", Skip{Target: "chat", Family: IPv4, Layer: LayerTCP, Reason: SkipBudget}, true},
	} {
		h := newHome(t)
		h.looks(24*time.Hour, always("", ""))
		h.look(ConnectionReset, "")
		h.at = h.at.Add(30 * time.Minute)
		r := h.round("", "")
		r.Apps[0].Skipped = []Skip{c.skip}
		h.last = Judge(&r, h.h)
		h.h.Learn(&r, &h.last)
		if ended := h.standing() == ""; ended != c.ends {
			t.Errorf("%s: %q stands", c.name, h.standing())
		}
	}
	m := &Measurement{Skipped: []Skip{{Target: "chat", Family: IPv4, Layer: LayerTCP, Reason: SkipPenalty}}}
	dns := placeKey{"app", "chat", LayerDNS, IPv4}
	resolved := []LayerVerdict{{Layer: LayerDNS, Family: IPv4, State: OK}}
	if !leftAlone(m, dns, resolved) || leftAlone(m, dns, append(resolved, LayerVerdict{Layer: LayerTCP, Family: IPv4, State: OK})) {
		t.Error("a name is ok if an address of it answered, and only then")
	}
}

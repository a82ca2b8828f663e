package measurements

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func restarted(t testing.TB, h *History) *History {
	t.Helper()
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out := &History{}
	if err := json.Unmarshal(b, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// A restart after every round changes nothing of what is said.
func TestHistorySurvivesRestarts(t *testing.T) {
	for name, how := range map[string]func(int) (Failure, Failure){
		"resets":         always(ConnectionReset, ""),
		"some silence":   every(3, Timeout),
		"nothing at all": always("", ""),
	} {
		a, b := newHome(t), newHome(t)
		a.epoch, b.epoch = "home", "home"
		for i := range 30 {
			for _, h := range []*home{a, b} {
				h.look(how(i))
				h.at = h.at.Add(15 * time.Minute)
			}
			b.h = restarted(t, b.h)
			x, _ := json.Marshal(a.last)
			if y, _ := json.Marshal(b.last); !bytes.Equal(x, y) {
				t.Fatalf("%s, round %d: with restarts %s\nwithout %s", name, i, y, x)
			}
		}
		x, _ := json.Marshal(a.h)
		if y, _ := json.Marshal(b.h); !bytes.Equal(x, y) {
			t.Errorf("%s: with restarts the history is %s\nwithout %s", name, y, x)
		}
	}
}

// A file of the time before epochs gives what does not depend on how findings were followed.
func TestHistoryOfTheTimeBeforeEpochs(t *testing.T) {
	var h History
	old := `{"min_rtt":{"192.0.2.10":0.04},"found":{"app|chat|tls|ipv4|tls.reset.sni":"2026-11-23T08:00:00Z"},"quic_worked":true}`
	if err := json.Unmarshal([]byte(old), &h); err != nil {
		t.Fatal(err)
	}
	e := h.epoch("")
	if e == nil || e.MinRTT["192.0.2.10"] != Seconds(40*time.Millisecond) || len(e.QUICWorked) != 0 || len(e.places) != 0 {
		t.Errorf("%+v", e)
	}
	home := newHome(t)
	home.h = &h
	if l := home.look(Timeout, ""); l.Confidence != Suspected {
		t.Errorf("the first look after it says %s", l.Confidence)
	}
	for _, empty := range []string{`{}`, `{"format":2,"epochs":{}}`, `{"min_rtt":null,"found":null}`} {
		if err := json.Unmarshal([]byte(empty), &h); err != nil {
			t.Errorf("%s: %v", empty, err)
		}
	}
}

// What can't come from us is refused with a word on what is wrong, and the history stays as it was.
func TestHostileHistories(t *testing.T) {
	place := func(rest string) string {
		return `{"format":2,"epochs":{"":{"places":[{"app":"app","target":"chat","layer":"tls","ip_family":"ipv4"` + rest + `}]}}}`
	}
	series := func(rest string) string {
		return place(`,"open":[{"signature":"tls.reset.sni","kind":"reset","confidence":"likely","scores":[0,0,0]` + rest + `}]`)
	}
	var many strings.Builder
	for range maxEpochs + 1 {
		many.WriteString(`,"` + strings.Repeat("x", many.Len()) + `":{}`)
	}
	for text, want := range map[string]string{
		`[]`:                        "cannot unmarshal",
		`{"format":3,"epochs":{}}`:  "format 3",
		`{"format":-1,"epochs":{}}`: "format -1",
		`{"epochs":{}}`:             "format 0",
		`{"format":2,"epochs":{` + many.String()[1:] + `}}`:          "9 epochs",
		`{"format":2,"epochs":{"":{"places":[null]}}}`:               "null",
		`{"format":2,"epochs":{"":{"min_rtt":{"192.0.2.1":-1}}}}`:    "below zero",
		`{"format":2,"epochs":{"":{"min_rtt":{"192.0.2.1":1e300}}}}`: "out of bounds",
		`{"format":2,"epochs":{"":{"quic_families":["ipv5"]}}}`:      "no family",
		place(`,"trials":-1`):                                   "out of bounds",
		place(`,"trials":99999999`):                             "out of bounds",
		place(`,"benign":{"reset":{"failures":5,"squares":1}}`): "impossible",
		series(`,"scores":[1e300,0,0]`):                         "score",
		series(`,"scores":[-1,0,0]`):                            "score",
		series(`,"end":1e99`):                                   "score",
		series(`,"failures":3,"trials":2`):                      "3 failures of 2",
		series(`,"witnessed":1`):                                "witnessed",
		series(`,"neutral_failed":3`):                           "neutral",
		series(`,"confidence":"certain"`):                       "certain",
		series(`,"kind":"timeout"`):                             "kind",
		series(`,"onset":"yesterday"`):                          "parsing time",
		strings.Replace(place(""), `}]`, `},{"app":"app","target":"chat","layer":"tls","ip_family":"ipv4"}]`, 1): "twice",
	} {
		h := newHome(t)
		h.looks(time.Hour, always(ConnectionReset, ""))
		err := json.Unmarshal([]byte(text), h.h)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.120s: %v, want a word on %q", text, err, want)
		}
		if l := h.look(ConnectionReset, ""); err != nil && !strings.Contains(strings.Join(l.Reasons, " "), "of 3 trials") {
			t.Errorf("%.120s: the history did not stay as it was: %v", text, l.Reasons)
		}
	}
	h := newHome(t)
	if err := json.Unmarshal([]byte(series("")), h.h); err != nil {
		t.Errorf("a series that can be was refused: %v", err)
	}
}

// A full history fits the store's bound on a state, and stays within its own.
func TestHistoryIsBounded(t *testing.T) {
	h := newHome(t)
	for i := range maxHistoryPlaces + 50 {
		r := h.round(Timeout, "")
		r.Apps[0].Targets[0].ID = strings.Repeat("x", 1+i%40) + string(rune('a'+i/40))
		for j := range r.Apps[0].Observations {
			r.Apps[0].Observations[j].Target = r.Apps[0].Targets[0].ID
		}
		v := Judge(&r, h.h)
		h.h.Learn(&r, &v)
	}
	e := h.h.epoch("")
	if len(e.places) > maxHistoryPlaces {
		t.Errorf("%d places", len(e.places))
	}
	b, err := json.Marshal(h.h)
	if err != nil || len(b)*maxEpochs > 8<<20 {
		t.Errorf("%d bytes an epoch: %v", len(b), err)
	}
	restarted(t, h.h)
}

// Whatever a state file holds, it is refused or is a history with which one can go on.
func FuzzHistory(f *testing.F) {
	h := newHome(f)
	h.looks(3*time.Hour, every(2, ConnectionReset))
	seed, _ := json.Marshal(h.h)
	f.Add(seed)
	f.Add([]byte(`{"min_rtt":{"192.0.2.10":0.04},"found":{},"quic_worked":true}`))
	f.Add([]byte(`{"format":2,"epochs":{"":{"quic_worked":true,"quic_families":["ipv4","ipv6"]}}}`))
	f.Add([]byte(`{"format":2,"current":"","epochs":{"":{"places":[{"app":"app","target":"chat","layer":"tls","ip_family":"ipv4","open":[{"signature":"tls.timeout.sni","kind":"timeout"}]}]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		h := newHome(t)
		if json.Unmarshal(data, h.h) != nil {
			return
		}
		h.looks(time.Hour, every(2, Timeout))
		h.h.Suspected(h.at)
		b, err := json.Marshal(h.h)
		if err != nil {
			t.Fatalf("a history that was read can't be written: %v", err)
		}
		if err := json.Unmarshal(b, &History{}); err != nil {
			t.Fatalf("a history that was written can't be read: %v", err)
		}
	})
}

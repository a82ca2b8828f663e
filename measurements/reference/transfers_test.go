package reference

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

func fetched(active time.Duration, ended string, verified bool) measurements.Observation {
	o := step(measurements.Transfer, "", measurements.T)
	o.Name, o.Transport, o.Started, o.HTTP = "web.telegram.org", "tls", at.Add(time.Minute), &measurements.HTTP{Status: 200, Verified: verified}
	o.Transfer = &measurements.Body{Bytes: 256 << 10, Active: measurements.Seconds(active), Ended: ended}
	if ended == measurements.EndedByStall {
		o.Failure = measurements.Timeout
	}
	return o
}

// Of sums up what was fetched under the target's own name, from whoever proved that he is the target.
func TestOfTransfers(t *testing.T) {
	neutral, six, foreign := fetched(time.Second, measurements.EndedByBytes, true), fetched(time.Second, measurements.EndedByBytes, true), fetched(time.Second, measurements.EndedByBytes, false)
	neutral.Control, six.Family = measurements.N, measurements.IPv6
	for name, c := range map[string]struct {
		seen []measurements.Observation
		rate float64
		end  string // "" where nothing is told
	}{
		"three":               {[]measurements.Observation{fetched(time.Second, measurements.EndedByBytes, true), fetched(4*time.Second, measurements.EndedByBytes, true), fetched(2*time.Second, measurements.EndedByBytes, true)}, 8 * (256 << 10) / 2, measurements.EndedByBytes},
		"a stall":             {[]measurements.Observation{fetched(time.Second, measurements.EndedByStall, true)}, 0, measurements.EndedByStall},
		"with a neutral name": {[]measurements.Observation{neutral}, 0, ""},
		"an imposter's":       {[]measurements.Observation{foreign}, 0, ""},
		"a dead family's":     {[]measurements.Observation{six}, 0, ""},
	} {
		a, _ := Of(round(append(c.seen, step(measurements.Connect, "", measurements.T))...), verdict(measurements.LayerVerdict{Layer: measurements.LayerTCP, Family: measurements.IPv4, State: measurements.OK}))
		list := a.Apps[0].Targets[0].Transfers
		if (len(list) == 1) != (c.end != "") || c.end != "" && (list[0].Goodput != c.rate || list[0].Ended != c.end || list[0].Bytes != 256<<10 || !list[0].At.Equal(at.Add(time.Minute))) {
			t.Errorf("%s: %+v", name, list)
		}
		if _, err := Sign(&a, secret); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func told(when time.Time, goodput float64) *Answer {
	a := sample()
	a.Time, a.Apps[0].Targets[0].Transfers = when, []measurements.ReferenceTransfer{{Endpoint: "203.0.113.1:443", Name: "web.telegram.org", Transport: "tls", At: when, Bytes: 256 << 10, Goodput: goodput, Ended: measurements.EndedByBytes}}
	return a
}

// What was fetched in an earlier round is told until it is too old, or fetched again.
func TestKeep(t *testing.T) {
	last := func(a *Answer) float64 {
		list := a.Apps[0].Targets[0].Transfers
		if len(list) == 0 {
			return 0
		}
		return list[len(list)-1].Goodput
	}
	for name, c := range map[string]struct {
		now  *Answer
		want float64
	}{
		"not fetched since": {&Answer{Time: at.Add(measurements.ReferenceTransferMaxAge), Apps: sample().Apps}, 1},
		"too old":           {&Answer{Time: at.Add(measurements.ReferenceTransferMaxAge + 1), Apps: sample().Apps}, 0},
		"fetched again":     {told(at.Add(time.Hour), 2), 2},
	} {
		if c.now.Keep(told(at, 1)); last(c.now) != c.want || len(c.now.Apps[0].Targets[0].Transfers) > 1 {
			t.Errorf("%s: %+v", name, c.now.Apps[0].Targets[0].Transfers)
		}
	}
	first := told(at, 1)
	if first.Keep(nil); last(first) != 1 {
		t.Error("a first answer says nothing of what it fetched")
	}
}

// What can't be a transfer is refused by whoever asks.
func TestHostileTransfers(t *testing.T) {
	body, err := Sign(told(at, 1), secret)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := Open(body, public, at); err != nil || len(a.Apps[0].Targets[0].Transfers) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	for name, edit := range map[string]func(*measurements.ReferenceTransfer){
		"no endpoint":       func(r *measurements.ReferenceTransfer) { r.Endpoint = "web" },
		"a long name":       func(r *measurements.ReferenceTransfer) { r.Name = string(bytes.Repeat([]byte("a"), maxText+1)) },
		"another transport": func(r *measurements.ReferenceTransfer) { r.Transport = "tcp" },
		"no time":           func(r *measurements.ReferenceTransfer) { r.At = time.Time{} },
		"less than nothing": func(r *measurements.ReferenceTransfer) { r.Bytes = -1 },
		"a negative rate":   func(r *measurements.ReferenceTransfer) { r.Goodput = -1 },
		"no rate at all":    func(r *measurements.ReferenceTransfer) { r.Goodput = math.NaN() },
		"too fast":          func(r *measurements.ReferenceTransfer) { r.Goodput = 2 * mostRate },
		"no end":            func(r *measurements.ReferenceTransfer) { r.Ended = "" },
	} {
		a := told(at, 1)
		edit(&a.Apps[0].Targets[0].Transfers[0])
		if err := a.check(); err == nil || errors.Is(err, errSchema) {
			t.Errorf("%s: %v", name, err)
		}
	}
	many := told(at, 1)
	many.Apps[0].Targets[0].Transfers = make([]measurements.ReferenceTransfer, maxEntries+1)
	if err := many.check(); !errors.Is(err, errLarge) {
		t.Errorf("many: %v", err)
	}
}

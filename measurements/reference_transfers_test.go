package measurements

import (
	"testing"
	"time"
)

// What meets the reference vantage alike is nobody's throttling; what does not is worth more than it was, and its word
// counts for the very object, and while it is young.
func TestTransfersAtReference(t *testing.T) {
	t.Parallel()
	ended := func(goodput float64, bytes int64, how string) ReferenceTransfer {
		return ReferenceTransfer{Endpoint: here, Name: "files.shelf.example", Transport: "tls", At: eight.Add(-time.Hour), Bytes: bytes, Goodput: goodput, Ended: how}
	}
	fast, slow, whole, cut := ended(10e6, wholeBody, EndedByBytes), ended(140e3, wholeBody, EndedByBytes), ended(0, 96<<10, EndedComplete), ended(0, 14<<10, EndedByStall)
	old, elsewhere, other := slow, slow, slow
	old.At, elsewhere.Endpoint, other.Name = eight.Add(-ReferenceTransferMaxAge-time.Minute), there, "other.shelf.example"
	held := func(control Control, active time.Duration) Observation {
		return Observation{Target: "files", Operation: Transfer, Transport: "tls", Family: IPv4, Endpoint: here, Control: control, Name: "files.shelf.example", Started: eight,
			HTTP: &HTTP{Status: 200}, Transfer: &Body{Bytes: wholeBody, Active: Seconds(active), Ended: EndedByBytes, Object: 1}}
	}
	stalled := func(control Control, bytes int64) Observation {
		o := held(control, time.Second)
		o.Failure, o.Transfer = Timeout, &Body{Bytes: bytes, Ended: EndedByStall, Object: 1}
		return o
	}
	named := []Observation{held(N, time.Second), held(T, 15*time.Second), held(N, time.Second), held(T, 15*time.Second), held(N, time.Second), held(T, 15*time.Second)}
	frozen := []Observation{held(N, time.Second), stalled(T, 14<<10)}
	all := []Observation{stalled(N, 14<<10), stalled(T, 14<<10)}
	for name, c := range map[string]struct {
		seen []Observation
		says ReferenceTransfer
		goes bool // a neutral host's stream goes on
		want State
	}{
		"slow by name, fast for R":              {named, fast, true, Throttled},
		"slow by name, and for R":               {named, slow, true, Inconclusive},
		"slow by name, R's word is old":         {named, old, true, Throttled},
		"slow by name, R fetched elsewhere":     {named, elsewhere, true, Throttled},
		"slow by name, R fetched another name":  {named, other, true, Throttled},
		"cut by name, whole for R":              {frozen, whole, true, Blocked},
		"cut by name, and for R":                {frozen, cut, true, Inconclusive},
		"cut whatever the name, whole for R":    {all, whole, true, Blocked},
		"cut whatever the name, and for R":      {all, cut, true, Inconclusive},
		"every stream here is cut, whole for R": {all, whole, false, Inconclusive},
	} {
		m := &Measurement{App: "shelf", Started: eight, Observations: c.seen, Reference: &Reference{At: eight, Targets: []ReferenceTarget{{Target: "files", Transfers: []ReferenceTransfer{c.says}}}}}
		l := &Line{}
		if c.goes {
			l.rates = []neutralRate{{family: IPv4, operator: "a", at: eight, bytes: 40 << 10}}
		}
		v := newView(m, &Measurement{}, l, nil)
		v.targets["files"] = TargetInfo{ID: "files"}
		if f := judge(ofToday(append(volumeRules, throttleRules...)), v.volumeCases()[0]); f.State != c.want || confidenceRank(f.Confidence) > confidenceRank(Suspected) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

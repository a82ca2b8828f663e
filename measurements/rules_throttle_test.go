package measurements

import (
	"testing"
	"time"
)

// A name whose object comes slowly, while a neutral one's comes fast, is likely held back where both are one object and
// it was so hours ago; else it is suspected.
func TestSlowWithName(t *testing.T) {
	t.Parallel()
	transfer := func(control Control, active time.Duration, object, status int) Observation {
		return Observation{Target: "files", Operation: Transfer, Transport: "tls", Family: IPv4, Endpoint: here, Control: control, Name: "files.shelf.example",
			HTTP: &HTTP{Status: status}, Transfer: &Body{Bytes: 256 << 10, Active: Seconds(active), Ended: EndedByBytes, Object: object}}
	}
	for what, test := range map[string]struct {
		object int
		status int
		before time.Duration // the same finding stood so long ago; 0: it did not
		want   Confidence
	}{
		"once":                        {1, 200, 0, Suspected},
		"again":                       {1, 200, 8 * time.Hour, Likely},
		"within hours":                {1, 200, 4 * time.Hour, Suspected},
		"again, another object":       {2, 200, 8 * time.Hour, Suspected},
		"again, nobody knows what":    {0, 200, 8 * time.Hour, Suspected},
		"again, and a page of errors": {1, 404, 8 * time.Hour, Suspected},
	} {
		m := &Measurement{App: "shelf"}
		for range 3 {
			m.Observations = append(m.Observations, transfer(N, time.Second, test.object, test.status), transfer(T, 20*time.Second, 1, 200))
		}
		e := newEpoch()
		if test.before > 0 {
			e.record(placeKey{"shelf", "files", layerGoodput, IPv4}, eight).Open = []Series{{Signature: ThrottleSNI, Run: eight.Add(-test.before)}}
		}
		v := newView(m, &Measurement{}, &Line{}, &past{e, eight})
		v.targets["files"] = TargetInfo{ID: "files"}
		f := judge(ofToday(throttleRules), v.volumeCases()[0])
		if f.State != Throttled || f.Confidence != test.want {
			t.Errorf("%s: %+v", what, f)
		}
	}
}

// A stream that freezes under the target's name alone is likely cut off where both names lead to one object, and it
// came again; else it is suspected.
func TestCutWithName(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		object int // of the neutral transfer
		before time.Duration
		want   Confidence
	}{
		"once":                     {1, 0, Suspected},
		"again":                    {1, 8 * time.Hour, Likely},
		"within hours":             {1, 4 * time.Hour, Suspected},
		"again, another object":    {2, 8 * time.Hour, Suspected},
		"again, nobody knows what": {0, 8 * time.Hour, Suspected},
	} {
		n := Observation{Target: "files", Operation: Transfer, Transport: "tls", Family: IPv4, Endpoint: here, Control: N, HTTP: &HTTP{Status: 200}, Transfer: &Body{Bytes: 96 << 10, Ended: EndedComplete, Object: test.object}}
		cut := n
		cut.Control, cut.Failure, cut.Transfer = T, Timeout, &Body{Bytes: 14 << 10, Ended: EndedByStall, Object: 1}
		e := newEpoch()
		if test.before > 0 {
			e.record(placeKey{"shelf", "files", layerStream, IPv4}, eight).Open = []Series{{Signature: TLSCutoffSNI, Run: eight.Add(-test.before)}}
		}
		v := newView(&Measurement{App: "shelf", Observations: []Observation{n, cut}}, &Measurement{}, &Line{}, &past{e, eight})
		v.targets["files"] = TargetInfo{ID: "files"}
		if f := judge(ofToday(volumeRules), v.volumeCases()[0]); f.State != Blocked || f.Confidence != test.want {
			t.Errorf("%s: %+v", what, f)
		}
	}
}

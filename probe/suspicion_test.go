package probe

import (
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// A target that works in this round is cleared, unless the history still follows one of its findings:
// what blocks some of the trials is met again only with control N at hand.
func TestOneGoodRoundDoesNotClearWhatIsFollowed(t *testing.T) {
	var h measurements.History
	at := time.Now().Add(-time.Minute)
	say := func(target string, l measurements.LayerVerdict, state measurements.State) *measurements.RoundVerdict {
		l.Layer, l.Family = measurements.LayerTLS, measurements.IPv4
		r := measurements.Round{Started: at, Apps: []measurements.Measurement{{App: "app"}}}
		v := &measurements.RoundVerdict{Apps: []measurements.AppVerdict{{App: "app", Targets: []measurements.TargetVerdict{
			{Target: target, State: state, Layers: []measurements.LayerVerdict{l}},
		}}}}
		h.Learn(&r, v)
		at = at.Add(time.Second)
		return v
	}
	blocked := measurements.LayerVerdict{State: measurements.Blocked, Signature: measurements.TLSResetSNI, Confidence: measurements.Likely}
	var s schedule.Suspicion
	Suspect(&s, say("chat", blocked, measurements.Blocked), &h)
	s.Suspect("app/media")
	if !s.Suspected("app/chat") {
		t.Error("what was just blocked is not suspected")
	}
	Suspect(&s, say("media", measurements.LayerVerdict{State: measurements.OK}, measurements.OK), &h)
	if s.Suspected("app/media") || !s.Suspected("app/chat") {
		t.Errorf("media, which works: %v; chat, which stands blocked: %v", s.Suspected("app/media"), s.Suspected("app/chat"))
	}
	var again schedule.Suspicion // that of the next process
	if Resuspect(&again, &h); !again.Suspected("app/chat") {
		t.Error("after a restart nothing is suspected")
	}
}

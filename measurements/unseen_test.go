package measurements

import (
	"strings"
	"testing"
	"time"
)

// A target that a round left alone keeps its state; what stands there is shown, and the app goes by it. A family
// that this machine has no more says nothing.
func TestWhatStandsIsCarriedOverALeftOutTarget(t *testing.T) {
	const app = "telegram"
	onset := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	stands := Standing{App: app, Target: "web", Layer: LayerTLS, Family: IPv4, Signature: TLSResetSNI, Confidence: Confirmed, Onset: onset}
	elsewhere := stands
	elsewhere.App = "other"
	for _, c := range []struct {
		name   string
		web    TargetVerdict
		skip   Skip
		want   State
		unseen int
	}{
		{"left alone", TargetVerdict{State: Skipped}, Skip{Target: "web", Family: IPv4, Reason: SkipPenalty}, Partial, 1},
		{"the budget is spent", TargetVerdict{State: Skipped}, Skip{Target: "web", Reason: SkipBudget}, Partial, 1},
		{"the other family works", TargetVerdict{State: OK, Layers: []LayerVerdict{{Layer: LayerTLS, Family: IPv6, State: OK}}}, Skip{Target: "web", Family: IPv4, Reason: SkipResidual}, Partial, 1},
		{"it was measured", TargetVerdict{State: OK, Layers: []LayerVerdict{{Layer: LayerTLS, Family: IPv4, State: OK}}}, Skip{Target: "web", Family: IPv4, Reason: SkipPenalty}, OK, 0},
		{"this machine has no such family", TargetVerdict{State: OK, Layers: []LayerVerdict{{Layer: LayerTLS, Family: IPv6, State: OK}}}, Skip{Target: "web", Family: IPv4, Reason: SkipNoFamily}, OK, 0},
		{"something else failed", TargetVerdict{State: Local}, Skip{Target: "web", Family: IPv4, Reason: SkipPenalty}, Local, 1},
	} {
		c.web.Target = "web"
		v := RoundVerdict{Standing: []Standing{elsewhere, stands}, Apps: []AppVerdict{{App: app, Targets: []TargetVerdict{c.web, {Target: "dc1", State: OK}}}}}
		r := Round{Apps: []Measurement{{App: app, Targets: []TargetInfo{{ID: "web", Essential: true}, {ID: "dc1", Essential: true}}, Skipped: []Skip{c.skip}}}}
		v.settle(&r, nil)
		got := v.Apps[0]
		if got.State != c.want || len(got.Targets[0].Unseen) != c.unseen || got.Targets[0].State != c.web.State || len(got.Targets[1].Unseen) > 0 {
			t.Errorf("%s: %+v", c.name, got)
		}
		if c.unseen > 0 && !strings.Contains(strings.Join(got.Reasons, " "), "web: not measured in this round ("+c.skip.Reason+"): tls.reset.sni over ipv4 stands since 2026-11-26 08:00 UTC, confirmed") {
			t.Errorf("%s: %q", c.name, got.Reasons)
		}
	}
}

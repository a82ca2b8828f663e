package metrics

import (
	"testing"

	ms "github.com/telltale-probe/telltale/measurements"
)

// A round that the daily budget cut short is counted once; one whose transfers in pairs were left out is whole.
func TestRoundsCutShortByTheBudget(t *testing.T) {
	m := New(one())
	for i, skipped := range [][]ms.Skip{
		{{Target: "web", Layer: ms.LayerTCP, Endpoint: "192.0.2.1:443", Reason: ms.SkipBudget}, {Target: "web", Layer: ms.LayerQUIC, Endpoint: "192.0.2.1:443", Reason: ms.SkipBudget}},
		{{Target: "web", Layer: ms.LayerHTTP, Endpoint: "192.0.2.1:443", Reason: ms.SkipBudget}},
		{{Target: "web", Layer: ms.LayerTCP, Endpoint: "192.0.2.1:443", Reason: ms.SkipResidual}},
		nil,
	} {
		r, v := round(one(), eight, clean)
		r.Apps[0].Skipped = skipped
		m.Observe(r, v)
		wantValue(t, m, 1, "telltale_rounds_skipped_total", "reason", "budget")
		wantValue(t, m, float64(i+1), "telltale_rounds_total")
	}
}

package metrics

import (
	"testing"
	"time"

	ms "github.com/telltale-probe/telltale/measurements"
)

// What is found at placebos stands beside the gate, under app="control", and leaves the line's state alone.
func TestPlaceboFindingsAreExported(t *testing.T) {
	o := one()
	o.Apps = append(o.Apps, AppInfo{ID: ms.ControlApp, Targets: []TargetInfo{{ID: "www.example.org", Layers: web}}})
	m := New(o)
	wantValue(t, m, 0, "telltale_target_state", "app", "control", "target", "www.example.org", "state", "blocked")
	r, v := round(one(), eight, clean)
	o.Apps[1].ID = ms.PlaceboApp
	placebo, found := round(Options{Apps: o.Apps[1:], Families: []ms.Family{ms.IPv4}}, eight, func(_, _ string, l ms.Layer, _ ms.Family) ms.Failure {
		if l == ms.LayerTLS {
			return ms.ConnectionReset
		}
		return ""
	})
	r.Apps, v.Placebo = append(r.Apps, placebo.Apps[0]), &found.Apps[0]
	m.Observe(r, v)
	wantValue(t, m, 1, "telltale_blocking", "app", "control", "target", "www.example.org", "layer", "tls", "ip_family", "ipv4", "signature", "tls.reset", "confidence", "likely")
	wantValue(t, m, 1, "telltale_target_state", "app", "control", "target", "www.example.org", "state", "blocked")
	wantValue(t, m, 1, "telltale_layer_state", "app", "control", "layer", "tls", "state", "blocked")
	wantValue(t, m, 1, "telltale_app_state", "app", "control", "state", "ok")
	wantValue(t, m, 1, "telltale_step_failures_total", "app", "control", "target", "www.example.org", "layer", "tls", "ip_family", "ipv4", "reason", "connection_reset")
	if _, ok := value(t, m, "telltale_app_state", "app", "placebo", "state", "ok"); ok {
		t.Error("the placebo is an app of its own in the metrics")
	}

	// It ends as a finding about an app ends, and outlives a restart.
	again := New(Options{Apps: []AppInfo{{ID: ms.ControlApp, Targets: []TargetInfo{{ID: "www.example.org", Layers: web}}}}})
	again.Restore(m.State())
	wantValue(t, again, 1, "telltale_blocking", "app", "control", "target", "www.example.org", "layer", "tls", "ip_family", "ipv4", "signature", "tls.reset", "confidence", "likely")
	r, v = round(one(), eight.Add(time.Hour), clean)
	_, found = round(Options{Apps: o.Apps[1:], Families: []ms.Family{ms.IPv4}}, eight.Add(time.Hour), clean)
	v.Placebo = &found.Apps[0]
	again.Observe(r, v)
	wantValue(t, again, 0, "telltale_blocking", "app", "control", "target", "www.example.org", "layer", "tls", "ip_family", "ipv4", "signature", "tls.reset", "confidence", "likely")
}

package main

import (
	"strings"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// The demo makes more traffic in a minute than a household may in hours. It once went silent after
// half a minute, before what it shows had even ended.
func TestDemoHasNoDailyBudget(t *testing.T) {
	b := schedule.NewBudget(demoConfig().DailyBudget)
	const weeks = 1 << 40
	b.Spend(weeks)
	if !b.Allow(weeks) {
		t.Error("after weeks of rounds the demo would skip them")
	}
}

// The live table fits a screen of 80 by 24 while four apps are partly blocked.
func TestBriefTable(t *testing.T) {
	fine := []measurements.LayerVerdict{{Layer: measurements.LayerTCP, Family: measurements.IPv4, State: measurements.OK}}
	bad := func(f measurements.Family) measurements.LayerVerdict {
		return measurements.LayerVerdict{Layer: measurements.LayerDNS, Family: f, State: measurements.Inconclusive, Signature: "dns.injection.blockpage", Confidence: measurements.Confirmed}
	}
	v := &measurements.RoundVerdict{Network: measurements.NetworkVerdict{State: measurements.OK}}
	for _, app := range []string{"telegram", "whatsapp", "line", "instagram"} {
		a := measurements.AppVerdict{App: app, State: measurements.Partial}
		for _, id := range []string{"dc1", "dc2", "dc3", "dc4", "dc5", "web", "web-ws", "registration", "static", "media"} {
			a.Targets = append(a.Targets, measurements.TargetVerdict{Target: id, State: measurements.OK, Layers: fine})
		}
		a.Targets = append(a.Targets,
			measurements.TargetVerdict{Target: "registration", State: measurements.Inconclusive, Layers: []measurements.LayerVerdict{bad(measurements.IPv4), bad(measurements.IPv6)}},
			measurements.TargetVerdict{Target: "chat", State: measurements.Skipped})
		v.Apps = append(v.Apps, a)
	}
	var b strings.Builder
	printBrief(&b, v)
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) > 22 {
		t.Errorf("%d lines leave no room:\n%s", len(lines), b.String())
	}
	for _, line := range lines {
		if n := len([]rune(line)); n > tableWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{"telegram: partial", "ok: dc1 dc2", "registration inconclusive ipv4 ipv6", "chat         skipped"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// blockEnds is how long after its start the demo's networks stop blocking (95 s), a round and the scrape of
// it more; so long we wait for what must be seen.
const blockEnds = 110 * time.Second

// Every panel of every dashboard has data while the demo's block stands, in a real Prometheus with our
// rules; and what the panels and alerts say is what the demo's networks do.
func TestDashboardsShowTheDemo(t *testing.T) {
	server := fed(t)
	wanting := map[string]answer{}
	of := map[string]string{}
	for name, d := range dashboards(t) {
		for expr, want := range asked(t, d) {
			wanting[expr] = want
			of[expr] = name
		}
	}
	t.Logf("%d expressions", len(wanting))
	missing := map[string]string{}
	ask := func() {
		clear(missing)
		for expr, want := range wanting {
			if lacks := lack(server, expr, want); lacks != "" {
				missing[expr] = lacks
			} else {
				delete(wanting, expr)
			}
		}
		maps.Copy(missing, meant(server))
	}
	for deadline := time.Now().Add(blockEnds); ; time.Sleep(time.Second) {
		if ask(); len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			break
		}
	}
	for _, expr := range slices.Sorted(maps.Keys(missing)) {
		t.Errorf("%s: %s\n\t%s", of[expr], missing[expr], expr)
	}
}

// meant is what the demo's world does, in the words of rules and alerts: the composite scenario blocks all
// apps but LINE, at every vantage point.
func meant(server string) map[string]string {
	wrong := map[string]string{}
	hold := func(expr, label string, want ...string) {
		found, err := query(server, expr)
		var have []string
		for _, s := range found {
			have = append(have, s.labels[label])
		}
		slices.Sort(have)
		if have = slices.Compact(have); err != nil || !slices.Equal(have, want) {
			wrong[expr] = fmt.Sprintf("%s is %s, not %s (%v)", label, strings.Join(have, " "), strings.Join(want, " "), err)
		}
	}
	hold(`country_app:telltale_networks_blocked_per_measured:ratio == 1`, "app", "instagram", "telegram", "whatsapp")
	hold(`country_app:telltale_networks_blocked_per_measured:ratio == 0`, "app", "line")
	hold(`country_app:telltale_networks_blocked_per_measured:ratio`, "country", "AA") // one network of BB is too few
	hold(`ALERTS{alertname="TelltaleBlockingOnset",alertstate="firing"}`, "app", "instagram", "telegram", "whatsapp")
	hold(`ALERTS{alertname="TelltaleBlockingOnset",alertstate="firing"}`, "signature",
		"dns.injection.blockpage", "http.reset", "quic.timeout.sni", "tcp.refused", "tls.reset.sni")
	hold(`telltale_app_state{state="ok",instance="a1"} == 1`, "app", "control", "line")
	return wrong
}

package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// The demo's networks block for 90 seconds after its first round. What stands must be seen before, with a round and
// the scrape of it more. What ended must be seen in the same time again, which is several times the rounds that
// the history wants to believe it.
const (
	blockEnds = 110 * time.Second
	endIsSeen = 2 * blockEnds
)

// Every panel of every dashboard has data while the demo's block stands, in a real Prometheus with our
// rules; and what the panels and alerts say is what the demo's networks do. When it ends the onset is resolved,
// and the end fires.
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
	begun := time.Now()
	waitUntil(begun.Add(blockEnds), func() bool {
		ask()
		return len(missing) == 0
	})
	for _, expr := range slices.Sorted(maps.Keys(missing)) {
		t.Errorf("%s: %s\n\t%s", of[expr], missing[expr], expr)
	}
	if t.Failed() {
		return
	}
	seen := time.Now()
	var wrong map[string]string
	waitUntil(begun.Add(endIsSeen), func() bool {
		wrong = over(server)
		return len(wrong) == 0
	})
	for expr, is := range wrong {
		t.Errorf("after the end: %s\n\t%s", is, expr)
	}
	t.Logf("all panels after %s, the end after %s", seen.Sub(begun).Round(time.Second), time.Since(begun).Round(time.Second))
}

// waitUntil asks every second until something holds, or it is too late.
func waitUntil(deadline time.Time, holds func() bool) {
	for !holds() && time.Now().Before(deadline) {
		time.Sleep(time.Second)
	}
}

// meant is what the demo's world does, in the words of rules and alerts: the composite scenario blocks all
// apps but LINE, at every vantage point.
func meant(server string) map[string]string {
	h := hold{server: server, wrong: map[string]string{}}
	h.that(`country_app:telltale_networks_blocked_per_measured:ratio == 1`, "app", "instagram", "telegram", "whatsapp")
	h.that(`country_app:telltale_networks_blocked_per_measured:ratio == 0`, "app", "line")
	h.that(`country_app:telltale_networks_blocked_per_measured:ratio`, "country", "AA") // one network of BB is too few
	h.that(onset+` == 1`, "app", "instagram", "telegram", "whatsapp")
	h.that(onset, "signature", blocked...)
	h.that(end, "app")
	h.that(`telltale_app_state{state="ok",instance="a1"} == 1`, "app", "control", "line")
	return h.wrong
}

// over is what they say once it has ended: no onset is left, and the end of each of them fires.
func over(server string) map[string]string {
	h := hold{server: server, wrong: map[string]string{}}
	h.that(onset, "app")
	h.that(end, "app", "instagram", "telegram", "whatsapp")
	h.that(end, "signature", blocked...)
	h.that(`country_app:telltale_networks_blocked_per_measured:ratio == 0`, "app", "instagram", "line", "telegram", "whatsapp")
	return h.wrong
}

const (
	onset = `ALERTS{alertname="TelltaleBlockingOnset",alertstate="firing"}`
	end   = `ALERTS{alertname="TelltaleBlockingEnd",alertstate="firing"}`
)

// blocked are the signatures of the demo's blocks.
var blocked = []string{"dns.injection.blockpage", "http.reset", "quic.timeout.sni", "tcp.refused", "tls.reset.sni"}

// hold collects what does not hold.
type hold struct {
	server string
	wrong  map[string]string
}

// that wants an expression's series to have just these values of a label.
func (h *hold) that(expr, label string, want ...string) {
	found, err := query(h.server, expr)
	var have []string
	for _, s := range found {
		have = append(have, s.labels[label])
	}
	slices.Sort(have)
	if have = slices.Compact(have); err != nil || !slices.Equal(have, want) {
		h.wrong[expr] = fmt.Sprintf("%s is %q, not %q (%v)", label, strings.Join(have, " "), strings.Join(want, " "), err)
	}
}

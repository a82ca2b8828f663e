package measurements

import (
	"strings"
	"testing"
)

// What is silent over all of UDP port 443 is suspected where it had worked, over the same family, and no ping shows
// that it is swallowed nearby; and never more, since a router may have been updated.
func TestDeadUDP443(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		worked, swallowed, farther, alive map[Family]bool
		want                              State
		says                              string
	}{
		"it never worked":               {want: Inconclusive, says: "never worked"},
		"it worked":                     {worked: map[Family]bool{IPv4: true}, want: Blocked, says: "update"},
		"it worked over the other one":  {worked: map[Family]bool{IPv6: true}, want: Inconclusive, says: "never worked"},
		"it worked, swallowed nearby":   {worked: map[Family]bool{IPv4: true}, swallowed: map[Family]bool{IPv4: true}, want: Inconclusive, says: "another port"},
		"the other family is swallowed": {worked: map[Family]bool{IPv4: true}, swallowed: map[Family]bool{IPv6: true}, want: Blocked, says: "update"},
		"it worked, and gets farther":   {worked: map[Family]bool{IPv4: true}, farther: map[Family]bool{IPv4: true}, want: Blocked, says: "beyond"},
		"it gets farther":               {farther: map[Family]bool{IPv4: true}, want: Inconclusive, says: "campus"},
		"the other family is alive":     {worked: map[Family]bool{IPv4: true}, alive: map[Family]bool{IPv6: true}, want: Blocked, says: "update"},
	} {
		e := newEpoch()
		e.QUICWorked = test.worked
		line := &Line{QUICTried: map[Family]bool{IPv4: true, IPv6: true}, QUICAlive: test.alive, UDP443Swallowed: test.swallowed, UDP443Farther: test.farther}
		v := newView(&Measurement{App: "app"}, &Measurement{}, line, &past{e, eight})
		f := judge(ofToday(quicRules), &Case{view: v, Layer: LayerQUIC, Family: IPv4, T: &Observation{Operation: QUICHandshake, Failure: Timeout, Family: IPv4}})
		if f.State != test.want || f.Signature != QUICTimeoutUDP443 || f.State == Blocked && f.Confidence != Suspected || !strings.Contains(strings.Join(f.Reasons, "; "), test.says) {
			t.Errorf("%s: %+v", what, f)
		}
	}
}

// ofToday leaves out the rules that went.
func ofToday(rules []Rule) (out []Rule) {
	for _, r := range rules {
		if r.Until == "" {
			out = append(out, r)
		}
	}
	return out
}

package probe

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// An offer holds for as long as the server said, a week at most; what the server says next replaces it, and a restart
// forgets nothing of it.
func TestOffers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		at := offerKey{"one/site", "www.example.com"}
		day := altSvc{true, 443, 24 * time.Hour}
		var before Plan
		before.offers.hear(at, day)
		before.offers.hear(at, altSvc{}) // an answer without the field
		time.Sleep(23 * time.Hour)
		stored, err := json.Marshal(before.Memory())
		if err != nil {
			t.Fatal(err)
		}
		var memory Memory
		if err := json.Unmarshal(stored, &memory); err != nil {
			t.Fatal(err)
		}
		var after Plan
		after.Recall(&memory)
		if before.offers.port(at, false) != 443 || after.offers.port(at, false) != 443 || after.offers.port(offerKey{"one/site", "example.com"}, false) != 0 {
			t.Errorf("remembered: %v and %v", before.offers.list(), after.offers.list())
		}
		time.Sleep(time.Hour)
		if before.offers.port(at, false) != 0 || after.offers.port(at, false) != 0 {
			t.Error("it outlives the day that it was made for")
		}
		after.Families, after.Suspicion = []measurements.Family{measurements.IPv4}, &schedule.Suspicion{}
		site, sheet := Target{ID: "site", Hosts: []string{at.host}, Probes: []Probe{ProbeHTTPS}}, &sheet{plan: &after}
		sheet.m.App = "one"
		if _, ok := after.overQUIC(sheet, site, at.host); ok {
			t.Error("visited though the offer is over")
		}
		after.Suspicion.Follow([]measurements.Suspect{{App: "one", Target: "site", Layer: measurements.LayerQUIC, Family: measurements.IPv4}})
		if _, ok := after.overQUIC(sheet, site, at.host); !ok {
			t.Error("what goes on failing is left alone when the offer is over")
		}
		after.offers.hear(at, altSvc{true, 443, 365 * 24 * time.Hour})
		after.offers.hear(at, altSvc{said: true})
		if after.offers.port(at, false) != 0 {
			t.Error("it was taken back, and is believed")
		}
		memory.Offers = []Offer{{at.target, at.host, 443, time.Now().AddDate(1, 0, 0)}, {"one/none", "none", 0, time.Now().AddDate(1, 0, 0)}}
		after.Recall(&memory)
		if after.offers.hear(at, altSvc{}); after.offers.port(at, false) != 443 {
			t.Error("a stored offer is not believed at all")
		}
		time.Sleep(longestOffer)
		if after.offers.port(at, false) != 0 {
			t.Error("a clock that was ahead makes an offer last for a year")
		}
	})
}

// Servers can't make us remember without end: nor can a file.
func TestOffersAreBounded(t *testing.T) {
	t.Parallel()
	var o offers
	for i := range 2 * mostOffers {
		o.hear(offerKey{"one/site", string(rune('a' + i))}, altSvc{true, 443, time.Hour})
	}
	if n := len(o.list()); n != mostOffers {
		t.Errorf("%d are remembered, want %d", n, mostOffers)
	}
}

// QUIC is looked at where the server alone offers it, at the port that it names and by a handshake alone; not where
// the catalogue asks for it anyway.
func TestOverQUIC(t *testing.T) {
	t.Parallel()
	site := Target{ID: "site", Hosts: []string{"www.example.com"}, Ports: []uint16{8443}, Path: "/", Probes: []Probe{ProbeHTTPS}}
	quic := Target{ID: "site-quic", Hosts: site.Hosts, Probes: []Probe{ProbeH3}}
	p := &Plan{Apps: []App{{ID: "one", Targets: []Target{site}}, {ID: "two", Targets: []Target{site, quic}}}}
	for _, app := range p.Apps {
		p.offers.hear(offerKey{app.ID + "/site", "www.example.com"}, altSvc{true, 443, time.Hour})
	}
	sheetOf := func(app string) *sheet { s := &sheet{plan: p}; s.m.App = app; return s }
	got, ok := p.overQUIC(sheetOf("one"), site, "www.example.com")
	if !ok || got.Ports[0] != 443 || got.Path != "" || got.Probes[0] != ProbeH3 || site.Ports[0] != 8443 {
		t.Errorf("visited as %+v, %v", got, ok)
	}
	if _, ok := p.overQUIC(sheetOf("one"), site, "other.example.com"); ok {
		t.Error("a name that offers nothing is visited")
	}
	if _, ok := p.overQUIC(sheetOf("two"), site, "www.example.com"); ok {
		t.Error("what the catalogue asks for is visited twice")
	}
}

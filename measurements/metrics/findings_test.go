package metrics

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	ms "github.com/telltale-probe/telltale/measurements"
)

// one is a catalogue of one target with one layer.
func one() Options {
	return Options{
		Apps:     []AppInfo{{ID: "line", Targets: []TargetInfo{{ID: "api", Layers: []ms.Layer{ms.LayerTLS}}}}},
		Families: []ms.Family{ms.IPv4},
		Vantage:  ms.Vantage{Epoch: "home"},
	}
}

// say observes a round n hours after eight whose only verdict is this. "" says nothing at all.
func say(m *Metrics, n int, state ms.State, signature ms.Signature, c ms.Confidence) {
	r, v := round(one(), eight.Add(time.Duration(n)*time.Hour), clean)
	l := &v.Apps[0].Targets[0].Layers
	if state == "" {
		*l = nil
	} else {
		(*l)[0].State, (*l)[0].Signature, (*l)[0].Confidence = state, signature, c
	}
	m.Observe(r, v)
}

var series1 = []string{"app", "line", "target", "api", "layer", "tls", "ip_family", "ipv4", "signature", "tls.reset.sni"}

func wantBlocking(t *testing.T, m *Metrics, want float64, c ms.Confidence) {
	t.Helper()
	wantValue(t, m, want, "telltale_blocking", append(series1[:10:10], "confidence", string(c))...)
}

func wantHour(t *testing.T, m *Metrics, hour int, name string) {
	t.Helper()
	wantValue(t, m, float64(eight.Add(time.Duration(hour)*time.Hour).Unix()), "telltale_blocking_"+name+"_timestamp_seconds", series1...)
}

// A blocking is 1 from the round that found it to the one that finds it gone; its onset is the
// interval between the last ok and the first failure, however long it lasts.
func TestBlockingStandsAndEnds(t *testing.T) {
	m := New(one())
	say(m, 0, ms.OK, "", "")
	if _, ok := value(t, m, "telltale_blocking", append(series1[:10:10], "confidence", "likely")...); ok {
		t.Error("a clean line has a blocking series")
	}
	say(m, 1, ms.Blocked, ms.TLSResetSNI, ms.Suspected)
	wantBlocking(t, m, 1, ms.Suspected)
	say(m, 2, ms.Blocked, ms.TLSResetSNI, ms.Likely)
	wantBlocking(t, m, 0, ms.Suspected)
	wantBlocking(t, m, 1, ms.Likely)
	wantHour(t, m, 1, "onset")
	wantHour(t, m, 0, "last_ok")
	say(m, 3, ms.OK, "", "")
	wantBlocking(t, m, 0, ms.Likely)
	wantHour(t, m, 1, "onset")
	say(m, 4, ms.Blocked, ms.TLSResetSNI, ms.Likely)
	wantBlocking(t, m, 1, ms.Likely)
	wantHour(t, m, 4, "onset")
	wantHour(t, m, 3, "last_ok")
}

// What the history says to stand is not ended by a round that finds the layer ok: a block may let some
// trials through. Its onset is the history's, also when it has been another network's in between.
func TestStandingOutlastsARoundThatIsOK(t *testing.T) {
	m := New(one())
	observe := func(n int, state ms.State, c ms.Confidence, stands bool) {
		r, v := round(one(), eight.Add(time.Duration(n)*time.Hour), clean)
		if l := &v.Apps[0].Targets[0].Layers[0]; state != ms.OK {
			l.State, l.Signature, l.Confidence = state, ms.TLSResetSNI, c
		}
		if stands {
			v.Standing = []ms.Standing{{App: "line", Target: "api", Layer: ms.LayerTLS, Family: ms.IPv4, Signature: ms.TLSResetSNI, Confidence: c, Onset: eight.Add(time.Hour), LastOK: eight}}
		}
		m.Observe(r, v)
	}
	observe(0, ms.OK, "", false)
	observe(2, ms.Blocked, ms.Suspected, true)
	wantBlocking(t, m, 1, ms.Suspected)
	observe(3, ms.OK, ms.Likely, true)
	wantBlocking(t, m, 0, ms.Suspected)
	wantBlocking(t, m, 1, ms.Likely)
	wantHour(t, m, 1, "onset")
	wantHour(t, m, 0, "last_ok")
	observe(4, ms.Inconclusive, ms.Likely, true)
	wantBlocking(t, m, 1, ms.Likely)
	observe(5, ms.OK, "", false)
	wantBlocking(t, m, 0, ms.Likely)
	observe(6, ms.Blocked, ms.Likely, false)
	wantHour(t, m, 6, "onset")
	wantHour(t, m, 5, "last_ok")
}

// What was never ok has no last ok: 1970 would be a lie.
func TestNeverOK(t *testing.T) {
	m := New(one())
	say(m, 0, ms.Blocked, ms.TLSResetSNI, ms.Likely)
	if v, ok := value(t, m, "telltale_blocking_last_ok_timestamp_seconds", series1...); ok {
		t.Errorf("last ok is %v", v)
	}
}

// What a round says that is not a plain ok or the same blocking again.
func TestBlockingBetween(t *testing.T) {
	for _, tt := range []struct {
		name      string
		state     ms.State
		signature ms.Signature
		want      float64
	}{
		{"not measured, it stands", "", "", 1},
		{"skipped, it stands", ms.Skipped, "", 1},
		{"our own line's trouble says nothing", ms.Local, ms.LocalOffline, 1},
		{"inconclusive is no blocking", ms.Inconclusive, ms.TLSResetSNI, 0},
		{"down for everyone is no blocking", ms.Down, "", 0},
		{"another mechanism took over", ms.Blocked, ms.TLSTimeoutSNI, 0},
		{"throttled is another mechanism too", ms.Throttled, "throttle.sni", 0},
	} {
		m := New(one())
		say(m, 0, ms.Blocked, ms.TLSResetSNI, ms.Likely)
		say(m, 1, tt.state, tt.signature, ms.Suspected)
		t.Log(tt.name)
		wantBlocking(t, m, tt.want, ms.Likely)
		// Whatever came between: it was never ok, so this is the same blocking.
		say(m, 2, ms.Blocked, ms.TLSResetSNI, ms.Likely)
		wantBlocking(t, m, 1, ms.Likely)
		wantHour(t, m, 0, "onset")
	}
}

// A verdict holds for the network on which it was seen.
func TestAnotherNetwork(t *testing.T) {
	m := New(one())
	say(m, 0, ms.OK, "", "")
	say(m, 1, ms.Blocked, ms.TLSResetSNI, ms.Likely)
	r, v := round(one(), eight.Add(2*time.Hour), clean)
	r.Gate.Vantage.Epoch, v.Apps[0].Targets[0].Layers = "café", nil
	m.Observe(r, v)
	wantBlocking(t, m, 0, ms.Likely)
	wantValue(t, m, 1, "telltale_vantage_info", "country", "ZZ", "asn", "", "label", "", "epoch", "café")
}

// After a restart a standing blocking still stands, and one that ended is 0, not absent.
func TestRestart(t *testing.T) {
	for _, standing := range []float64{0, 1} {
		m := New(one())
		say(m, 0, ms.OK, "", "")
		say(m, 1, ms.Blocked, ms.TLSResetSNI, ms.Likely)
		if standing == 0 {
			say(m, 2, ms.OK, "", "")
		}
		b, err := json.Marshal(m.State())
		if err != nil {
			t.Fatal(err)
		}
		var s State
		if err := json.Unmarshal(b, &s); err != nil {
			t.Fatal(err)
		}
		again := New(one())
		again.Restore(s)
		wantBlocking(t, again, standing, ms.Likely)
		wantHour(t, again, 1, "onset")
		wantHour(t, again, 0, "last_ok")
		if diff := cmp.Diff(m.State(), again.State(), cmpopts.EquateEmpty(), cmp.AllowUnexported(FindingState{}, LastOKState{})); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}
		last, _ := value(t, m, "telltale_last_round_timestamp_seconds")
		wantValue(t, again, last, "telltale_last_round_timestamp_seconds")
	}
}

// A state may be another catalogue's, or too large: what nothing would ever end is left behind.
func TestRestoreIsBounded(t *testing.T) {
	var s State
	for i := range 1000 {
		s.Findings = append(s.Findings, FindingState{place: place{"line", "api", ms.LayerTLS, ms.IPv4}, Signature: ms.Signature(rune('a' + i)), Standing: true})
	}
	s.Findings = append(s.Findings, FindingState{place: place{"gone", "api", ms.LayerTLS, ms.IPv4}, Signature: ms.TLSResetSNI, Standing: true})
	m := New(one())
	m.Restore(s)
	n := 0
	for _, f := range m.State().Findings {
		n += len(f.Confidences) + 2
		if f.App == "gone" {
			t.Error("an app that is no longer measured was restored")
		}
	}
	if n == 0 || n > maxBlockingSeries {
		t.Errorf("%d series were restored", n)
	}
}

// Behind a tunnel nothing is shown under the home's country, not after a restart or a new configuration
// either; offline is no other network.
func TestTunnelAndOffline(t *testing.T) {
	home := one()
	home.Vantage = ms.Vantage{Country: "NL", ASN: 64496, Label: "attic"}
	m := New(home)
	look := func(hour int, v ms.Vantage) {
		r, verdict := round(home, eight.Add(time.Duration(hour)*time.Hour), clean)
		r.Gate.Vantage, verdict.Apps[0].Targets[0].Layers = v, nil
		m.Observe(r, verdict)
	}
	info := func(want, country, asn, label, epoch string) {
		t.Helper()
		wantValue(t, m, 1, "telltale_vantage_info", "country", country, "asn", asn, "label", label, "epoch", epoch)
		t.Log(want)
	}
	look(0, ms.Vantage{Country: "NL", ASN: 64496, Label: "attic", Epoch: "home"})
	info("at home", "NL", "64496", "attic", "home")
	look(1, ms.Vantage{Epoch: "vpn", Tunnel: true})
	info("through a tunnel", "ZZ", "", "", "vpn")
	m.Configure(home)
	info("a new configuration", "ZZ", "", "", "vpn")
	state := m.State()
	m = New(home)
	m.Restore(state)
	info("a restart", "ZZ", "", "", "vpn")
	look(2, ms.Vantage{Country: "NL", ASN: 64496, Label: "attic"})
	info("offline", "ZZ", "", "", "vpn")
	look(3, ms.Vantage{Country: "NL", ASN: 64496, Label: "attic", Epoch: "home"})
	info("back home", "NL", "64496", "attic", "home")
}

// A round that moved ends no finding, and begins none.
func TestRoundThatMovedSaysNothing(t *testing.T) {
	m := New(one())
	say(m, 0, ms.Blocked, ms.TLSResetSNI, ms.Likely)
	r, v := round(one(), eight.Add(time.Hour), clean)
	r.Gate.Vantage.Moved = true
	m.Observe(r, v)
	wantBlocking(t, m, 1, ms.Likely)
}

// A layer at which something stands is not ok because a round left that target alone and others passed.
func TestLayerStateKnowsWhatStandsUnseen(t *testing.T) {
	app := ms.AppVerdict{App: "telegram", Targets: []ms.TargetVerdict{
		{Target: "dc1", State: ms.OK, Layers: []ms.LayerVerdict{{Layer: ms.LayerTLS, Family: ms.IPv4, State: ms.OK}}},
		{Target: "web", State: ms.Skipped, Unseen: []ms.Standing{{Layer: ms.LayerTLS, Family: ms.IPv4, Signature: ms.TLSResetSNI}}},
	}}
	if got := worstAt(&app, ms.LayerTLS); got != ms.Blocked {
		t.Errorf("TLS is %q", got)
	}
	if got := worstAt(&app, ms.LayerQUIC); got != "" {
		t.Errorf("QUIC, at which nothing stands and nothing was measured, is %q", got)
	}
}

// QUIC that a server alone offers is no layer of the catalogue, and is looked at now and then: a round that leaves it out
// does not show what an earlier one found as what is.
func TestALayerBeyondTheCatalogue(t *testing.T) {
	m := New(one())
	r, v := round(one(), eight, clean)
	quic := v.Apps[0].Targets[0].Layers[0]
	quic.Layer, quic.State, quic.Signature, quic.Confidence = ms.LayerQUIC, ms.Blocked, ms.QUICTimeoutSNI, ms.Likely
	v.Apps[0].Targets[0].Layers = append(v.Apps[0].Targets[0].Layers, quic)
	m.Observe(r, v)
	wantValue(t, m, 1, "telltale_layer_state", "app", "line", "layer", "quic", "state", "blocked")
	wantValue(t, m, 1, "telltale_blocking", "app", "line", "target", "api", "layer", "quic", "ip_family", "ipv4", "signature", "quic.timeout.sni", "confidence", "likely")
	say(m, 1, ms.OK, "", "")
	wantValue(t, m, 0, "telltale_layer_state", "app", "line", "layer", "quic", "state", "blocked")
	wantValue(t, m, 1, "telltale_layer_state", "app", "line", "layer", "quic", "state", "skipped")
	m.Configure(one())
	wantValue(t, m, 1, "telltale_layer_state", "app", "line", "layer", "quic", "state", "skipped")
}

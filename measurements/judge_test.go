package measurements

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"
)

// An app is blocked only if no essential unit works, and a group is one unit.
func TestAppState(t *testing.T) {
	essential := func(id, group string) TargetInfo { return TargetInfo{ID: id, Essential: true, Group: group} }
	for _, c := range []struct {
		name   string
		infos  []TargetInfo
		states []State
		want   State
	}{
		{"all work", []TargetInfo{essential("a", ""), essential("b", "")}, []State{OK, OK}, OK},
		{"one of two is blocked", []TargetInfo{essential("a", ""), essential("b", "")}, []State{OK, Blocked}, Partial},
		{"both are blocked", []TargetInfo{essential("a", ""), essential("b", "")}, []State{Blocked, Blocked}, Blocked},
		{"one of a pool is enough", []TargetInfo{essential("a", "pool"), essential("b", "pool")}, []State{Blocked, OK}, OK},
		{"a whole pool is blocked, the rest works", []TargetInfo{essential("a", "pool"), essential("b", "pool"), essential("c", "")}, []State{Blocked, Blocked, OK}, Partial},
		{"what is not essential does not count", []TargetInfo{essential("a", ""), {ID: "b"}}, []State{OK, Blocked}, OK},
		{"nobody knows", []TargetInfo{essential("a", ""), essential("b", "")}, []State{OK, Inconclusive}, Inconclusive},
		{"down is not blocked", []TargetInfo{essential("a", "")}, []State{Down}, Down},
		{"nothing was measured", []TargetInfo{essential("a", "")}, []State{Skipped}, Skipped},
		{"one was not measured", []TargetInfo{essential("a", ""), essential("b", "")}, []State{OK, Skipped}, Skipped},
		{"one is blocked, nobody knows of the other", []TargetInfo{essential("a", ""), essential("b", "")}, []State{Blocked, Skipped}, Partial},
		{"of a pool one is blocked, nobody knows of the other", []TargetInfo{essential("a", "pool"), essential("b", "pool")}, []State{Blocked, Skipped}, Partial},
		{"one of a pool works, the other was not measured", []TargetInfo{essential("a", "pool"), essential("b", "pool")}, []State{Skipped, OK}, OK},
	} {
		var targets []TargetVerdict
		for i, s := range c.states {
			targets = append(targets, TargetVerdict{Target: c.infos[i].ID, State: s})
		}
		if got := appState(c.infos, targets, nil); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	two := []TargetInfo{essential("a", ""), essential("b", "")}
	for carried, want := range map[State]State{"": Skipped, Blocked: Partial, Throttled: Partial} {
		if got := appState(two, []TargetVerdict{{State: OK}, {State: Skipped}}, []State{"", carried}); got != want {
			t.Errorf("the one works, of the other %q stands: %s, want %s", carried, got, want)
		}
	}
	if got := appState(two[:1], []TargetVerdict{{State: Skipped}}, []State{Blocked}); got != Blocked {
		t.Errorf("all that there is stands blocked: %s", got)
	}
}

// A family that is dead on this line does not count while the other one works.
func TestTargetStateLeavesADeadFamilyOut(t *testing.T) {
	line := &Line{Tried: map[Family]bool{IPv4: true, IPv6: true}, Alive: map[Family]bool{IPv4: true}}
	layers := []LayerVerdict{
		{Layer: LayerTCP, Family: IPv4, State: OK},
		{Layer: LayerTCP, Family: IPv6, State: Inconclusive, Signature: NetIPv6Unreachable},
	}
	if got := targetState(line, layers); got != OK {
		t.Errorf("with a dead IPv6: %s, want ok", got)
	}
	line.Alive[IPv6] = true
	if got := targetState(line, layers); got != Inconclusive {
		t.Errorf("with a live IPv6: %s, want inconclusive", got)
	}
}

// Two alive operators make a line; one alone does not.
func TestLineNeedsTwoOperators(t *testing.T) {
	gate := Measurement{App: ControlApp, Targets: []TargetInfo{{ID: "a", Operator: "A"}, {ID: "b", Operator: "B"}}}
	ok := Observation{Target: "a", Operation: TLSHandshake, Family: IPv4}
	gate.Observations = []Observation{ok}
	if l := judgeLine(&gate); l.Alive[IPv4] {
		t.Error("one operator's answer made the line alive")
	}
	ok.Target = "b"
	gate.Observations = append(gate.Observations, ok)
	if l := judgeLine(&gate); !l.Alive[IPv4] || l.State != OK {
		t.Errorf("two operators' answers: alive %v, state %s", l.Alive[IPv4], l.State)
	}
}

// Seconds survive JSON at the precision of a microsecond.
func TestSecondsRoundTrip(t *testing.T) {
	for _, d := range []time.Duration{0, time.Microsecond, 65 * time.Microsecond, 12345678 * time.Microsecond} {
		b, err := json.Marshal(Seconds(d))
		if err != nil {
			t.Fatal(err)
		}
		var back Seconds
		if err := json.Unmarshal(b, &back); err != nil || time.Duration(back) != d {
			t.Errorf("%v became %s became %v (%v)", d, b, time.Duration(back), err)
		}
	}
}

// A name that resolves is not yet a target that works: a round may have been stopped there.
func TestTargetStateNeedsMoreThanDNS(t *testing.T) {
	line := &Line{Tried: map[Family]bool{IPv4: true}, Alive: map[Family]bool{IPv4: true}}
	if got := targetState(line, []LayerVerdict{{Layer: LayerDNS, Family: IPv4, State: OK}}); got != Skipped {
		t.Errorf("%s, want skipped", got)
	}
}

func TestFailureKinds(t *testing.T) {
	for f, want := range map[Failure]string{
		ConnectionReset: "reset", Timeout: "timeout", EOF: "eof", TLSAlert(40): "alert", "": "", SSLInvalidHostname: "", TLSNotTLS: "",
	} {
		if got := f.Kind(); got != want {
			t.Errorf("%q is of kind %q, want %q", f, got, want)
		}
	}
	if n, ok := TLSAlert(112).Alert(); !ok || n != 112 {
		t.Errorf("alert 112 reads back as %d, %v", n, ok)
	}
	for f, want := range map[Failure]string{QUICClose(0x10c): "quic_close_0x10c", QUICClose(0xc0000201): "quic_close_other", QUICClose(1 << 61): "quic_close_other", "quic_close_192.0.2.1": "quic_close_other"} {
		if r := f.Reason(); r != want {
			t.Errorf("%q as a label: %q", f, r)
		}
	}
	if r := Unknown("something with an address").Reason(); r != "unknown_failure" {
		t.Errorf("an unknown failure's reason is %q: a label must be bounded", r)
	}
}

// A page is a block page only on a channel that is not the app's own.
func TestKnownBlockPage(t *testing.T) {
	body := []byte(`<html><iframe src="http://10.10.34.34?type=x"></iframe>`)
	if cc := knownBlockPage(&HTTP{Body: body}); cc != "IR" {
		t.Errorf("the page of Iran is %q", cc)
	}
	if cc := knownBlockPage(&HTTP{Body: body, Verified: true}); cc != "" {
		t.Errorf("over the app's own channel it is %q", cc)
	}
	if cc := knownBlockPage(&HTTP{Location: "http://10.10.34.35/"}); cc != "IR" {
		t.Errorf("a redirect to a block address is %q", cc)
	}
}

func TestSameSite(t *testing.T) {
	for location, want := range map[string]bool{
		"/login": true, "https://www.clear.example/x": true, "https://other.clear.example/": true,
		"http://blocked.gov.example2/": false, "http://[broken": false,
	} {
		if got := sameSite(location, []string{"www.clear.example"}); got != want {
			t.Errorf("%s: %v, want %v", location, got, want)
		}
	}
}

// The documentation ranges stay routable: laboratories live there.
func TestNotRoutable(t *testing.T) {
	for a, want := range map[string]bool{"127.0.0.1": true, "10.1.2.3": true, "198.18.0.1": true, "100.64.1.1": true, "192.0.2.1": false, "2001:db8::1": false, "10.10.34.34": true} {
		if got := notRoutable(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %v, want %v", a, got, want)
		}
	}
}

// Whatever a file holds, judging it neither panics nor calls anything blocked that has no control.
func FuzzJudge(f *testing.F) {
	f.Add([]byte(`{"gate":{"observations":[{"operation":"tls_handshake"}]},"apps":[{"app":"a","targets":[{"id":"t"}],"observations":[{"target":"t","operation":"tls_handshake","endpoint":"192.0.2.1:443","failure":"connection_reset"}]}]}`))
	f.Add([]byte(`{"apps":[{"observations":[{"operation":"resolve","dns":null},{"operation":"http_exchange","endpoint":"x","transport":"tls"}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r Round
		if json.Unmarshal(data, &r) != nil {
			return
		}
		v := Judge(&r, nil)
		var h History
		h.Learn(&r, &v)
		_ = Judge(&r, &h)
	})
}

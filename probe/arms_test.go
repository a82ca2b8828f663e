package probe

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/app"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// Any four rounds in a row begin with all four framings; any twelve have been at each port in each of its own.
func TestArmsRotate(t *testing.T) {
	ports := []uint16{443, 80, 5222}
	for _, from := range []uint64{0, 1, 7, 1<<32 - 2} {
		first, pairs := map[app.Transport]bool{}, map[turn]bool{}
		for n := range uint64(12) {
			turns := turnsOf(ports, from+n, turn{})
			if n < 4 {
				first[turns[0].arm] = true
			}
			pairs[turns[0]] = true
		}
		if len(first) != 4 || len(pairs) != 11 {
			t.Errorf("from round %d: %v, %v", from, first, pairs)
		}
	}
}

// A round visits every port once, each in a framing of its own that is spoken there.
func TestTurnsAreApart(t *testing.T) {
	for _, ports := range [][]uint16{{443, 80, 5222}, {5222}, {443}, {80, 443}, {5222, 8443, 9443, 10443, 443, 80}} {
		for n := range uint64(24) {
			for _, kept := range []turn{{}, {443, app.PaddedIntermediate}, {5222, app.OverHTTP}, {25, app.Abridged}, {80, "none"}} {
				turns := turnsOf(ports, n, kept)
				seen, arms := map[uint16]bool{}, map[app.Transport]bool{}
				for _, turn := range turns {
					seen[turn.port], arms[turn.arm] = true, true
					if !armAt(turn.arm, turn.port) || !slices.Contains(ports, turn.port) {
						t.Errorf("ports %v, round %d: %v", ports, n, turns)
					}
				}
				if len(turns) != len(ports) || len(seen) != len(ports) || len(ports) <= 3 && len(arms) != len(ports) {
					t.Errorf("ports %v, round %d: %v", ports, n, turns)
				}
				if kept == (turn{443, app.PaddedIntermediate}) && slices.Contains(ports, 443) && turns[0] != kept {
					t.Errorf("ports %v, round %d, kept %v: %v", ports, n, kept, turns)
				}
			}
		}
	}
}

// Under suspicion the turn that failed comes again, until it has passed; a skipped one is not done with.
func TestArmThatFailedIsKept(t *testing.T) {
	at := netip.MustParseAddr("192.0.2.1")
	dc := Target{ID: "dc1", Ports: []uint16{443, 80, 5222}}
	p := &Plan{Suspicion: &schedule.Suspicion{}}
	sp := spot{addr: at}
	turns := p.turns(dc, "telegram/dc1", sp, ProbeMTProto)
	p.arms.note(at, turns, []visited{visitPassed, visitFailed, visitFailed})
	for range 5 {
		p.Rotation = p.Rotation.Next()
	}
	if got := p.turns(dc, "telegram/dc1", sp, ProbeMTProto); got[0] == turns[1] {
		t.Errorf("without suspicion: %v", got)
	}
	p.Suspicion.Suspect("telegram/dc1")
	got := p.turns(dc, "telegram/dc1", sp, ProbeMTProto)
	if got[0] != turns[1] {
		t.Errorf("under suspicion: %v, want %v first", got, turns[1])
	}
	p.arms.note(at, got, []visited{visitSkipped, visitSkipped, visitSkipped})
	if again := p.turns(dc, "telegram/dc1", sp, ProbeMTProto); again[0] != turns[1] {
		t.Errorf("after a round without a visit: %v", again)
	}
	p.arms.note(at, got, []visited{visitPassed, visitSkipped, visitSkipped})
	if p.arms.of(at) != (turn{}) {
		t.Errorf("after it passed: %v", p.arms.of(at))
	}
}

// What looks like chance is sent to a data centre that is under suspicion itself, and to WhatsApp's hosts where any
// target that speaks as they do is.
func TestOpaqueNeedsItsOwnSuspicion(t *testing.T) {
	dc1, dc2 := Target{ID: "dc1", Probes: []Probe{ProbeMTProto}}, Target{ID: "dc2", Probes: []Probe{ProbeMTProto}}
	chat, web, door := Target{ID: "chat", Probes: []Probe{ProbeWhatsApp}}, Target{ID: "web", Probes: []Probe{ProbeHTTPS}}, Target{ID: "door", Probes: []Probe{ProbeWSS}, Speaks: measurements.WhatsAppNoise}
	p := &Plan{Apps: []App{{ID: "a", Targets: []Target{dc1, dc2, chat, web, door}}}}
	for _, test := range []struct {
		suspected      string
		dc1, dc2, chat bool
	}{{"", false, false, false}, {"web", false, false, false}, {"dc2", false, true, false}, {"door", false, false, true}, {"chat", false, false, true}} {
		p.Suspicion = &schedule.Suspicion{}
		p.Suspicion.Suspect("a/" + test.suspected)
		s := &sheet{plan: p, m: measurements.Measurement{App: "a"}}
		if a, b, c := p.opaque(s, dc1), p.opaque(s, dc2), p.opaque(s, chat); a != test.dc1 || b != test.dc2 || c != test.chat {
			t.Errorf("%s: %v, %v, %v", test.suspected, a, b, c)
		}
	}
	p.Opaque = true
	if s := (&sheet{plan: p, m: measurements.Measurement{App: "a"}}); !p.opaque(s, dc1) {
		t.Error("not where the volunteer wants it")
	}
}

package measurements

import (
	"net/netip"
	"testing"
	"time"
)

// A neutral name that dies alone, and one shape of another site's that dies alone, are chance: what dies so elsewhere
// is no more than suspected.
func TestStrays(t *testing.T) {
	shake := func(c Control, endpoint, name string, s Shape, f Failure) Observation {
		return Observation{Target: "a", Control: c, Operation: TLSHandshake, Endpoint: endpoint, Name: name, Failure: f, TLS: &TLS{Shape: s}}
	}
	const one, two = "192.0.2.1:443", "192.0.2.2:443"
	reset := ConnectionReset
	elsewhere := shake(N, two, "x.example.com", Small, "")
	for _, tt := range []struct {
		name  string
		seen  []Observation
		site  string
		stray bool
	}{
		{"nothing", nil, "b.example.net", false},
		{"a neutral name alone", []Observation{shake(N, one, "x.example.com", Small, reset), shake(T, one, "a.example.org", Small, ""), elsewhere}, "b.example.net", true},
		{"a neutral name alone, at this very site", []Observation{shake(N, one, "x.example.com", Small, reset), shake(T, one, "a.example.org", Small, ""), elsewhere}, "a.example.org", true},
		{"an edge that never answers one", []Observation{shake(N, one, "x.example.com", Small, reset), shake(T, one, "a.example.org", Small, "")}, "b.example.net", false},
		{"both", []Observation{shake(N, one, "x.example.com", Small, reset), shake(T, one, "a.example.org", Small, reset), elsewhere}, "b.example.net", false},
		{"in another way", []Observation{shake(N, one, "x.example.com", Small, Timeout), shake(T, one, "a.example.org", Small, ""), elsewhere}, "b.example.net", false},
		{"another site's large hello", []Observation{shake(N, one, "x.example.com", Default, ""), shake(T, one, "a.example.org", Small, ""), shake(T, one, "a.example.org", Default, reset)}, "b.example.net", true},
		{"this site's large hello", []Observation{shake(N, one, "x.example.com", Default, ""), shake(T, one, "a.example.org", Small, ""), shake(T, one, "a.example.org", Default, reset)}, "a.example.org", false},
		{"a server that minds large hellos", []Observation{shake(N, one, "x.example.com", Default, reset), shake(T, one, "a.example.org", Small, ""), shake(T, one, "a.example.org", Default, reset), elsewhere}, "b.example.net", false},
	} {
		l := &Line{}
		l.readStrays([]Measurement{{App: "app", Observations: tt.seen}})
		c := &Case{view: &view{line: l}, Layer: LayerTLS, Name: tt.site, T: &Observation{Operation: TLSHandshake, Failure: reset}}
		want := Likely
		if tt.stray {
			want = Suspected
		}
		if f := doubted(c, blocked(TLSResetSNI, Likely, "it was reset")); f.State != Blocked || f.Confidence != want {
			t.Errorf("%s: %+v", tt.name, f)
		}
	}
}

// An endpoint that refuses one connect and accepts another tells that refusals are chance; one refusal alone is suspected.
func TestRefusalsByChance(t *testing.T) {
	connect := func(target, endpoint string, f Failure) Observation {
		return Observation{Target: target, Control: T, Operation: Connect, Endpoint: endpoint, Family: IPv4, Failure: f, Duration: Seconds(5 * time.Millisecond)}
	}
	const one, port, two = "192.0.2.1:443", "192.0.2.1:80", "198.51.100.1:443"
	for _, tt := range []struct {
		name  string
		more  []Observation
		state State
		conf  Confidence
	}{
		{"one refusal", nil, Blocked, Suspected},
		{"two ports refuse", []Observation{connect("a", port, ConnectionRefused)}, Blocked, Likely},
		{"another address accepts", []Observation{connect("a", two, "")}, Blocked, Suspected},
		{"another target's place refuses one and accepts one", []Observation{connect("a", port, ConnectionRefused), connect("b", two, ConnectionRefused), connect("b", two, "")}, Inconclusive, ""},
	} {
		m := &Measurement{App: "app", Targets: []TargetInfo{{ID: "a"}, {ID: "b"}}, Observations: append([]Observation{connect("a", one, ConnectionRefused)}, tt.more...)}
		l := &Line{}
		l.readStrays([]Measurement{*m})
		h := &past{Epoch: newEpoch()}
		h.MinRTT = map[string]Seconds{"192.0.2.1": Seconds(100 * time.Millisecond)}
		v := newView(m, &Measurement{}, l, h)
		v.neutralRTT = map[netip.Addr]Seconds{netip.MustParseAddr("203.0.113.1"): Seconds(50 * time.Millisecond)}
		for _, c := range v.cases() {
			if c.Endpoint != one {
				continue
			}
			if f := whateverTheName(c, TCPRefused); f.State != tt.state || f.Confidence != tt.conf {
				t.Errorf("%s: %+v", tt.name, f)
			}
		}
	}
}

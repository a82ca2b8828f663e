package measurements

import "testing"

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

package measurements

import "testing"

// A record of which something is missing calls nothing blocked; one of which nobody counted the observations is judged
// as ever.
func TestIncomplete(t *testing.T) {
	for _, tt := range []struct {
		made int
		want bool
	}{{0, false}, {1, false}, {2, true}} {
		m := Measurement{Made: tt.made, Observations: make([]Observation, 1)}
		if m.incomplete() != tt.want {
			t.Errorf("one of %d", tt.made)
		}
		c := &Case{view: &view{incomplete: m.incomplete()}}
		if f := whole(c, blocked(TLSResetSNI, Likely, "it was reset")); (f.State == Blocked) == tt.want || f.Signature != TLSResetSNI {
			t.Errorf("one of %d: %+v", tt.made, f)
		}
	}
}

package measurements

import "testing"

// A neutral name that died in the same way at another place of the target leaves a suspicion, and so does the target's
// own that passed there: that of another target, or of another kind, does not.
func TestNeutralDiedElsewhere(t *testing.T) {
	at := func(target, endpoint string, of Failure) *Case {
		m := &Measurement{}
		return &Case{view: &view{m: m, line: &Line{}}, Layer: LayerTLS, Target: TargetInfo{ID: target}, Endpoint: endpoint,
			T: &Observation{Target: target, Control: T, Operation: TLSHandshake, Endpoint: endpoint}, N: &Observation{Operation: TLSHandshake, Endpoint: endpoint, Failure: of}}
	}
	spared := at("web", "192.0.2.2:443", "")
	for _, tt := range []struct {
		name  string
		other *Case
		want  Confidence
	}{
		{"it died there", at("web", "192.0.2.2:443", ConnectionReset), Suspected},
		{"it passed there", at("web", "192.0.2.2:443", ""), Likely},
		{"it ended there", at("web", "192.0.2.2:443", EOF), Likely},
		{"another target's", at("api", "192.0.2.2:443", ConnectionReset), Likely},
		{"the target's own name passed there", spared, Suspected},
	} {
		c := at("web", "192.0.2.1:443", "")
		if tt.other == spared {
			c.view.m.Observations = []Observation{*spared.T}
		}
		c.T.Failure = ConnectionReset
		if tt.other != spared {
			tt.other.T.Failure = ConnectionReset
		}
		c.all = []*Case{c, tt.other}
		if f := byName(c, TLSResetSNI, "it was reset"); f.State != Blocked || f.Confidence != tt.want {
			t.Errorf("%s: %+v", tt.name, f)
		}
	}
}

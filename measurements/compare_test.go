package measurements

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// verdictOf is a verdict about one app with one target.
func verdictOf(state State, layers ...LayerVerdict) *RoundVerdict {
	return &RoundVerdict{
		Network: NetworkVerdict{State: OK},
		Apps:    []AppVerdict{{App: "app", State: state, Targets: []TargetVerdict{{Target: "web", State: state, Layers: layers}}}},
	}
}

func TestCompare(t *testing.T) {
	fine := LayerVerdict{Layer: LayerTLS, Family: IPv4, State: OK, Scope: ScopeUnknown, Rule: "passes"}
	reset := LayerVerdict{Layer: LayerTLS, Family: IPv4, State: Blocked, Signature: TLSResetSNI, Confidence: Likely, Scope: ScopeUnknown, Rule: "tls-dies-with-name", Reasons: []string{"so"}}
	otherwise, sure, near, by := reset, reset, reset, reset
	otherwise.Reasons, sure.Confidence, near.Scope, by.Rule = []string{"in other words"}, Confirmed, ScopeHome, "tls-shape"
	silent := reset
	silent.Signature = TLSTimeoutSNI
	was := &Said{Blocked, TLSResetSNI, Likely, "", "tls-dies-with-name"}
	with := func(edit func(*Said)) *Said { s := *was; edit(&s); return &s }
	at := Change{App: "app", Target: "web", Layer: LayerTLS, Family: IPv4}
	change := func(was, is *Said) Change { c := at; c.Was, c.Is = was, is; return c }
	state := func(was, is State) Change { return Change{App: "app", Was: &Said{State: was}, Is: &Said{State: is}} }
	for _, c := range []struct {
		name    string
		was, is *RoundVerdict
		want    []Change
	}{
		{"the same", verdictOf(Blocked, reset), verdictOf(Blocked, reset), nil},
		{"other words", verdictOf(Blocked, reset), verdictOf(Blocked, otherwise), nil},
		{"another order", verdictOf(Blocked, reset, silent), verdictOf(Blocked, silent, reset), nil},
		{"more certain", verdictOf(Blocked, reset), verdictOf(Blocked, sure), []Change{change(was, with(func(s *Said) { s.Confidence = Confirmed }))}},
		{"nearer", verdictOf(Blocked, reset), verdictOf(Blocked, near), []Change{change(was, with(func(s *Said) { s.Scope = ScopeHome }))}},
		{"by another rule", verdictOf(Blocked, reset), verdictOf(Blocked, by), []Change{change(was, with(func(s *Said) { s.Rule = "tls-shape" }))}},
		{"found no more", verdictOf(Blocked, reset), verdictOf(OK, fine), []Change{state(Blocked, OK), change(was, &Said{State: OK, Rule: "passes"})}},
		{"another mechanism", verdictOf(Blocked, reset), verdictOf(Blocked, silent), []Change{change(was, with(func(s *Said) { s.Signature = TLSTimeoutSNI }))}},
		{"one more", verdictOf(Blocked, reset), verdictOf(Blocked, reset, silent), []Change{change(nil, with(func(s *Said) { s.Signature = TLSTimeoutSNI }))}},
		{"one less", verdictOf(Blocked, reset, silent), verdictOf(Blocked, silent), []Change{change(was, nil)}},
		{"an app that was not measured", &RoundVerdict{Network: NetworkVerdict{State: OK}}, verdictOf(OK, fine), []Change{
			{App: "app", Is: &Said{State: OK}}, change(nil, &Said{State: OK, Rule: "passes"}),
		}},
		{"the line", &RoundVerdict{Network: NetworkVerdict{State: OK}}, &RoundVerdict{Network: NetworkVerdict{State: Local, Signature: LocalOffline}}, []Change{
			{Was: &Said{State: OK}, Is: &Said{State: Local, Signature: LocalOffline}},
		}},
	} {
		if diff := cmp.Diff(c.want, Compare(c.was, c.is)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

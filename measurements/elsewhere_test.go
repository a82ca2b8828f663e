package measurements

import (
	"slices"
	"strings"
	"testing"
)

const atHelper = "192.0.2.99:443"

// tried is a step of control X's trial at a helper.
func tried(control Control, f Failure) Observation {
	o := met(TLSHandshake, atHelper, f)
	o.Control, o.Trial, o.Origin = control, 2, FromHelper
	if control == N {
		o.Name = "label.example.com"
	}
	return o
}

// What control X says of a name that died in silence after a neutral one had passed.
func TestControlX(t *testing.T) {
	const sni = TLSTimeoutSNI
	died := []Observation{resolved(), met(Connect, here, ""), neutralMet(TLSHandshake, ""), met(TLSHandshake, here, Timeout)}
	edited := func(o Observation, f func(*Observation)) Observation { f(&o); return o }
	for _, c := range []struct {
		name       string
		seen       []Observation
		confidence Confidence
		reason     string // "" where X says nothing
	}{
		{"not made", nil, Suspected, ""},
		{"the name dies there, too", []Observation{tried(N, ""), tried(X, Timeout)}, Likely, "the name alone triggers"},
		{"the name passes there", []Observation{tried(N, ""), tried(X, "")}, Suspected, "address and name may be needed together"},
		{"the name dies there in another way", []Observation{tried(N, ""), tried(X, ConnectionReset)}, Suspected, "the name meets connection_reset"},
		{"somebody else answers there", []Observation{tried(N, ""), tried(X, SSLUnknownAuthority)}, Suspected, "the name meets ssl_unknown_authority"},
		{"the helper is down", []Observation{tried(N, Timeout), tried(X, Timeout)}, Suspected, ""},
		{"the helper is intercepted", []Observation{tried(N, SSLUnknownAuthority), tried(X, Timeout)}, Suspected, ""},
		{"without its neutral name", []Observation{tried(X, Timeout)}, Suspected, ""},
		{"with the neutral name of another trial", []Observation{edited(tried(N, ""), func(o *Observation) { o.Trial = 3 }), tried(X, Timeout)}, Suspected, ""},
		{"about another name", []Observation{tried(N, ""), edited(tried(X, Timeout), func(o *Observation) { o.Name = "t.me" })}, Suspected, ""},
		{"about another target", []Observation{tried(N, ""), edited(tried(X, Timeout), func(o *Observation) { o.Target = "dc1" })}, Suspected, ""},
		{"at an address of the target's own", []Observation{tried(N, ""), edited(tried(X, Timeout), func(o *Observation) { o.Origin = FromSystem })}, Suspected, ""},
	} {
		got := layerVerdict(t, heard(morning, nil, append(slices.Clone(died), c.seen...)...), nil, "web", LayerTLS)
		if got.State != Blocked || got.Signature != sni || got.Confidence != c.confidence {
			t.Errorf("%s: %s %s %s", c.name, got.State, got.Signature, got.Confidence)
		}
		reasons := strings.Join(got.Reasons, "; ")
		if !strings.Contains(reasons, c.reason) || c.reason == "" && strings.Contains(reasons, "another address") {
			t.Errorf("%s: %s", c.name, reasons)
		}
	}
}

// What was seen at a helper is nothing that was seen of the target: it makes no case and no trial.
func TestHelperIsNoEndpointOfTheTarget(t *testing.T) {
	connect := tried(N, ConnectionRefused)
	connect.Operation, connect.TLS, connect.Name = Connect, nil, ""
	round := heard(morning, nil, resolved(), met(Connect, here, ""), neutralMet(TLSHandshake, ""), met(TLSHandshake, here, ""), connect, tried(N, ""), tried(X, Timeout))
	v := Judge(round, nil)
	for _, l := range v.Apps[0].Targets[0].Layers {
		if l.State != OK || l.Endpoints.Measured > 1 {
			t.Errorf("%s is %s at %d endpoints: %v", l.Layer, l.State, l.Endpoints.Measured, l.Reasons)
		}
	}
	for _, trial := range Trials(&round.Apps[0], &round.Gate, nil) {
		if trial.Endpoint == atHelper {
			t.Errorf("a trial at the helper: %+v", trial)
		}
	}
	if err := round.Apps[0].Check(); err != nil {
		t.Error(err)
	}
}

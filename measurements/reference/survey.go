package reference

import (
	"slices"
	"strings"

	"github.com/telltale-probe/telltale/measurements"
)

// Of makes an answer of a judged round; false where there is none: the reference's own line was not ok,
// so that what failed there says nothing about the apps. A family that is dead on its line is left out,
// and so is QUIC where UDP port 443 is.
func Of(r *measurements.Round, v *measurements.RoundVerdict) (Answer, bool) {
	a := Answer{Schema: Schema, Time: r.Started.UTC().Round(0), Apps: []App{}}
	if v.Network.State != measurements.OK {
		return a, false
	}
	for i := range r.Apps {
		at := slices.IndexFunc(v.Apps, func(app measurements.AppVerdict) bool { return app.App == r.Apps[i].App })
		if at < 0 || len(a.Apps) == maxApps {
			continue
		}
		s := survey{m: &r.Apps[i], verdict: &v.Apps[at], line: v.Network}
		a.Apps = append(a.Apps, App{App: s.m.App, Targets: s.targets()})
	}
	return a, true
}

// survey reads one app's measurement for an answer.
type survey struct {
	m       *measurements.Measurement
	verdict *measurements.AppVerdict
	line    measurements.NetworkVerdict
}

func (s *survey) targets() []measurements.ReferenceTarget {
	out := []measurements.ReferenceTarget{}
	for _, t := range s.m.Targets {
		told := measurements.ReferenceTarget{Target: t.ID, Names: s.names(t.ID), Layers: s.layers(t.ID), Transfers: s.transfers(t.ID)}
		if len(told.Names)+len(told.Layers) > 0 && len(out) < maxTargets {
			out = append(out, told)
		}
	}
	return out
}

// names tells what the reference's own resolver says, unless that is what the reference calls a lie.
func (s *survey) names(target string) (out []measurements.ReferenceName) {
	for i := range s.m.Observations {
		o := &s.m.Observations[i]
		if o.Target != target || o.Operation != measurements.Resolve || o.Control != measurements.T || o.DNS == nil || len(out) == maxEntries {
			continue
		}
		if w := s.worst(target, measurements.LayerDNS, o.Family); w != nil && (w.State == measurements.Blocked || w.State == measurements.Local) {
			continue
		}
		n := measurements.ReferenceName{Name: o.Name, Family: o.Family, Failure: word(o.Failure)}
		for _, a := range o.DNS.Addresses[:min(len(o.DNS.Addresses), maxAddresses)] {
			n.Addresses = append(n.Addresses, a.String())
		}
		out = append(out, n)
	}
	return out
}

// layers tells what was met at the target's endpoints: first by the target itself, then by control N.
func (s *survey) layers(target string) (out []measurements.ReferenceLayer) {
	for _, neutral := range []bool{false, true} {
		for i := range s.m.Observations {
			o := &s.m.Observations[i]
			named := o.Layer() != measurements.LayerTCP // the TCP handshake carries no name: N's is the target's
			isN := o.Control == measurements.N && named
			if o.Target == target && s.tells(o) && isN == neutral {
				out = note(out, o, isN)
			}
		}
	}
	kept := out[:0]
	for _, l := range out {
		if l.State = s.state(target, &l); l.State != "" {
			kept = append(kept, l)
		}
	}
	return kept
}

// tells says whether an observation says something of its endpoint: not what an imposter served, not
// what a service in trouble answered, and nothing of a family that is dead on this line.
func (s *survey) tells(o *measurements.Observation) bool {
	if !s.alive(o.Family) || o.Endpoint == "" || o.Origin == measurements.FromHelper {
		return false
	}
	switch o.Operation {
	case measurements.Connect, measurements.Settle, measurements.TLSHandshake:
		return true
	case measurements.QUICHandshake:
		return yes(s.line.UDP443)
	case measurements.HTTPExchange:
		return !o.OK() || o.HTTP != nil && o.HTTP.Status < 500 && (o.HTTP.Verified || o.Transport == "tcp")
	}
	return false
}

func (s *survey) alive(f measurements.Family) bool {
	if f == measurements.IPv6 {
		return yes(s.line.IPv6)
	}
	return yes(s.line.IPv4)
}

func yes(b *bool) bool { return b != nil && *b }

// note takes an observation in. Of several steps at one endpoint the one that failed speaks.
func note(layers []measurements.ReferenceLayer, o *measurements.Observation, neutral bool) []measurements.ReferenceLayer {
	at := slices.IndexFunc(layers, func(l measurements.ReferenceLayer) bool { return l.Layer == o.Layer() && l.Family == o.Family })
	if at < 0 {
		if neutral || len(layers) == maxEntries {
			return layers
		}
		at = len(layers)
		layers = append(layers, measurements.ReferenceLayer{Layer: o.Layer(), Family: o.Family})
	}
	l := &layers[at]
	if neutral {
		for i := range l.Endpoints {
			if e := &l.Endpoints[i]; e.Endpoint == o.Endpoint {
				e.Neutral = string(word(o.Failure))
				if o.OK() {
					e.Neutral = "ok"
				}
			}
		}
		return layers
	}
	name := o.Name
	if o.Layer() == measurements.LayerTCP {
		name = ""
	}
	e := endpoint(l, o.Endpoint, name)
	if e == nil {
		return layers
	}
	if !o.OK() {
		e.Failure = word(o.Failure)
	}
	if o.TLS != nil && len(o.TLS.Chain) > 0 {
		if key := measurements.KeyOf(o.TLS.Chain[0]); key != "" && !slices.Contains(e.Keys, key) && len(e.Keys) < maxKeys {
			e.Keys = append(e.Keys, key)
		}
	}
	return layers
}

// endpoint finds or makes an entry; nil where there are too many.
func endpoint(l *measurements.ReferenceLayer, ep, name string) *measurements.ReferenceEndpoint {
	for i := range l.Endpoints {
		if e := &l.Endpoints[i]; e.Endpoint == ep && e.Name == name {
			return e
		}
	}
	if len(l.Endpoints) == maxEntries {
		return nil
	}
	l.Endpoints = append(l.Endpoints, measurements.ReferenceEndpoint{Endpoint: ep, Name: name})
	return &l.Endpoints[len(l.Endpoints)-1]
}

// state sums a layer up; "" where its failures are the reference's own line's.
func (s *survey) state(target string, l *measurements.ReferenceLayer) measurements.State {
	for i := range l.Endpoints {
		if l.Endpoints[i].Failure == "" {
			return measurements.OK
		}
	}
	worst := s.worst(target, l.Layer, l.Family)
	switch {
	case worst == nil, worst.State == measurements.OK, worst.State == measurements.Local, strings.HasPrefix(worst.Rule, "line-"):
		return ""
	case (worst.State == measurements.Blocked || worst.State == measurements.Throttled) && !anyName(worst.Signature):
		return measurements.Blocked
	}
	return measurements.Down
}

// anyName says whether a signature is of what fails whatever the name: to a reference, which stands where
// nobody censors, that is an outage (DESIGN section 4, rule 6).
func anyName(s measurements.Signature) bool {
	layer, rest, _ := strings.Cut(string(s), ".")
	switch layer {
	case "ip", "tcp":
		return true
	case "tls":
		return strings.HasSuffix(rest, ".other")
	}
	return s == measurements.QUICTimeoutEndpoint || s == measurements.QUICRefused || s == measurements.QUICCloseSig || s == measurements.QUICVersionSig
}

// worst is the worst that the reference itself makes of a layer; nil where it was not judged.
func (s *survey) worst(target string, l measurements.Layer, f measurements.Family) (worst *measurements.LayerVerdict) {
	for i := range s.verdict.Targets {
		if s.verdict.Targets[i].Target != target {
			continue
		}
		layers := s.verdict.Targets[i].Layers
		for j := range layers {
			e := &layers[j]
			if e.Layer == l && e.Family == f && (worst == nil || worst.State == measurements.OK || e.State == measurements.Blocked) {
				worst = e
			}
		}
	}
	return worst
}

// word bounds a failure: the text of an unknown one may hold anything.
func word(f measurements.Failure) measurements.Failure { return measurements.Failure(f.Reason()) }

package measurements

import (
	"slices"
	"strings"
	"time"
)

// Outcome of a trial: which of the two steps failed.
type Outcome string

// The outcomes (contract: the label "outcome" of telltale_trials_total).
const (
	BothOK            Outcome = "both_ok"
	TargetOnlyFailed  Outcome = "target_only_failed"
	BothFailed        Outcome = "both_failed"
	ControlOnlyFailed Outcome = "control_only_failed"
)

// Outcomes lists them all.
var Outcomes = []Outcome{BothOK, TargetOnlyFailed, BothFailed, ControlOnlyFailed}

// Trial is the unit of evidence: a target's step and the same step with one thing changed, in one
// round. In TLS, HTTP and QUIC the other step is control N, just before at the same place; in DNS it
// is control D, while a neutral name has to resolve at the resolver under test; in TCP, where no name
// is sent, it is the gate's connects in the same family. A step without its control makes no trial.
//
// A trial says that the name, or the address, made a difference once. What made it, and how often it
// does so without anybody's will, is for the rules and the history to say.
type Trial struct {
	App       string    `json:"app"`
	Target    string    `json:"target"`
	Layer     Layer     `json:"layer"`
	Family    Family    `json:"ip_family"`
	Endpoint  string    `json:"endpoint"`          // "ip:port"; the name asked for in the DNS layer
	Failure   Failure   `json:"failure,omitempty"` // of the target, else of the control; "" where both passed
	Signature Signature `json:"signature,omitempty"`
	At        time.Time `json:"at"`
	Outcome   Outcome   `json:"outcome"`

	followed  Layer // in which the history follows it, where that is not Layer: what transfers tell
	witnessed bool  // what failed here, transfers alone, did not for the reference vantage
	household bool  // the resolver's answer may be the household's own wish: it stays, and is no proof of anybody else's
}

// isAt says whether a trial was made where the history keeps a place.
func (t *Trial) isAt(k placeKey) bool {
	layer := t.Layer
	if t.followed != "" {
		layer = t.followed
	}
	return t.Target == k.Target && layer == k.Layer && t.Family == k.Family
}

// lie is the kind of a failed trial in which nothing failed: an answer came, and it was forged.
const lie = "lie"

// Kind is how the trial failed, in a bounded word.
func (t *Trial) Kind() string {
	switch kind := t.Failure.Kind(); {
	case t.followed == layerStream:
		return kindOf(TLSCutoffSNI)
	case t.followed == layerGoodput:
		return kindOf(ThrottleSNI)
	case kind != "":
		return kind
	case t.Failure == "":
		return lie
	}
	return t.Failure.Reason()
}

// Trials gives the trials of an app's measurement. The gate is that of the same round; without it
// there are none in DNS and TCP. The verdict, if there is one, names the signatures.
func Trials(m, gate *Measurement, v *AppVerdict) []Trial {
	if len(m.Observations) == 0 {
		return nil
	}
	out := append(namedTrials(m), transferTrials(m)...)
	if gate != nil {
		out = append(out, resolveTrials(m, gate, v)...)
		out = append(out, connectTrials(m, gate)...)
	}
	for i := range out {
		out[i].App, out[i].Signature = m.App, signatureOf(&out[i], v)
	}
	return out
}

// namedTrials pairs the steps that carry a name with those of control N. Where a step was made in
// more than one shape, one that failed speaks for all.
func namedTrials(m *Measurement) []Trial {
	type pair struct{ neutral, target *Observation }
	type key struct {
		trial int
		layer Layer
	}
	pairs, order := map[key]*pair{}, []key(nil)
	for i := range m.Observations {
		o := &m.Observations[i]
		if o.Trial == 0 || o.Operation == QUICVersion || !slices.Contains([]Layer{LayerTLS, LayerHTTP, LayerQUIC, LayerApp}, o.Layer()) {
			continue
		}
		k := key{o.Trial, o.Layer()}
		if pairs[k] == nil {
			pairs[k] = &pair{}
			order = append(order, k)
		}
		switch o.Control {
		case N:
			pairs[k].neutral = failing(pairs[k].neutral, o)
		case T:
			pairs[k].target = failing(pairs[k].target, o)
		}
	}
	var out []Trial
	for _, k := range order {
		if p := pairs[k]; p.neutral != nil && p.target != nil {
			passed := (&Case{T: p.target, N: p.neutral}).NeutralPassed()
			out = append(out, newTrial(p.target, p.neutral.Failure, passed, p.target.OK()))
		}
	}
	return out
}

// failing keeps the failing one of two steps that were made alike.
func failing(a, b *Observation) *Observation {
	if a == nil || a.OK() {
		return b
	}
	return a
}

func newTrial(t *Observation, control Failure, controlOK, targetOK bool) Trial {
	out := Trial{Target: t.Target, Layer: t.Layer(), Family: t.Family, Endpoint: t.Endpoint, At: t.Started, Failure: t.Failure}
	switch {
	case controlOK && targetOK:
		out.Outcome, out.Failure = BothOK, ""
	case controlOK:
		out.Outcome = TargetOnlyFailed
	case targetOK:
		out.Outcome, out.Failure = ControlOnlyFailed, control
	default:
		out.Outcome = BothFailed
	}
	return out
}

// resolveTrials pairs a name's answer with control D's. An answer that the verdict calls forged has
// failed, although the step itself did not. A failure that ended when the resolver was asked again makes none: it may
// have hit any name.
func resolveTrials(m, gate *Measurement, v *AppVerdict) []Trial {
	neutral := map[Family]bool{}
	for i := range gate.Observations {
		if o := &gate.Observations[i]; o.Operation == Resolve && o.Control == T && o.OK() {
			neutral[o.Family] = true
		}
	}
	other := map[wanted]*Observation{} // D's best word
	failed := map[placed]bool{}        // a neutral name failed right afterwards
	ended := map[wanted]bool{}         // the failure did, when the resolver was asked again: it was no name's
	for i := range m.Observations {
		o := &m.Observations[i]
		if o.Operation == Resolve && o.Control == N && !o.OK() {
			failed[placed{o.Target, o.Family}] = true
		}
		if o.Operation == Resolve && o.DNS != nil && (o.DNS.Further != "" && o.resolved() || o.answeredLate()) {
			ended[wanted{o.Name, o.Family}] = true
		}
		if o.Operation != Resolve || o.Control != D || o.DNS == nil || o.DNS.Resolver == SystemResolver {
			continue
		}
		if k := (wanted{o.Name, o.Family}); other[k] == nil || o.OK() {
			other[k] = o
		}
	}
	var out []Trial
	for i := range m.Observations {
		o := &m.Observations[i]
		if o.Operation != Resolve || o.Control != T || !o.OK() && ended[wanted{o.Name, o.Family}] {
			continue
		}
		if d := other[wanted{o.Name, o.Family}]; d != nil {
			t := newTrial(o, d.Failure, d.OK() && neutral[o.Family] && !failed[placed{o.Target, o.Family}], o.OK() && !blockedAt(v, o.Target, LayerDNS, o.Family))
			t.Endpoint, t.household = o.Name, m.toldAtHome(o)
			out = append(out, t)
		}
	}
	return out
}

// connectTrials pairs the connects to a target's endpoints with the gate's.
func connectTrials(m, gate *Measurement) []Trial {
	tried, alive := map[Family]Failure{}, map[Family]bool{}
	for i := range gate.Observations {
		if o := &gate.Observations[i]; o.Operation == Connect && o.Control == T {
			alive[o.Family] = alive[o.Family] || o.OK()
			tried[o.Family] = o.Failure
		}
	}
	worst, order := map[[2]string]*Observation{}, [][2]string(nil)
	for i := range m.Observations {
		o := &m.Observations[i]
		if _, asked := tried[o.Family]; !asked || o.Layer() != LayerTCP || o.atHelper() {
			continue
		}
		k := [2]string{o.Target, o.Endpoint}
		if worst[k] == nil {
			order = append(order, k)
		}
		worst[k] = failing(worst[k], o)
	}
	var out []Trial
	for _, k := range order {
		o := worst[k]
		out = append(out, newTrial(o, tried[o.Family], alive[o.Family], o.OK()))
	}
	return out
}

// signatureOf finds what the verdict calls a trial's failure: of several findings in its layer and
// family the one that names how it died, what is called blocked first.
func signatureOf(t *Trial, v *AppVerdict) Signature {
	if v == nil || t.Outcome == BothOK || t.Outcome == ControlOnlyFailed {
		return ""
	}
	found := slices.DeleteFunc(entriesAt(v, t.Target, t.Layer, t.Family), func(l *LayerVerdict) bool {
		return ofTransfers(l.Signature) != (t.followed != "")
	})
	slices.SortStableFunc(found, func(a, b *LayerVerdict) int { return rank(b.State) - rank(a.State) })
	if t.followed != "" && len(found) > 0 {
		return found[0].Signature
	}
	for _, l := range found {
		if kind := t.Failure.Kind(); kind != "" && slices.Contains(strings.Split(string(l.Signature), "."), kind) {
			return l.Signature
		}
	}
	if len(found) == 1 {
		return found[0].Signature
	}
	return ""
}

// blockedAt says whether the verdict calls a layer of a target blocked.
func blockedAt(v *AppVerdict, target string, l Layer, f Family) bool {
	return v != nil && slices.ContainsFunc(entriesAt(v, target, l, f), func(e *LayerVerdict) bool { return e.State == Blocked })
}

// entriesAt gives the findings of a layer of a target that are not ok.
func entriesAt(v *AppVerdict, target string, l Layer, f Family) (out []*LayerVerdict) {
	for i := range v.Targets {
		if v.Targets[i].Target != target {
			continue
		}
		for j := range v.Targets[i].Layers {
			if e := &v.Targets[i].Layers[j]; e.Layer == l && e.Family == f && e.State != OK {
				out = append(out, e)
			}
		}
	}
	return out
}

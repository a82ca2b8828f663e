package metrics

import (
	"slices"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// Values of the label outcome.
const (
	bothOK            = "both_ok"
	targetOnlyFailed  = "target_only_failed"
	bothFailed        = "both_failed"
	controlOnlyFailed = "control_only_failed"
)

var (
	outcomes = []string{bothOK, targetOnlyFailed, bothFailed, controlOnlyFailed}

	// trialLayers are those whose steps carry a name: only there does a neutral one change anything.
	trialLayers = []measurements.Layer{measurements.LayerTLS, measurements.LayerHTTP, measurements.LayerQUIC}
)

// failureKey is a series of telltale_step_failures_total.
type failureKey struct{ app, target, layer, family, reason string }

// count adds up what was done in a measurement.
func (m *Metrics) count(measured *measurements.Measurement, gate bool) {
	asked := askedElsewhere(measured)
	for i := range measured.Observations {
		o := &measured.Observations[i]
		m.networkBytes.WithLabelValues(sent).Add(float64(max(o.Sent, 0)))
		m.networkBytes.WithLabelValues(received).Add(float64(max(o.Received, 0)))
		if o.Control == measurements.T && o.Layer() != "" {
			m.countStep(measured.App, o, gate)
			if !o.OK() && !(truthful(o) && !asked[o.Name]) {
				m.countFailure(measured.App, o, gate)
			}
		}
	}
	for layer, found := range trialsOf(measured) {
		for _, outcome := range found {
			m.trials.WithLabelValues(measured.App, string(layer), outcome).Inc()
		}
	}
}

// askedElsewhere gives the names whose IPv6 addresses control D was asked for.
func askedElsewhere(measured *measurements.Measurement) map[string]bool {
	names := map[string]bool{}
	for i := range measured.Observations {
		if o := &measured.Observations[i]; o.Operation == measurements.Resolve && o.Control == measurements.D && o.Family == measurements.IPv6 {
			names[o.Name] = true
		}
	}
	return names
}

// truthful says whether an answer is "no IPv6 address": most names have none. As in the judging, that
// is no failure unless another resolver was asked and may know better.
func truthful(o *measurements.Observation) bool {
	return o.Failure == measurements.DNSNoAnswer && o.Family == measurements.IPv6
}

func targetLabel(o *measurements.Observation, gate bool) string {
	if gate {
		return GateTarget
	}
	return o.Target
}

func (m *Metrics) countStep(app string, o *measurements.Observation, gate bool) {
	layer := string(o.Layer())
	m.steps.WithLabelValues(app, targetLabel(o, gate), layer, string(o.Family)).Inc()
	if o.Operation != measurements.Settle { // staying silent takes as long as we decide
		m.stepDuration.WithLabelValues(app, layer).Observe(max(time.Duration(o.Duration).Seconds(), 0))
	}
}

func (m *Metrics) countFailure(app string, o *measurements.Observation, gate bool) {
	key := failureKey{app, targetLabel(o, gate), string(o.Layer()), string(o.Family), o.Failure.Reason()}
	if !m.failed[key] && len(m.failed) >= maxFailureSeries {
		key.target, key.reason = otherLabel, otherLabel
	} else {
		m.failed[key] = true
	}
	m.stepFailures.WithLabelValues(key.app, key.target, key.layer, key.family, key.reason).Inc()
}

// trialsOf gives the outcomes of a measurement's trials: pairs of the same step with a neutral name
// (N) and with the target's (T) that share a trial. One of them alone is none.
func trialsOf(measured *measurements.Measurement) map[measurements.Layer][]string {
	type pair struct{ neutral, target *measurements.Observation }
	type key struct {
		trial int
		layer measurements.Layer
	}
	pairs := map[key]*pair{}
	for i := range measured.Observations {
		o := &measured.Observations[i]
		if o.Trial == 0 || !slices.Contains(trialLayers, o.Layer()) {
			continue
		}
		k := key{o.Trial, o.Layer()}
		if pairs[k] == nil {
			pairs[k] = &pair{}
		}
		switch o.Control {
		case measurements.N:
			pairs[k].neutral = failing(pairs[k].neutral, o)
		case measurements.T:
			pairs[k].target = failing(pairs[k].target, o)
		}
	}
	out := map[measurements.Layer][]string{}
	for k, p := range pairs {
		if p.neutral != nil && p.target != nil {
			out[k.layer] = append(out[k.layer], outcome(p.neutral, p.target))
		}
	}
	return out
}

// failing keeps the failing one of two steps that were made alike.
func failing(a, b *measurements.Observation) *measurements.Observation {
	if a == nil || a.OK() {
		return b
	}
	return a
}

func outcome(n, t *measurements.Observation) string {
	switch passed := neutralPassed(n, t); {
	case passed && t.OK():
		return bothOK
	case passed:
		return targetOnlyFailed
	case t.OK():
		return controlOnlyFailed
	}
	return bothFailed
}

// neutralPassed follows the design's table of controls: N passes when the server answers, and not
// with the target's failure. An edge that does not serve the neutral name says so, with an alert or
// another name's certificate, and that is an answer.
func neutralPassed(n, t *measurements.Observation) bool {
	_, alert := n.Failure.Alert()
	answered := n.OK() || alert || n.Failure.IsCertificate() || n.Failure == measurements.SSLFailedHandshake
	return answered && (n.OK() || n.Failure != t.Failure)
}

package metrics

import (
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// trialLayers are those whose steps carry a name: only there does a neutral one change anything.
var trialLayers = []measurements.Layer{measurements.LayerTLS, measurements.LayerHTTP, measurements.LayerQUIC}

// failureKey is a series of telltale_step_failures_total.
type failureKey struct{ app, target, layer, family, reason string }

// count adds up what was done in a measurement.
func (m *Metrics) count(measured *measurements.Measurement, gate bool) {
	asked, app := askedElsewhere(measured), appLabel(measured.App)
	for i := range measured.Observations {
		o := &measured.Observations[i]
		m.networkBytes.WithLabelValues(sent).Add(float64(max(o.Sent, 0)))
		m.networkBytes.WithLabelValues(received).Add(float64(max(o.Received, 0)))
		if o.Control == measurements.T && o.Layer() != "" {
			m.countStep(app, o, gate)
			if !o.OK() && !(truthful(o) && !asked[o.Name]) {
				m.countFailure(app, o, gate)
			}
		}
	}
	for _, t := range measurements.Trials(measured, nil, nil) {
		m.trials.WithLabelValues(app, string(t.Layer), string(t.Outcome)).Inc()
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

package metrics

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"

	"github.com/telltale-probe/telltale/measurements"
)

// Options say what is measured, so that its series are there before the first round.
type Options struct {
	Apps     []AppInfo             // those that are enabled
	Families []measurements.Family // those that are measured; none means both
	Software measurements.Software
	Vantage  measurements.Vantage
	// GoVersion is that of the compiler, "go1.26.8".
	GoVersion string
}

// AppInfo is an app of the catalogue.
type AppInfo struct {
	ID      string
	Targets []TargetInfo
}

// TargetInfo is a target of the catalogue, and the layers at which its probes make steps.
type TargetInfo struct {
	ID     string
	Layers []measurements.Layer
}

// GateTarget is the target under which the steps of all the gate's hosts are counted: the gate is
// judged as one, and which of its hosts failed stands in the evidence.
const GateTarget = "gate"

// gateLayers are those at which the gate measures.
var gateLayers = []measurements.Layer{measurements.LayerDNS, measurements.LayerTCP, measurements.LayerTLS, measurements.LayerHTTP, measurements.LayerQUIC}

// Metrics holds every metric of section 8 of the design. It is a prometheus.Gatherer; gathering and
// observing exclude each other, so that a scrape sees a round as a whole or not at all.
type Metrics struct {
	registry *prometheus.Registry
	families

	mu       sync.RWMutex // held for reading while a scrape gathers
	apps     []AppInfo
	failed   map[failureKey]bool // series of step_failures_total that exist
	findings map[findingKey]*finding
	shown    map[[2]string]bool   // layers of apps that were shown, the catalogue's and others: QUIC that a server offers
	lastOK   map[place]time.Time  // when a layer of a target was last found ok
	epoch    string               // of the network; "" before the first round
	tunnel   bool                 // that network was a tunnel's
	vantage  measurements.Vantage // as configured
	last     time.Time            // end of the last round; zero before the first
}

var _ prometheus.Gatherer = (*Metrics)(nil)

// New makes the metrics, in a registry of their own.
func New(o Options) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), families: newFamilies(),
		failed: map[failureKey]bool{}, findings: map[findingKey]*finding{}, shown: map[[2]string]bool{}, lastOK: map[place]time.Time{},
	}
	m.registry.MustRegister(m.collectors()...)
	for _, reason := range SkipReasons {
		m.roundsSkipped.WithLabelValues(reason)
	}
	for _, direction := range []string{sent, received} {
		m.networkBytes.WithLabelValues(direction)
	}
	m.Configure(o)
	return m
}

// Configure takes a changed configuration over without setting any counter back. Series of what is
// no longer measured go.
func (m *Metrics) Configure(o Options) {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.apps
	m.apps = slices.Clone(o.Apps)
	for i := range m.apps {
		m.apps[i].Targets = slices.Clone(m.apps[i].Targets) // the caller may go on editing its own
	}
	m.forget(was)
	if len(o.Families) == 0 {
		o.Families = []measurements.Family{measurements.IPv4, measurements.IPv6}
	}
	m.presetStates(m.appState, appStates, measurements.ControlApp)
	m.presetSteps(measurements.ControlApp, TargetInfo{ID: GateTarget, Layers: gateLayers}, o.Families)
	m.presetGate(o.Families)
	for _, app := range o.Apps {
		m.presetStates(m.appState, appStates, app.ID)
		for _, t := range app.Targets {
			m.presetStates(m.targetState, layerStates, app.ID, t.ID)
			m.lastJudged.WithLabelValues(app.ID, t.ID)
			m.presetSteps(app.ID, t, o.Families)
		}
		for _, layer := range layersOf(app) {
			m.presetStates(m.layerState, layerStates, app.ID, string(layer))
			if slices.Contains(trialLayers, layer) {
				for _, outcome := range measurements.Outcomes {
					m.trials.WithLabelValues(app.ID, string(layer), string(outcome))
				}
			}
		}
	}
	m.vantage = o.Vantage
	m.showLastVantage()
	m.buildInfo.Reset()
	m.buildInfo.WithLabelValues(o.Software.Version, o.Software.Revision, o.GoVersion, o.Software.Rules, o.Software.Catalogue).Set(1)
}

// presetStates makes a gauge for every state that has none yet: With does that, and leaves others alone.
func (m *Metrics) presetStates(v *prometheus.GaugeVec, states []measurements.State, labels ...string) {
	for _, state := range states {
		v.WithLabelValues(append(slices.Clone(labels), string(state))...)
	}
}

func (m *Metrics) presetSteps(app string, t TargetInfo, families []measurements.Family) {
	for _, layer := range t.Layers {
		for _, family := range families {
			m.steps.WithLabelValues(app, t.ID, string(layer), string(family))
		}
		m.stepDuration.WithLabelValues(app, string(layer))
	}
}

// presetGate makes what is not known before the first round, whether the network is up, and the one failure for
// which a clean line's budget has room: silence instead of a connection, with which most of its troubles begin.
func (m *Metrics) presetGate(families []measurements.Family) {
	for _, family := range families {
		key := failureKey{measurements.ControlApp, GateTarget, string(measurements.LayerTCP), string(family), measurements.Timeout.Reason()}
		m.failed[key] = true
		m.stepFailures.WithLabelValues(key.app, key.target, key.layer, key.family, key.reason)
		for _, layer := range gateLayers {
			if m.last.IsZero() && layer != measurements.LayerHTTP {
				m.networkUp.WithLabelValues(string(family), string(layer)).Set(math.NaN())
			}
		}
	}
}

// layersOf gives the layers of an app's targets, each once, in their order.
func layersOf(app AppInfo) []measurements.Layer {
	var out []measurements.Layer
	for _, layer := range measurements.Layers {
		if slices.ContainsFunc(app.Targets, func(t TargetInfo) bool { return slices.Contains(t.Layers, layer) }) {
			out = append(out, layer)
		}
	}
	return out
}

// Gather gives all metrics as of one moment between rounds.
func (m *Metrics) Gather() ([]*dto.MetricFamily, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.registry.Gather()
}

// Registerer takes further collectors into the same registry, as the web server's own.
func (m *Metrics) Registerer() prometheus.Registerer { return m.registry }

// RegisterSelf adds what the program uses itself: go_* and process_*. It is called once at most, and
// left out where a test or a textfile wants only what was measured.
func (m *Metrics) RegisterSelf() {
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1e3 }

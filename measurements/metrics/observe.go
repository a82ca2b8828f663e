package metrics

import (
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/telltale-probe/telltale/measurements"
)

// appStates are the states of an app; a layer and a target have all of them but partial.
var (
	appStates   = measurements.States
	layerStates = slices.DeleteFunc(slices.Clone(measurements.States), func(s measurements.State) bool { return s == measurements.Partial })
)

// Observe takes a judged round in.
func (m *Metrics) Observe(r measurements.Round, v measurements.RoundVerdict) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rounds.Inc()
	m.roundDuration.Set(time.Duration(r.Runtime).Seconds())
	m.last = r.Started.Add(time.Duration(r.Runtime))
	m.lastRound.Set(unix(m.last))
	for i, measured := range append([]measurements.Measurement{r.Gate}, r.Apps...) {
		m.count(&measured, i == 0)
	}
	if cutShort(&r) {
		m.roundsSkipped.WithLabelValues(SkipBudget).Inc()
	}
	m.enter(&r)
	m.showStates(&v)
	m.showNetwork(&r.Gate, &v.Network)
	stands := standing(&v)
	for _, app := range v.All() {
		for j := range app.Targets {
			t := &app.Targets[j]
			if !r.Gate.Vantage.Moved { // on which network it was ok, nobody knows
				m.follow(appLabel(app.App), t, stands, r.Started)
			}
			if t.State != measurements.Skipped {
				m.lastJudged.WithLabelValues(appLabel(app.App), t.Target).Set(unix(r.Started))
			}
		}
	}
	m.showFindings()
}

// cutShort says whether the daily budget left an endpoint of a target out: then the round was made in part.
// What else it leaves out are transfers in pairs, which are many bytes and rare; they make no round whole.
func cutShort(r *measurements.Round) bool {
	for i := range r.Apps {
		for _, skip := range r.Apps[i].Skipped {
			if skip.Reason == measurements.SkipBudget && skip.Layer != measurements.LayerHTTP && skip.Endpoint != "" {
				return true
			}
		}
	}
	return false
}

// RoundSkipped counts a round that was due and not made. Reasons are those of SkipReasons.
func (m *Metrics) RoundSkipped(reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(SkipReasons, reason) {
		reason = otherLabel
	}
	m.roundsSkipped.WithLabelValues(reason).Inc()
}

// showStates sets one gauge of each set to 1. An app that was not measured is skipped, not what it
// was before.
func (m *Metrics) showStates(v *measurements.RoundVerdict) {
	show(m.appState, appStates, v.Network.State, measurements.ControlApp)
	given := map[string]*measurements.AppVerdict{}
	for _, app := range v.All() {
		given[appLabel(app.App)] = app
		m.showApp(app)
	}
	for _, app := range m.apps {
		if given[app.ID] == nil && app.ID != measurements.ControlApp {
			show(m.appState, appStates, measurements.Skipped, app.ID)
		}
		for _, t := range app.Targets {
			if !judged(given[app.ID], t.ID) {
				show(m.targetState, layerStates, measurements.Skipped, app.ID, t.ID)
			}
		}
		for _, layer := range measurements.Layers {
			wanted := slices.Contains(layersOf(app), layer) || m.shown[[2]string{app.ID, string(layer)}]
			if wanted && worstAt(given[app.ID], layer) == "" {
				show(m.layerState, layerStates, measurements.Skipped, app.ID, string(layer))
			}
		}
	}
}

func judged(app *measurements.AppVerdict, target string) bool {
	return app != nil && slices.ContainsFunc(app.Targets, func(t measurements.TargetVerdict) bool { return t.Target == target })
}

func (m *Metrics) showApp(app *measurements.AppVerdict) {
	label := appLabel(app.App)
	if label != measurements.ControlApp { // whose state is that of our own line
		show(m.appState, appStates, app.State, label)
	}
	for _, t := range app.Targets {
		show(m.targetState, layerStates, t.State, label, t.Target)
	}
	for _, layer := range measurements.Layers {
		if state := worstAt(app, layer); state != "" {
			m.shown[[2]string{label, string(layer)}] = true
			show(m.layerState, layerStates, state, label, string(layer))
		}
	}
}

// appLabel is the value of the label app: the placebo targets stand beside the gate.
func appLabel(app string) string {
	if app == measurements.PlaceboApp {
		return measurements.ControlApp
	}
	return app
}

// severity orders states as the judging does, from "not measured" to "blocked".
var severity = []measurements.State{
	measurements.Skipped, measurements.OK, measurements.Local, measurements.Inconclusive,
	measurements.Down, measurements.Throttled, measurements.Partial, measurements.Blocked,
}

// worstAt is the worst state of a layer over an app's targets, with what stands where the round did not look;
// "" where it was not measured and nothing stands.
func worstAt(app *measurements.AppVerdict, layer measurements.Layer) measurements.State {
	if app == nil {
		return ""
	}
	var worst measurements.State
	take := func(at measurements.Layer, state measurements.State) {
		if at == layer && slices.Index(severity, state) > slices.Index(severity, worst) {
			worst = state
		}
	}
	for _, t := range app.Targets {
		for _, l := range t.Layers {
			take(l.Layer, l.State)
		}
		for i := range t.Unseen {
			take(t.Unseen[i].Layer, t.Unseen[i].State())
		}
	}
	return worst
}

func show(v *prometheus.GaugeVec, states []measurements.State, is measurements.State, labels ...string) {
	for _, state := range states {
		value := 0.0
		if state == is {
			value = 1
		}
		v.WithLabelValues(append(slices.Clone(labels), string(state))...).Set(value)
	}
}

// showNetwork says what neutral hosts answered. The judging weighs TLS by operators; at the other
// layers one answer is enough to say that something comes through.
func (m *Metrics) showNetwork(gate *measurements.Measurement, n *measurements.NetworkVerdict) {
	type layerFamily struct{ family, layer string }
	up := map[layerFamily]bool{}
	for i := range gate.Observations {
		o := &gate.Observations[i]
		if o.Control != measurements.T {
			continue // of a resolver as such
		}
		switch o.Operation {
		case measurements.Resolve, measurements.Connect, measurements.QUICHandshake:
			key := layerFamily{string(o.Family), string(o.Layer())}
			up[key] = up[key] || o.OK()
		}
	}
	for family, alive := range map[measurements.Family]*bool{measurements.IPv4: n.IPv4, measurements.IPv6: n.IPv6} {
		if alive != nil {
			up[layerFamily{string(family), string(measurements.LayerTLS)}] = *alive
		}
	}
	m.networkUp.Reset() // what was not tested now is not known now
	for key, ok := range up {
		value := 0.0
		if ok {
			value = 1
		}
		m.networkUp.WithLabelValues(key.family, key.layer).Set(value)
	}
}

// showLastVantage shows the configured vantage as it was in the last round: what stands may be from a
// tunnel, and is not home's.
func (m *Metrics) showLastVantage() {
	v := m.vantage
	if m.tunnel {
		v = measurements.Vantage{}
	}
	if m.epoch != "" {
		v.Epoch = m.epoch
	}
	m.showVantage(v)
}

func (m *Metrics) showVantage(v measurements.Vantage) {
	asn, country := "", v.Country
	if v.ASN > 0 {
		asn = strconv.Itoa(v.ASN)
	}
	if country == "" {
		country = "ZZ"
	}
	m.vantageInfo.Reset()
	m.vantageInfo.WithLabelValues(country, asn, v.Label, v.Epoch).Set(1)
}

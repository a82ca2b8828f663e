package metrics

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/telltale-probe/telltale/measurements"
)

// State is what must outlive a restart: which blockings are known, and since when. Counters are not
// in it: Prometheus knows how to deal with their reset.
type State struct {
	Epoch     string         `json:"epoch"`            // the network on which it was seen
	Tunnel    bool           `json:"tunnel,omitempty"` // which was a tunnel's
	LastRound time.Time      `json:"last_round"`       // end of the last round; zero if there was none
	Findings  []FindingState `json:"findings"`
	LastOK    []LastOKState  `json:"last_ok"`
}

// FindingState is a blocking that stands or stood.
type FindingState struct {
	place
	Signature   measurements.Signature    `json:"signature"`
	Standing    bool                      `json:"standing"`
	Confidence  measurements.Confidence   `json:"confidence"`  // the last
	Confidences []measurements.Confidence `json:"confidences"` // all that it ever had
	Onset       time.Time                 `json:"onset"`
	LastOK      time.Time                 `json:"last_ok"` // before the onset; zero if never
}

// LastOKState says when a layer of a target was last found ok.
type LastOKState struct {
	place
	At time.Time `json:"at"`
}

// State gives what Restore needs.
func (m *Metrics) State() State {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s := State{Epoch: m.epoch, Tunnel: m.tunnel, LastRound: m.last, Findings: []FindingState{}, LastOK: []LastOKState{}}
	for key, f := range m.findings {
		s.Findings = append(s.Findings, FindingState{
			place: key.place, Signature: key.signature, Standing: f.standing, Confidence: f.confidence,
			Confidences: slices.Clone(f.ever), Onset: f.onset, LastOK: f.lastOK,
		})
	}
	for p, at := range m.lastOK {
		s.LastOK = append(s.LastOK, LastOKState{p, at})
	}
	slices.SortFunc(s.Findings, func(a, b FindingState) int {
		return cmp.Or(comparePlaces(a.place, b.place), cmp.Compare(a.Signature, b.Signature))
	})
	slices.SortFunc(s.LastOK, func(a, b LastOKState) int { return comparePlaces(a.place, b.place) })
	return s
}

func comparePlaces(a, b place) int {
	return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Family, b.Family))
}

// Restore takes over the state of an earlier process, before the first round. What the catalogue no
// longer has is left behind: nothing would ever end it.
func (m *Metrics) Restore(s State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch, m.tunnel, m.last = s.Epoch, s.Tunnel, s.LastRound
	m.showLastVantage()
	if !s.LastRound.IsZero() {
		m.lastRound.Set(unix(s.LastRound))
	}
	known := targetsOf(m.apps)
	for _, ok := range s.LastOK {
		if known[[2]string{ok.App, ok.Target}] {
			m.lastOK[ok.place] = ok.At
		}
	}
	for _, f := range s.Findings {
		f.Confidences = slices.Compact(slices.Sorted(slices.Values(append(f.Confidences, f.Confidence))))
		if !known[[2]string{f.App, f.Target}] || !m.room(len(f.Confidences)+2) {
			continue
		}
		m.findings[findingKey{f.place, f.Signature}] = &finding{
			standing: f.Standing, confidence: f.Confidence, ever: f.Confidences, onset: f.Onset, lastOK: f.LastOK,
		}
	}
	m.showFindings()
}

func targetsOf(apps []AppInfo) map[[2]string]bool {
	out := map[[2]string]bool{}
	for _, app := range apps {
		for _, t := range app.Targets {
			out[[2]string{app.ID, t.ID}] = true
		}
	}
	return out
}

// forget drops the series of what was measured and is not any more.
func (m *Metrics) forget(was []AppInfo) {
	targets, layers := targetsOf(m.apps), map[string][]measurements.Layer{}
	for _, app := range m.apps {
		layers[app.ID] = layersOf(app)
	}
	for _, app := range was {
		still, measured := layers[app.ID]
		if !measured {
			m.drop(prometheus.Labels{"app": app.ID})
		}
		for _, layer := range layersOf(app) {
			if !slices.Contains(still, layer) {
				m.drop(prometheus.Labels{"app": app.ID, "layer": string(layer)})
				delete(m.shown, [2]string{app.ID, string(layer)})
			}
		}
	}
	for old := range targetsOf(was) {
		if targets[old] {
			continue
		}
		m.drop(prometheus.Labels{"app": old[0], "target": old[1]})
		for p := range m.lastOK {
			if p.App == old[0] && p.Target == old[1] {
				delete(m.lastOK, p)
			}
		}
		for key := range m.findings {
			if key.App == old[0] && key.Target == old[1] {
				delete(m.findings, key)
			}
		}
		for key := range m.failed {
			if key.app == old[0] && key.target == old[1] {
				delete(m.failed, key)
			}
		}
	}
}

// drop deletes the series that have all of the labels.
func (m *Metrics) drop(labels prometheus.Labels) {
	for _, v := range []interface{ DeletePartialMatch(prometheus.Labels) int }{
		m.appState, m.targetState, m.layerState, m.blocking, m.blockingOnset, m.blockingOK, m.lastJudged,
		m.trials, m.steps, m.stepFailures, m.stepDuration,
	} {
		v.DeletePartialMatch(labels)
	}
}

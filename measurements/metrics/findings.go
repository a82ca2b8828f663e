package metrics

import (
	"slices"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// place is what is ok or not: one layer of a target in one family.
type place struct {
	App    string              `json:"app"`
	Target string              `json:"target"`
	Layer  measurements.Layer  `json:"layer"`
	Family measurements.Family `json:"ip_family"`
}

type findingKey struct {
	place
	signature measurements.Signature
}

// finding is a blocking that stands, or stood once.
type finding struct {
	standing   bool
	confidence measurements.Confidence   // the last
	ever       []measurements.Confidence // all that have a series
	onset      time.Time                 // first seen
	lastOK     time.Time                 // last ok before; zero if it never was
}

// series is how many a finding takes: its confidences, the onset and the last ok.
func (f *finding) series() int { return len(f.ever) + 2 }

// enter compares the network with that of the round before. A verdict holds for the network on which
// it was seen: on another one nothing stands, and what was ok says nothing about onsets.
func (m *Metrics) enter(r *measurements.Round) {
	for _, measured := range append([]measurements.Measurement{r.Gate}, r.Apps...) {
		if measured.App == "" {
			continue
		}
		if measured.Vantage.Epoch == "" && m.epoch != "" {
			return // offline: no other network
		}
		m.showVantage(measured.Vantage)
		if m.epoch != "" && m.epoch != measured.Vantage.Epoch {
			for _, f := range m.findings {
				f.standing = false
			}
			clear(m.lastOK)
		}
		m.epoch, m.tunnel = measured.Vantage.Epoch, measured.Vantage.Tunnel
		return
	}
}

// standing indexes what the history says to stand. A round that finds a layer ok ends none of these:
// a block may let some trials through.
func standing(v *measurements.RoundVerdict) map[place][]measurements.Standing {
	out := map[place][]measurements.Standing{}
	for _, s := range v.Standing {
		p := place{appLabel(s.App), s.Target, s.Layer, s.Family}
		out[p] = append(out[p], s)
	}
	return out
}

// follow takes the verdict of a target, and what the history says to stand there, to its findings.
func (m *Metrics) follow(app string, t *measurements.TargetVerdict, stands map[place][]measurements.Standing, at time.Time) {
	at = at.UTC()
	entries := map[place][]*measurements.LayerVerdict{}
	for i := range t.Layers {
		l := &t.Layers[i]
		p := place{app, t.Target, l.Layer, l.Family}
		entries[p] = append(entries[p], l)
	}
	for p, list := range entries {
		found := map[measurements.Signature]measurements.Confidence{}
		ok, spoke := false, false
		for _, l := range list {
			switch l.State {
			case measurements.Blocked, measurements.Throttled:
				found[l.Signature] = l.Confidence
			case measurements.OK:
				ok = true
			}
			// Our own line's trouble says nothing about what stands beyond it, unless it is what was taken for a block.
			spoke = spoke || l.State != measurements.Local && l.State != measurements.Skipped || l.Signature == measurements.LocalAppFilter
		}
		for _, s := range stands[p] {
			found[s.Signature] = s.Confidence
		}
		for key, f := range m.findings {
			if _, again := found[key.signature]; key.place == p && spoke && !again {
				f.standing = false
			}
		}
		for signature, confidence := range found {
			m.stand(findingKey{p, signature}, confidence, at)
		}
		for _, s := range stands[p] {
			if f := m.findings[findingKey{p, s.Signature}]; f != nil {
				f.onset, f.lastOK = s.Onset, s.LastOK
			}
		}
		if ok && len(found) == 0 {
			m.lastOK[p] = at
		}
	}
}

// stand notes that a blocking was seen. It is the same one as before unless its layer was ok since.
func (m *Metrics) stand(key findingKey, c measurements.Confidence, at time.Time) {
	f := m.findings[key]
	if f == nil {
		if !m.room((&finding{}).series() + 1) {
			return
		}
		f = &finding{onset: at, lastOK: m.lastOK[key.place]}
		m.findings[key] = f
	}
	if ok := m.lastOK[key.place]; ok.After(f.onset) {
		f.onset, f.lastOK = at, ok
	}
	f.standing, f.confidence = true, c
	if slices.Contains(f.ever, c) {
		return
	}
	if !m.room(1) {
		f.ever = nil // what it once was gives way to what it is
	}
	f.ever = append(f.ever, c)
}

// room makes room for n more series, and says whether there is any.
func (m *Metrics) room(n int) bool {
	for {
		sum := n
		var oldest findingKey
		var ended *finding
		for key, f := range m.findings {
			sum += f.series()
			if !f.standing && (ended == nil || f.onset.Before(ended.onset)) {
				oldest, ended = key, f
			}
		}
		if sum <= maxBlockingSeries || ended == nil {
			return sum <= maxBlockingSeries
		}
		delete(m.findings, oldest)
	}
}

// showFindings writes all of them anew.
func (m *Metrics) showFindings() {
	m.blocking.Reset()
	m.blockingOnset.Reset()
	m.blockingOK.Reset()
	for key, f := range m.findings {
		labels := []string{key.App, key.Target, string(key.Layer), string(key.Family), string(key.signature)}
		for _, c := range f.ever {
			value := 0.0
			if f.standing && c == f.confidence {
				value = 1
			}
			m.blocking.WithLabelValues(append(slices.Clone(labels), string(c))...).Set(value)
		}
		m.blockingOnset.WithLabelValues(labels...).Set(unix(f.onset))
		if !f.lastOK.IsZero() {
			m.blockingOK.WithLabelValues(labels...).Set(unix(f.lastOK))
		}
	}
}

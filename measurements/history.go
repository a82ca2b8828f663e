package measurements

import (
	"maps"
	"time"
)

// History is what earlier rounds on this network taught: the least round-trip time ever seen to an
// address, and which findings stood before. A nil History is that of `once` without a store: rules
// then say less, never more.
type History struct {
	// MinRTT is the least time that a TCP connect took, by address.
	MinRTT map[string]Seconds `json:"min_rtt"`
	// Found holds, by series, when a finding was first seen since it was last ok.
	Found map[string]time.Time `json:"found"`
	// QUICWorked: UDP port 443 has worked on this network before.
	QUICWorked bool `json:"quic_worked"`
}

// Bounds of a history, chosen by us: an operator's whole pool fits many times.
const (
	maxHistoryAddresses = 4096
	maxHistorySeries    = 4096
)

// seriesKey names what is followed over rounds.
func seriesKey(app, target string, l Layer, f Family, s Signature) string {
	return app + "|" + target + "|" + string(l) + "|" + string(f) + "|" + string(s)
}

func (h *History) minRTT(addr string) (Seconds, bool) {
	if h == nil {
		return 0, false
	}
	s, ok := h.MinRTT[addr]
	return s, ok
}

func (h *History) found(key string) bool {
	if h == nil {
		return false
	}
	_, ok := h.Found[key]
	return ok
}

// Learn takes a judged round into the history.
func (h *History) Learn(r *Round, v *RoundVerdict) {
	if h.MinRTT == nil {
		h.MinRTT = map[string]Seconds{}
	}
	if h.Found == nil {
		h.Found = map[string]time.Time{}
	}
	for i := range r.Apps {
		h.learnRTT(&r.Apps[i])
	}
	if v.Network.UDP443 != nil && *v.Network.UDP443 {
		h.QUICWorked = true
	}
	for _, app := range v.Apps {
		for _, t := range app.Targets {
			h.learnLayers(app.App, t, r.Started)
		}
	}
}

// learnRTT learns from connections on which nothing failed: one that died may have been accepted by
// a box in the server's place, and be too short.
func (h *History) learnRTT(m *Measurement) {
	died := map[int]bool{}
	for i := range m.Observations {
		if o := &m.Observations[i]; !o.OK() {
			died[o.Conn] = true
		}
	}
	for i := range m.Observations {
		o := &m.Observations[i]
		if o.Operation != Connect || !o.OK() || died[o.Conn] || !o.Addr().IsValid() {
			continue
		}
		rtt := o.Duration
		if o.TCP != nil && o.TCP.MinRTT > 0 {
			rtt = min(rtt, o.TCP.MinRTT)
		}
		key := o.Addr().String()
		if old, ok := h.MinRTT[key]; ok {
			h.MinRTT[key] = min(old, rtt)
		} else if len(h.MinRTT) < maxHistoryAddresses {
			h.MinRTT[key] = rtt
		}
	}
}

// learnLayers remembers what was found, and forgets a series once its layer is ok again.
func (h *History) learnLayers(app string, t TargetVerdict, at time.Time) {
	for _, l := range t.Layers {
		switch l.State {
		case OK:
			prefix := seriesKey(app, t.Target, l.Layer, l.Family, "")
			maps.DeleteFunc(h.Found, func(k string, _ time.Time) bool { return len(k) > len(prefix) && k[:len(prefix)] == prefix })
		case Blocked, Inconclusive:
			key := seriesKey(app, t.Target, l.Layer, l.Family, l.Signature)
			if _, known := h.Found[key]; !known && l.Signature != "" && len(h.Found) < maxHistorySeries {
				h.Found[key] = at
			}
		}
	}
}

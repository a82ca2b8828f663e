package measurements

import "slices"

// What transfers tell is followed in places of its own: a round that makes none says nothing of them, and what an
// exchange of a few kilobytes meets says nothing of how a stream goes on. These are layers of the history alone; what
// is found stands in the layer of a verdict that shownIn gives.
const (
	layerStream  Layer = "stream"  // does a stream go on? tls.cutoff.*
	layerGoodput Layer = "goodput" // how fast does it come? throttle.*
)

// followedIn is the layer in which the history follows a finding that is shown in l.
func followedIn(l Layer, s Signature) Layer {
	switch shownIn(s) {
	case LayerTLS:
		return layerStream
	case LayerHTTP:
		return layerGoodput
	}
	return l
}

// ofTransfers says whether transfers alone tell what a signature says.
func ofTransfers(s Signature) bool { return shownIn(s) != "" }

// leastStream is what a whole body must have for its end to say that streams go on: the freezes known to us let 16 to
// 20 KB of the wire through (net4people/bbs#417). Chosen by us, with room for what a handshake takes.
const leastStream = 32 << 10

// transferTrials gives the trials that transfers make: the target's against those of control N, in turns, at one
// endpoint in one round. Over QUIC there is no control N, and no trial.
func transferTrials(m *Measurement) (out []Trial) {
	v := &view{m: m, targets: map[string]TargetInfo{}}
	for _, t := range m.Targets {
		v.targets[t.ID] = t
	}
	for _, c := range v.volumeCases() {
		if c.transport() == "quic" {
			continue
		}
		for _, s := range []struct {
			shown, followed Layer
			outcome         Outcome
			witnessed       bool
		}{{LayerTLS, layerStream, c.streamOutcome(), c.wholeAtReference(c.T)}, {LayerHTTP, layerGoodput, c.goodputOutcome(), c.fastAtReference()}} {
			if s.outcome != "" {
				out = append(out, Trial{Target: c.T.Target, Layer: s.shown, Family: c.Family, Endpoint: c.Endpoint, At: c.T.Started, Failure: c.T.Failure, Outcome: s.outcome, followed: s.followed, witnessed: s.witnessed})
			}
		}
	}
	return out
}

// streamOutcome says whether the streams go on; "" where that can't be told.
func (c *Case) streamOutcome() Outcome {
	t, n := c.transfers(T), c.transfers(N)
	if len(t) == 0 || len(n) == 0 {
		return ""
	}
	target, neutral := t[len(t)-1], n[len(n)-1]
	passes := func(o *Observation) bool { return o.OK() && o.Transfer.Bytes >= leastStream }
	switch {
	case c.cutOff(target) && !c.neutralPasses(target.Transfer.Bytes):
		return BothFailed
	case c.cutOff(target) && c.cutObject(target):
		return TargetOnlyFailed
	case passes(target) && c.cutOff(neutral):
		return ControlOnlyFailed
	case passes(target) && passes(neutral):
		return BothOK
	}
	return ""
}

// goodputOutcome says whether the target's transfers came as fast as those with a neutral name; "" where that can't
// be told: too few, or too short, or both so slow that a policer would make no difference.
func (c *Case) goodputOutcome() Outcome {
	t, n := goodputs(c.transfers(T)), goodputs(c.transfers(N))
	if len(t) == 0 || len(n) == 0 {
		return ""
	}
	target, neutral := median(t), median(n)
	switch {
	case heldBack(t, n) && c.oneObject():
		return TargetOnlyFailed
	case heldBack(n, t):
		return ControlOnlyFailed
	case slow(target, neutral) || slow(neutral, target):
		return ""
	case target > plateau:
		return BothOK
	case neutral <= plateau:
		return BothFailed
	}
	return ""
}

// heldBack says whether one's transfers came many times slower than the other's. Loss and a busy Wi-Fi make single
// transfers slow: it takes three of each, made in turns, and the best of the one worse than the worst of the other.
func heldBack(one, other []float64) bool {
	return len(one) >= medianNeeds && len(other) >= medianNeeds && slow(median(one), median(other)) && slices.Max(one) < slices.Min(other)
}

// oneObject says whether every transfer of the target's and of control N's that tells a rate brought the same object.
func (c *Case) oneObject() bool {
	var first *Observation
	for _, o := range slices.Concat(c.transfers(T), c.transfers(N)) {
		if !o.OK() || o.Transfer.Goodput() <= 0 {
			continue
		}
		if first == nil {
			first = o
		} else if !sameObject(first, o) {
			return false
		}
	}
	return first != nil
}

// cutObject says whether every transfer of control N's brought the object that was cut off.
func (c *Case) cutObject(cut *Observation) bool {
	return !slices.ContainsFunc(c.transfers(N), func(o *Observation) bool { return !sameObject(cut, o) })
}

// readTransfers takes in what the round's transfers make of one place, and says whether they say anything. Its
// findings are those of the whole target: transfers are few.
func (o *outcome) readTransfers(k placeKey, layers []LayerVerdict, trials []Trial) bool {
	*o = outcome{found: o.found[:0], neutral: o.neutral[:0]}
	clean := true
	for i := range layers {
		if l := &layers[i]; ofTransfers(l.Signature) && l.Family == k.Family && followedIn(l.Layer, l.Signature) == k.Layer {
			clean = false
			o.find(l)
		}
	}
	passed := slices.ContainsFunc(trials, func(t Trial) bool { return t.isAt(k) && t.Outcome == BothOK })
	o.ok = clean && passed
	o.meet(k, trials)
	return o.ok || len(o.found) > 0 || slices.ContainsFunc(o.neutral, func(n neutral) bool { return n.alone })
}

// looked are the places of which a round said something.
type looked map[placeKey]*record

// at says whether the round looked where a finding stands.
func (l looked) at(s *Standing) bool {
	return l[placeKey{s.App, s.Target, followedIn(s.Layer, s.Signature), s.Family}] != nil
}

// SuspectedTransfers lists the targets of which transfers found something that is still followed, as the schedule
// writes them: their transfers are due sooner.
func (h *History) SuspectedTransfers() (keys []string) {
	if h == nil || h.epochs[h.current] == nil {
		return nil
	}
	for _, r := range h.epochs[h.current].sorted(func(r *record) bool { return r.Layer == layerStream || r.Layer == layerGoodput }) {
		if key := r.App + "/" + r.Target; len(r.Open) > 0 && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

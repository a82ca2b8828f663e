package measurements

import (
	"slices"
	"time"
)

// past is a network's history as rules see it in a round.
type past struct {
	*Epoch
	at time.Time
}

// pastOf is nil where nothing is known of the round's network.
func pastOf(h *History, r *Round, m *Measurement) *past {
	e := h.epoch(epochOf(r))
	if e == nil || m.Vantage.Epoch != epochOf(r) {
		return nil
	}
	return &past{e, r.Started}
}

func (p *past) minRTT(addr string) (Seconds, bool) {
	if p == nil {
		return 0, false
	}
	s, ok := p.MinRTT[addr]
	return s, ok
}

// neutralAnswer is the alert with which the edge at an address answers control N while it serves the target; ""
// where none is known.
func (p *past) neutralAnswer(addr string) Failure {
	if p == nil {
		return ""
	}
	return p.Answers[addr]
}

// seriesID names what is followed over rounds.
type seriesID struct {
	placeKey
	signature Signature
}

func seriesKey(app, target string, l Layer, f Family, s Signature) seriesID {
	return seriesID{placeKey{app, target, followedIn(l, s), f}, s}
}

// found says whether the finding came again and again, without a success in between, for at least the time
// of an episode: what was found a few minutes ago is the same failure still. After a short outage a success in between
// makes it two, of which the later needs a cause of its own: a block that lets some through is found by that.
func (p *past) found(id seriesID, episode time.Duration) bool {
	if p == nil || p.places[id.placeKey] == nil {
		return false
	}
	return slices.ContainsFunc(p.places[id.placeKey].Open, func(s Series) bool {
		if s.Signature != id.signature {
			return false
		}
		if episode <= shortOutage {
			return p.at.Sub(s.Onset) >= episode && (s.Failures >= holds || !s.Run.IsZero())
		}
		return !s.Run.IsZero() && p.at.Sub(s.Run) >= episode
	})
}

// lastOK is when a place was last found ok on this network; false where it never was.
func (p *past) lastOK(k placeKey) (time.Time, bool) {
	if p == nil || p.places[k] == nil || p.places[k].LastOK.IsZero() {
		return time.Time{}, false
	}
	return p.places[k].LastOK, true
}

// follows says whether a series of such failures is open.
func (p *past) follows(id seriesID) bool {
	return p != nil && p.places[id.placeKey] != nil &&
		slices.ContainsFunc(p.places[id.placeKey].Open, func(s Series) bool { return s.Signature == id.signature })
}

// eachOutcome reads what a judged round makes of every place, nothing where it moved. The outcome is valid
// until the next.
func eachOutcome(r *Round, v *RoundVerdict, each func(placeKey, *outcome)) {
	if r.moved() {
		return
	}
	epoch := epochOf(r)
	var o outcome
	for i := range r.Apps {
		m := &r.Apps[i]
		app := v.Of(m.App)
		if app == nil || m.Vantage.Epoch != epoch {
			continue
		}
		trials := Trials(m, &r.Gate, app)
		for j := range app.Targets {
			t := &app.Targets[j]
			for layers := t.Layers; len(layers) > 0; {
				n := 1
				for n < len(layers) && layers[n].Layer == layers[0].Layer && layers[n].Family == layers[0].Family {
					n++
				}
				k := placeKey{m.App, t.Target, layers[0].Layer, layers[0].Family}
				o.read(layers[:n])
				o.forms = formsOf(m, k)
				o.ok = o.ok && !leftAlone(m, k, t.Layers)
				if o.meet(k, trials) {
					each(k, &o)
				}
				layers = layers[n:]
			}
			for _, k := range transferPlaces(m.App, t.Target) {
				if o.readTransfers(k, t.Layers, trials) {
					each(k, &o)
				}
			}
		}
	}
}

// transferPlaces are those of a target at which transfers are followed.
func transferPlaces(app, target string) [4]placeKey {
	return [4]placeKey{
		{app, target, layerStream, IPv4}, {app, target, layerGoodput, IPv4},
		{app, target, layerStream, IPv6}, {app, target, layerGoodput, IPv6},
	}
}

// leftAlone says whether a round that found a layer ok had left out what fails there: a place that rests, or is
// not due. What works beside it is no success then. A name whose address was left alone is not ok either, unless
// another address of it answered.
func leftAlone(m *Measurement, k placeKey, layers []LayerVerdict) bool {
	return slices.ContainsFunc(m.Skipped, func(s Skip) bool {
		if s.Target != k.Target || s.Family != k.Family || s.Reason != SkipResidual && s.Reason != SkipPenalty {
			return false
		}
		if k.Layer == LayerDNS {
			return !slices.ContainsFunc(layers, func(l LayerVerdict) bool { return l.Layer != LayerDNS && l.Family == k.Family && l.State == OK })
		}
		return (s.Layer == LayerQUIC) == (k.Layer == LayerQUIC)
	})
}

// read takes the findings of a place in, but for what transfers tell. Where only they found something, the layer's
// own steps passed: an entry that says so is left out beside any other (layerSet.verdicts).
func (o *outcome) read(layers []LayerVerdict) {
	*o = outcome{found: o.found[:0], neutral: o.neutral[:0]}
	passed, apart := true, 0
	for i := range layers {
		l := &layers[i]
		if ofTransfers(l.Signature) {
			apart += l.Endpoints.Failed
			continue
		}
		passed = passed && l.State == OK
		o.find(l)
	}
	o.ok = passed && (apart == 0 || layers[0].Endpoints.Measured > apart)
}

// find takes in what is called blocked or throttled.
func (o *outcome) find(l *LayerVerdict) {
	if l.State == Blocked || l.State == Throttled {
		o.found = append(o.found, found{signature: l.Signature, confidence: l.Confidence})
	}
}

// meet takes the place's trials in, and says whether anything was learnt there.
func (o *outcome) meet(k placeKey, trials []Trial) bool {
	for i := range trials {
		t := &trials[i]
		if !t.isAt(k) {
			continue
		}
		if k.Layer != LayerDNS && k.Layer != LayerTCP {
			o.neutral = append(o.neutral, neutral{alone: t.Outcome == ControlOnlyFailed, kind: t.Kind()})
		}
		for j := range o.found {
			if f := &o.found[j]; t.Outcome == TargetOnlyFailed && !t.household && t.Signature == f.signature {
				f.trial, f.witnessed = true, f.witnessed || t.witnessed
			}
		}
	}
	return o.ok || len(o.found)+len(o.neutral)+len(o.forms) > 0
}

// weigh gives a round's findings the confidence that the history with this round in it gives them, and
// lists what stands. It changes confidence alone, and only of what a rule calls blocked or throttled. The history
// itself stays as it is: Learn takes the round in. It gives the places of which the round said something.
func (h *History) weigh(r *Round, v *RoundVerdict) looked {
	if h == nil {
		return nil
	}
	e := h.epoch(epochOf(r))
	if e == nil {
		e = newEpoch()
	}
	now, at := looked{}, r.Started.UTC().Round(0)
	eachOutcome(r, v, func(k placeKey, o *outcome) {
		p := &record{placeKey: k}
		if known := e.places[k]; known != nil {
			p = known.clone()
		}
		p.advance(o, at, func(kind string) float64 { return e.benignRate(k, kind) })
		now[k] = p
	})
	for _, app := range v.All() {
		for j := range app.Targets {
			t := &app.Targets[j]
			for n := range t.Layers {
				l := &t.Layers[n]
				if p := now[placeKey{app.App, t.Target, followedIn(l.Layer, l.Signature), l.Family}]; p != nil && (l.State == Blocked || l.State == Throttled) {
					l.weigh(p, at, e.Withdrawn)
				}
			}
		}
	}
	v.Standing, v.Ended = e.standing(r, now)
	return now
}

// weigh takes what the history says of the finding: more, where it came again often enough; less, where
// findings like it were withdrawn lately, and this one has not come again.
func (l *LayerVerdict) weigh(p *record, at, withdrawn time.Time) {
	i := slices.IndexFunc(p.Open, func(s Series) bool { return s.Signature == l.Signature })
	if i < 0 {
		return
	}
	s := &p.Open[i]
	l.Confidence = higher(l.Confidence, s.Counted)
	twice := l.Endpoints.Failed > 1 && kindOf(l.Signature) != "timeout"
	if l.Confidence == Likely && !s.again() && !twice && at.Sub(withdrawn) < probation {
		l.Confidence, s.Confidence = Suspected, Suspected
		l.because("a finding that was likely at once was withdrawn here on " + withdrawn.Format(time.DateOnly) + "; this one has to come again")
	}
	if s.Trials > 1 {
		l.because(s.rate())
	}
}

// because adds a reason, in the place of the last one where there are too many.
func (l *LayerVerdict) because(reason string) {
	l.Reasons = append(l.Reasons[:min(len(l.Reasons), maxReasons-1)], reason)
}

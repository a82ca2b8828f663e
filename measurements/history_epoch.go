package measurements

import (
	"cmp"
	"slices"
	"time"
)

// Epoch is what rounds on one network taught.
type Epoch struct {
	// Seen is when the last round on this network began.
	Seen time.Time
	// MinRTT is the least time that a TCP connect took, by address.
	MinRTT map[string]Seconds
	// Answers are the alerts with which edges answered control N while they served the target, by address.
	Answers map[string]Failure
	// QUICWorked: UDP port 443 has worked on this network before, in this family.
	QUICWorked map[Family]bool
	// Withdrawn is when a finding that had been likely at its first failure last came to nothing.
	Withdrawn time.Time

	places map[placeKey]*record
	// The benign trials of all places together; always the sum over places.
	tallies map[poolKey]Tally
	trials  map[Layer]int
}

// poolKey is what benign rates are pooled over: all targets and families.
type poolKey struct {
	layer Layer
	kind  string
}

// Bounds of an epoch, chosen by us: an operator's whole pool fits many times, and twice the places of
// 45 targets with six layers, and two more for transfers, in two families.
const (
	maxHistoryAddresses = 4096
	maxHistoryPlaces    = 1440
)

func newEpoch() *Epoch {
	return &Epoch{
		MinRTT: map[string]Seconds{}, Answers: map[string]Failure{}, QUICWorked: map[Family]bool{}, places: map[placeKey]*record{},
		tallies: map[poolKey]Tally{}, trials: map[Layer]int{},
	}
}

// record gives the record of a place, made if need be. A full epoch forgets the place that was ok
// longest ago, unless something is open there; nil where everything is open.
func (e *Epoch) record(k placeKey, at time.Time) *record {
	if r := e.places[k]; r != nil {
		return r
	}
	if len(e.places) >= maxHistoryPlaces && !e.forget() {
		return nil
	}
	r := &record{placeKey: k}
	e.places[k] = r
	return r
}

func (e *Epoch) forget() bool {
	var oldest *record
	for _, r := range e.places {
		if len(r.Open) == 0 && (oldest == nil || r.LastOK.Before(oldest.LastOK)) {
			oldest = r
		}
	}
	if oldest == nil {
		return false
	}
	delete(e.places, oldest.placeKey)
	e.recount()
	return true
}

// probation is how long after a withdrawn finding the next ones have to come again before they are
// likely: one false `likely` a month is what a vantage may say.
const probation = 30 * 24 * time.Hour

// learn takes benign outcomes into the samples of the place and of all places.
func (e *Epoch) learn(r *record, benign []dropped, at time.Time) {
	for _, d := range benign {
		if d.withdrawn {
			e.Withdrawn = at
		}
		before := r.Trials
		r.learn(d)
		if r.Trials < before {
			e.recount()
			continue
		}
		e.trials[r.Layer] += d.trials
		if d.failures > 0 {
			t := e.tallies[poolKey{r.Layer, d.kind}]
			t.cluster(d.failures)
			e.tallies[poolKey{r.Layer, d.kind}] = t
		}
	}
}

// recount sums the places up anew.
func (e *Epoch) recount() {
	e.tallies, e.trials = map[poolKey]Tally{}, map[Layer]int{}
	for _, r := range e.places {
		e.trials[r.Layer] += r.Trials
		for kind, t := range r.Benign {
			k := poolKey{r.Layer, kind}
			e.tallies[k] = e.tallies[k].plus(t)
		}
	}
}

// benignRate bounds the rate at which trials at a layer of a target fail in one way by themselves. Both
// families count: what makes a server or a line fail is seldom the family.
func (e *Epoch) benignRate(k placeKey, kind string) float64 {
	var here Tally
	trials := 0
	for _, k.Family = range []Family{IPv4, IPv6} {
		if r := e.places[k]; r != nil {
			here, trials = here.plus(r.Benign[kind]), trials+r.Trials
		}
	}
	return benignRate(kind, here, e.tallies[poolKey{k.Layer, kind}], trials, e.trials[k.Layer])
}

// learnRTT learns from connections on which nothing failed: one that died may have been accepted by
// a box in the server's place, and be too short.
func (e *Epoch) learnRTT(m *Measurement) {
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
		rtt := o.roundTrip()
		key := o.Addr().String()
		if old, ok := e.MinRTT[key]; ok {
			e.MinRTT[key] = min(old, rtt)
		} else if len(e.MinRTT) < maxHistoryAddresses {
			e.MinRTT[key] = rtt
		}
	}
}

// learnQUIC learns in which families neutral hosts answer over QUIC.
func (e *Epoch) learnQUIC(gate *Measurement) {
	l := &Line{Clock: ClockOffset(gate)}
	for i := range gate.Observations {
		if o := &gate.Observations[i]; o.Operation == QUICHandshake && l.shook(o) {
			e.QUICWorked[o.Family] = true
		}
	}
}

// learnAnswers learns what edges say to neutral names: from trials in which the target passed.
func (e *Epoch) learnAnswers(m *Measurement) {
	passed := map[int]bool{}
	for i := range m.Observations {
		if o := &m.Observations[i]; o.Trial != 0 && o.Control == T && o.Operation == TLSHandshake && o.OK() {
			passed[o.Trial] = true
		}
	}
	for i := range m.Observations {
		o := &m.Observations[i]
		if o.Control != N || o.Operation != TLSHandshake || !passed[o.Trial] || !o.Addr().IsValid() {
			continue
		}
		key := o.Addr().String()
		if _, alert := o.Failure.Alert(); !alert {
			delete(e.Answers, key)
		} else if _, known := e.Answers[key]; known || len(e.Answers) < maxHistoryAddresses {
			e.Answers[key] = o.Failure
		}
	}
}

// learnHops learns whose handshakes die inside the home: what was followed of them was no block. A scan that finds another place, or nothing, takes it back.
func (e *Epoch) learnHops(m *Measurement, at time.Time) {
	for i := range m.Hops {
		h := &m.Hops[i]
		kind := ""
		if h.Scope() == ScopeHome {
			kind = h.Failure.Kind()
		}
		k := placeKey{m.App, h.Target, LayerTLS, h.Family}
		if e.places[k] == nil && kind == "" || h.Unsupported != "" {
			continue
		}
		if r := e.record(k, at); r != nil {
			r.AtHome, r.HomeKind = at, kind
			r.Open = slices.DeleteFunc(r.Open, func(s Series) bool { return kind != "" && s.Kind == kind })
		}
	}
}

// sorted gives the places that are wanted, in a fixed order.
func (e *Epoch) sorted(wanted func(*record) bool) []*record {
	var out []*record
	for _, r := range e.places {
		if wanted(r) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *record) int { return comparePlaces(a.placeKey, b.placeKey) })
	return out
}

func comparePlaces(a, b placeKey) int {
	return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Target, b.Target),
		cmp.Compare(slices.Index(Layers, a.Layer), slices.Index(Layers, b.Layer)), cmp.Compare(a.Family, b.Family))
}

func (t Tally) plus(o Tally) Tally { return Tally{t.Failures + o.Failures, t.Squares + o.Squares} }

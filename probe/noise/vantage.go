package noise

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	ms "github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// The schedule of `run` by the default configuration.
const (
	interval = 15 * time.Minute
	jitter   = 0.5
	residual = 10 * time.Minute
)

// vantage is one home: its world, its history, and what was said about it. Like all that keeps time here it lives
// in a bubble of virtual time (bubble), and so do the ledger and the pauses, which are the program's own.
type vantage struct {
	rnd     *rand.Rand
	targets []target
	state   *state
	history *ms.History
	censor  *Censor
	gates   [2]ms.Measurement // with a resolver that answers, and with one that does not

	ledger    *schedule.Ledger
	suspicion *schedule.Suspicion
	rotation  schedule.Rotation

	now    time.Time // start of the round
	visits int64     // target-rounds
	// only, if set, limits rounds to one app.
	only string

	// said is told of every finding that is called blocked.
	said func(at time.Time, app, target string, l *ms.LayerVerdict)
}

func newVantage(seed uint64, r Rates) *vantage {
	v := &vantage{rnd: rand.New(rand.NewPCG(seed, 0x7e117a1e)), targets: targets(), history: &ms.History{}, now: time.Now(),
		ledger: schedule.NewLedger(residual), suspicion: &schedule.Suspicion{}}
	v.state = newState(r, len(v.targets), v.now, v.rnd)
	v.gates = [2]ms.Measurement{gate(true), gate(false)}
	v.said = func(time.Time, string, string, *ms.LayerVerdict) {}
	return v
}

// bubble runs f in virtual time, which begins anew in each.
func bubble(f func()) { synctest.Test(&testing.T{}, func(*testing.T) { f() }) }

// step makes a round, and waits for the next as the daemon does (probe.Watch).
func (v *vantage) step() {
	v.now = time.Now()
	v.round()
	next := v.now.Add(schedule.Next(interval, jitter, v.rnd))
	if soon := v.suspicion.Soon(v.history.Suspected(v.now), v.ledger, v.rnd); !soon.IsZero() && soon.Before(next) {
		next = soon
	}
	time.Sleep(max(time.Until(next), interval/4))
}

func (v *vantage) round() {
	if v.state.offline.on(v.now, v.rnd) {
		return // the gate says so, and the apps are left alone
	}
	r := ms.Round{Started: v.now, Gate: v.gates[0]}
	if v.state.resolver.on(v.now, v.rnd) {
		r.Gate = v.gates[1]
	}
	judged, bad := v.measure(&r)
	verdict := ms.RoundVerdict{}
	if bad {
		verdict = ms.Judge(&r, v.history)
		v.report(&verdict)
	}
	merge(&verdict, judged)
	v.history.Learn(&r, &verdict)
	probe.Suspect(v.suspicion, &verdict, v.history)
	v.rotation = v.rotation.Next()
}

// measure visits the targets. Of those that work it gives the verdict, which needs no judging; what the
// others met goes into the round.
func (v *vantage) measure(r *ms.Round) (judged []ms.AppVerdict, bad bool) {
	burst := v.state.line.on(v.now, v.rnd)
	next := 0
	for a := range apps {
		first := next
		for next < len(v.targets) && v.targets[next].app == a {
			next++
		}
		if v.only != "" && apps[a].id != v.only {
			continue
		}
		m := ms.Measurement{App: apps[a].id, Started: v.now}
		app := ms.AppVerdict{App: apps[a].id, State: ms.OK, Targets: make([]ms.TargetVerdict, 0, next-first)}
		sh := sheet{s: v.state, at: v.now}
		for i := first; i < next; i++ {
			v.visits++
			t := &v.targets[i]
			app.Targets = append(app.Targets, t.fine[v.visit(&sh, i, burst)])
			m.Targets = append(m.Targets, t.info)
		}
		if len(sh.out) > 0 {
			bad = true
			m.Observations = sh.out
		}
		m.Skipped = sh.skipped
		r.Apps, judged = append(r.Apps, m), append(judged, app)
	}
	return judged, bad
}

// visit visits a target in both families, and gives the mask of those in which all was fine.
func (v *vantage) visit(sh *sheet, i int, burst bool) (mask int) {
	t := &v.targets[i]
	neutral := v.suspicion.Suspected(t.key) || v.rotation.Includes(t.key)
	for f := range families {
		fate := v.meet(sh, i, f, neutral)
		switch {
		case fate.bad, burst && fate.made, fate.part:
			sh.note(t, f, &fate)
		case fate.made:
			mask |= 1 << f
		}
	}
	return mask
}

// meet decides the fate of a visit in one family: one address, and after a failure the other, with control N first.
func (v *vantage) meet(sh *sheet, i, family int, neutral bool) (f fate) {
	t := &v.targets[i]
	if t.named() {
		if f.dns = v.state.resolve(i, v.now); f.dns != "" {
			f.bad, neutral = true, true
			f.trusted = v.state.chance(t, v.now)
		}
	}
	for _, k := range v.inTurn(t, family) {
		v.look(sh, &f, i, family, k, neutral)
		if t.named() && !f.spots[k].dead && f.dns == "" {
			break
		}
		neutral = true
	}
	return f
}

// inTurn is the order of a target's addresses: that of Plan.inTurn in package probe.
func (v *vantage) inTurn(t *target, family int) [2]int {
	a, b := v.ledger.Failed(t.place("tcp", family, 0)), v.ledger.Failed(t.place("tcp", family, 1))
	first := v.rnd.IntN(2)
	if !a.IsZero() && !b.IsZero() {
		first = max(a.Compare(b), 0)
	}
	return [2]int{first, 1 - first}
}

// look visits an address, over the transports over which it need not be left alone.
func (v *vantage) look(sh *sheet, f *fate, i, family, k int, neutral bool) {
	t, sp := &v.targets[i], &f.spots[k]
	transports := t.transports()
	for n, transport := range transports {
		reason := v.barred(t, transport, family, k)
		if sp.barred[n] = reason != ""; !sp.barred[n] {
			sp.visited, f.made = true, true
			continue
		}
		f.part = true
		layer := ms.LayerTCP
		if transport == "udp" {
			layer = ms.LayerQUIC
		}
		sh.skipped = append(sh.skipped, ms.Skip{Target: t.info.ID, Layer: layer, Family: families[family], Reason: reason})
	}
	if !sp.visited {
		return
	}
	f.visit(v.state, i, t, k, neutral, v.censor, v.now)
	for n, transport := range transports {
		if sp.died(n) {
			place := t.place(transport, family, k)
			v.ledger.Fail(place)
			v.suspicion.Failed(t.way(transport, family), place)
		}
	}
}

// barred says why an address is left alone: what Plan.visit in package probe says.
func (v *vantage) barred(t *target, transport string, family, k int) (reason string) {
	switch place := t.place(transport, family, k); {
	case v.ledger.Rests(place):
		return ms.SkipResidual
	case v.ledger.Exhausted(place), v.suspicion.Early(t.way(transport, family), place, t.addresses[family][:], v.ledger):
		return ms.SkipPenalty
	}
	return ""
}

// merge puts the verdicts on what works beside those on what does not: of a target that failed in one
// family, what works is said of the other one.
func merge(v *ms.RoundVerdict, fine []ms.AppVerdict) {
	if v.Apps == nil {
		v.Apps = fine
		return
	}
	for i := range v.Apps {
		for j := range v.Apps[i].Targets {
			t := &v.Apps[i].Targets[j]
			if len(t.Layers) == 0 {
				*t = fine[i].Targets[j]
			} else if more := fine[i].Targets[j].Layers; len(more) > 0 {
				t.Layers = append(t.Layers, more...)
				slices.SortStableFunc(t.Layers, func(a, b ms.LayerVerdict) int {
					return slices.Index(ms.Layers, a.Layer) - slices.Index(ms.Layers, b.Layer)
				})
			}
		}
	}
}

// report tells what is called blocked.
func (v *vantage) report(verdict *ms.RoundVerdict) {
	for i := range verdict.Apps {
		for j := range verdict.Apps[i].Targets {
			t := &verdict.Apps[i].Targets[j]
			for k := range t.Layers {
				if l := &t.Layers[k]; l.State == ms.Blocked {
					v.said(v.now, verdict.Apps[i].App, t.Target, l)
				}
			}
		}
	}
}

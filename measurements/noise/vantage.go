package noise

import (
	"math/rand/v2"
	"slices"
	"time"

	ms "github.com/telltale-probe/telltale/measurements"
)

// The schedule of `run`: rounds at exponential intervals around the default mean; after a failure the
// place rests for the residual time, and suspected targets are visited as soon as that is over.
const (
	interval = 15 * time.Minute
	residual = 10 * time.Minute
	early    = residual + time.Minute
	rotation = 8 // rounds in which each target has control N once
)

// start is the first moment of every simulation.
var start = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// vantage is one home: its world, its history, and what was said about it.
type vantage struct {
	rnd     *rand.Rand
	targets []target
	state   *state
	history *ms.History
	censor  *Censor
	gates   [2]ms.Measurement // with a resolver that answers, and with one that does not

	now     time.Time
	next    time.Time // full round
	rounds  int
	visits  int64              // target-rounds
	failed  [][2]time.Time     // when a target last failed, by family
	suspect map[[2]string]bool // targets of the next visit's control N
	// only, if set, limits rounds to one app.
	only string

	// said is told of every finding that is called blocked.
	said func(at time.Time, app, target string, l *ms.LayerVerdict)
}

func newVantage(seed uint64, r Rates) *vantage {
	v := &vantage{rnd: rand.New(rand.NewPCG(seed, 0x7e117a1e)), targets: targets(), history: &ms.History{}, now: start, next: start}
	v.state = newState(r, len(v.targets), start, v.rnd)
	v.gates = [2]ms.Measurement{gate(true), gate(false)}
	v.failed = make([][2]time.Time, len(v.targets))
	v.said = func(time.Time, string, string, *ms.LayerVerdict) {}
	return v
}

// step makes the next round: a full one, or an early one for what is under suspicion.
func (v *vantage) step() {
	soon := v.now.Add(early)
	if len(v.suspect) > 0 && soon.Before(v.next) {
		v.now = soon
		v.round(true)
		return
	}
	v.now = v.next
	v.next = v.now.Add(time.Duration(v.rnd.ExpFloat64() * float64(interval)))
	v.rounds++
	v.round(false)
}

func (v *vantage) round(suspectsOnly bool) {
	if v.state.offline.on(v.now, v.rnd) {
		return // the gate says so, and the apps are left alone
	}
	r := ms.Round{Started: v.now, Gate: v.gates[0]}
	if v.state.resolver.on(v.now, v.rnd) {
		r.Gate = v.gates[1]
	}
	judged, bad := v.measure(&r, suspectsOnly)
	verdict := ms.RoundVerdict{}
	if bad {
		verdict = ms.Judge(&r, v.history)
		v.report(&verdict)
	}
	merge(&verdict, judged)
	v.history.Learn(&r, &verdict)
	v.suspect = nil
	for _, s := range v.history.Suspected(v.now) {
		if v.suspect == nil {
			v.suspect = map[[2]string]bool{}
		}
		v.suspect[[2]string{s.App, s.Target}] = true
	}
}

// measure visits the targets. Of those that work it gives the verdict, which needs no judging; what the
// others met goes into the round.
func (v *vantage) measure(r *ms.Round, suspectsOnly bool) (judged []ms.AppVerdict, bad bool) {
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
			t := &v.targets[i]
			suspected := v.suspect[[2]string{m.App, t.info.ID}]
			if suspectsOnly && !suspected {
				app.Targets = append(app.Targets, t.fine[0])
				continue
			}
			v.visits++
			neutral := suspected || (i+v.rounds)%rotation == 0
			app.Targets = append(app.Targets, t.fine[v.visit(&sh, i, neutral, burst)])
		}
		if len(sh.out) > 0 {
			bad = true
			m.Observations = sh.out
		}
		for i := first; i < next; i++ {
			m.Targets = append(m.Targets, v.targets[i].info)
		}
		r.Apps, judged = append(r.Apps, m), append(judged, app)
	}
	return judged, bad
}

// visit visits a target in both families, and gives the mask of those in which all was fine.
func (v *vantage) visit(sh *sheet, i int, neutral, burst bool) (mask int) {
	t := &v.targets[i]
	for f := range families {
		if v.now.Sub(v.failed[i][f]) < residual {
			continue
		}
		fate := v.state.draw(i, t, neutral, v.censor, v.now)
		if !fate.bad && !burst {
			mask |= 1 << f
			continue
		}
		sh.note(t, f, &fate)
		if fate.spots[0].dead || fate.spots[1].dead {
			v.failed[i][f] = v.now
		}
	}
	return mask
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

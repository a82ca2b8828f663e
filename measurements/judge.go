package measurements

import (
	"cmp"
	"slices"
)

// Judge says what a round means, by today's rules. It is a pure function of the round and of the
// history; a nil history is that of a first round.
func Judge(r *Round, h *History) RoundVerdict { return JudgeWith(Rules, r, h) }

// JudgeWith judges by other rules: old ones side by side with new ones, or all but one.
func JudgeWith(rules []Rule, r *Round, h *History) RoundVerdict {
	gate, again, resolvers := r.Gate.apart()
	line := judgeLineOf(r, &gate, again, resolvers)
	if r.moved() {
		line.move()
	}
	out := RoundVerdict{
		Schema: RoundSchema, Started: r.Started.UTC(), DurationSeconds: seconds(r.Runtime),
		Network: line.Verdict(), Apps: []AppVerdict{},
	}
	for i := range r.Apps {
		v := newView(&r.Apps[i], &gate, line, pastOf(h, r, &r.Apps[i]))
		v.incomplete = r.Apps[i].incomplete() || r.Gate.incomplete()
		app := judgeApp(rules, v)
		if app.App == PlaceboApp {
			out.Placebo = &app
			continue
		}
		out.Apps = append(out.Apps, app)
	}
	out.settle(r, h.weigh(r, &out))
	return out
}

func judgeApp(rules []Rule, v *view) AppVerdict {
	layers := map[string]*layerSet{}
	for _, c := range v.cases() {
		if c.Layer != LayerDNS && v.forged(hostOf(c), c.Addr()) {
			continue // nothing is judged at an address found forged (rule 3)
		}
		if layers[c.Target.ID] == nil {
			layers[c.Target.ID] = &layerSet{}
		}
		layers[c.Target.ID].add(c, judge(rules, c))
	}
	for _, c := range v.volumeCases() {
		f := judge(rules, c)
		if c.Layer = shownIn(f.Signature); c.Layer != "" && layers[c.Target.ID] != nil {
			layers[c.Target.ID].add(c, f)
		}
	}
	app := AppVerdict{App: v.m.App, Targets: []TargetVerdict{}}
	for _, t := range v.m.Targets {
		tv := TargetVerdict{Target: t.ID, State: Skipped, Layers: []LayerVerdict{}}
		if set := layers[t.ID]; set != nil {
			tv.Layers = set.verdicts()
			v.locate(t.ID, tv.Layers)
			tv.State = targetState(v.line, t.askedFor(tv.Layers))
		}
		app.Targets = append(app.Targets, tv)
	}
	return app // its state is for settle, which knows what stands
}

// locate puts down how far from home handshakes die, where that was measured.
func (v *view) locate(target string, layers []LayerVerdict) {
	for i := range layers {
		l := &layers[i]
		for j := range v.m.Hops {
			if h := &v.m.Hops[j]; h.Target == target && h.Family == l.Family && l.Layer == LayerTLS && l.State == Blocked {
				l.Scope = h.Scope()
			}
		}
	}
}

// layerSet gathers the findings of one target.
type layerSet struct {
	entries  []LayerVerdict
	measured map[layerFamily]int
}

type layerFamily struct {
	layer  Layer
	family Family
}

// maxReasons bounds the reasons of one entry; further ones repeat what was said.
const maxReasons = 8

// add merges a finding into the entry of its (layer, family, signature).
func (s *layerSet) add(c *Case, f *Finding) {
	key := layerFamily{c.Layer, c.Family}
	if s.measured == nil {
		s.measured = map[layerFamily]int{}
	}
	s.measured[key]++
	if c.Layer == LayerDNS && c.view.line.Redirected {
		s.merge(LayerVerdict{Layer: LayerDNS, Family: c.Family, State: OK, Signature: DNSRedirect, Rule: "dns-redirect", Scope: ScopeUnknown,
			Reasons: []string{"another resolver answers over UDP than over TCP at the same address"}})
	}
	if c.Layer == LayerDNS && c.view.line.Encrypted != "" {
		s.merge(LayerVerdict{Layer: LayerDNS, Family: c.Family, State: OK, Signature: DNSEncrypted, Rule: "dns-encrypted", Scope: ScopeUnknown, Reasons: []string{c.view.line.Encrypted}})
	}
	e := LayerVerdict{Layer: c.Layer, Family: c.Family, State: f.State, Signature: f.Signature, Confidence: f.Confidence, Scope: ScopeUnknown, Rule: f.Rule, Reasons: f.Reasons}
	if f.State != OK {
		e.Endpoints.Failed = 1
	}
	s.merge(e)
}

func (s *layerSet) merge(e LayerVerdict) {
	for i := range s.entries {
		old := &s.entries[i]
		if old.Layer != e.Layer || old.Family != e.Family || old.Signature != e.Signature {
			continue
		}
		e.Endpoints.Failed += old.Endpoints.Failed
		e.Reasons = append(slices.Clone(e.Reasons), old.Reasons...)
		if worse(old, &e) {
			e.State, e.Confidence, e.Rule = old.State, old.Confidence, old.Rule
		}
		*old = e
		return
	}
	s.entries = append(s.entries, e)
}

// worse says whether a outweighs b.
func worse(a, b *LayerVerdict) bool {
	if a.State != b.State {
		return rank(a.State) > rank(b.State)
	}
	return confidenceRank(a.Confidence) > confidenceRank(b.Confidence)
}

// verdicts closes the set: an "ok" entry stands only where nothing else was found in its layer and family.
func (s *layerSet) verdicts() []LayerVerdict {
	found := map[layerFamily]bool{}
	for _, e := range s.entries {
		if e.Signature != "" || e.State != OK {
			found[layerFamily{e.Layer, e.Family}] = true
		}
	}
	out := []LayerVerdict{}
	for _, e := range s.entries {
		key := layerFamily{e.Layer, e.Family}
		if e.State == OK && e.Signature == "" && found[key] {
			continue
		}
		e.Endpoints.Measured = s.measured[key]
		e.Reasons = sortedUnique(e.Reasons)
		e.Reasons = e.Reasons[:min(len(e.Reasons), maxReasons)]
		if e.Reasons == nil {
			e.Reasons = []string{}
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b LayerVerdict) int {
		return cmp.Or(cmp.Compare(slices.Index(Layers, a.Layer), slices.Index(Layers, b.Layer)), cmp.Compare(a.Family, b.Family), cmp.Compare(a.Signature, b.Signature))
	})
	return out
}

// targetState is the worst layer's. The home's own troubles, and a family that is dead here, do not
// count while the other family works.
func targetState(line *Line, layers []LayerVerdict) State {
	works, fails, unnamed := map[Family]bool{}, map[Family]bool{}, map[Family]bool{}
	for _, l := range layers {
		if l.Layer == LayerDNS {
			unnamed[l.Family] = unnamed[l.Family] || l.State == Local
			continue
		}
		works[l.Family] = works[l.Family] || l.State == OK
		fails[l.Family] = fails[l.Family] || l.State != OK
	}
	state := Skipped
	for _, l := range layers {
		other := l.Family.other()
		dead := line.Tried[l.Family] && !line.Alive[l.Family] && line.Alive[other] && l.Layer != LayerDNS
		if works[other] && l.State != OK && (l.State == Local && !fails[other] || dead) {
			if l.Layer != LayerDNS || !unnamed[other] { // a name that leads nowhere in both families works in none
				continue
			}
		}
		if rank(l.State) > rank(state) {
			state = l.State
		}
	}
	if state == OK && !works[IPv4] && !works[IPv6] {
		return Skipped // the name resolves, and nothing more was seen: a round that was stopped
	}
	return state
}

// unit is what an app can't do without: an essential target, or a group of alternatives.
type unit struct {
	state State
	// unknown: an alternative was not measured, and none that was works.
	unknown bool
}

// appState weighs the units. Carried gives the state that a target has by what stands there and was not looked
// at; "" where nothing does. A unit that was not measured is none that works: an app is ok only if each was
// found so, and blocked only if none can be left that works.
func appState(infos []TargetInfo, targets []TargetVerdict, carried []State) State {
	works, unknown, worst := 0, 0, Skipped
	units := unitsOf(infos, targets, carried)
	for _, u := range units {
		switch {
		case u.state == OK:
			works++
		case u.unknown:
			unknown++
		}
		if u.state != OK && rank(u.state) > rank(worst) {
			worst = u.state
		}
	}
	switch {
	case works == len(units) && works > 0:
		return OK
	case works+unknown > 0 && (worst == Blocked || worst == Throttled):
		return Partial
	}
	return worst
}

func unitsOf(infos []TargetInfo, targets []TargetVerdict, carried []State) []*unit {
	var units []*unit
	groups := map[string]*unit{}
	for i, info := range infos {
		if !info.Essential {
			continue
		}
		state := targets[i].State
		if i < len(carried) && carried[i] != "" {
			state = carried[i]
		}
		u := groups[info.Group]
		if u == nil || info.Group == "" {
			u = &unit{state: state}
			groups[info.Group], units = u, append(units, u)
		}
		u.unknown = u.unknown || state == Skipped
		if u.state != OK && (state == OK || rank(state) > rank(u.state)) {
			u.state = state
		}
	}
	return units
}

// rank orders states from "not measured" to "blocked".
func rank(s State) int {
	return slices.Index([]State{Skipped, OK, Local, Inconclusive, Down, Throttled, Partial, Blocked}, s)
}

func confidenceRank(c Confidence) int {
	return slices.Index([]Confidence{"", Suspected, Likely, Confirmed}, c)
}

func seconds(s Seconds) float64 { return float64(s) / 1e9 }

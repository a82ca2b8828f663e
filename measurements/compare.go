package measurements

import (
	"cmp"
	"slices"
)

// Change is one difference between two verdicts about the same round: what was said of a layer of a
// target, and what is said now. Target is "" for the app's own state, App too for that of the line.
type Change struct {
	App    string `json:"app,omitempty"`
	Target string `json:"target,omitempty"`
	Layer  Layer  `json:"layer,omitempty"`
	Family Family `json:"ip_family,omitempty"`
	Was    *Said  `json:"was"` // nil where nothing was said
	Is     *Said  `json:"is"`
}

// Said is a finding without its reasons: their words may change while its meaning does not.
type Said struct {
	State      State      `json:"state"`
	Signature  Signature  `json:"signature,omitempty"`
	Confidence Confidence `json:"confidence,omitempty"`
	Scope      string     `json:"scope,omitempty"` // "" for ScopeUnknown
	Rule       string     `json:"rule,omitempty"`
}

// Compare lists what two verdicts about one round say differently, in the order of the second: first of
// the line, then of each app, and of its targets layer by layer. Empty means that they say the same. What
// a layer was said to have and has no more stands where the layer does, with Is nil.
func Compare(was, is *RoundVerdict) []Change {
	var out []Change
	if a, b := (Said{State: was.Network.State, Signature: was.Network.Signature}), (Said{State: is.Network.State, Signature: is.Network.Signature}); a != b {
		out = append(out, Change{Was: &a, Is: &b})
	}
	for _, name := range appsOf(was, is) {
		a, b := appOf(was, name), appOf(is, name)
		if a.State != b.State {
			out = append(out, Change{App: name, Was: stateOf(a), Is: stateOf(b)})
		}
		out = append(out, compareLayers(name, saidOf(a), saidOf(b))...)
	}
	return out
}

func appsOf(was, is *RoundVerdict) (names []string) {
	for _, v := range []*RoundVerdict{is, was} {
		for _, app := range v.All() {
			if !slices.Contains(names, app.App) {
				names = append(names, app.App)
			}
		}
	}
	return names
}

// appOf gives the verdict on an app; one without a state where there is none.
func appOf(v *RoundVerdict, name string) *AppVerdict {
	if app := v.Of(name); app != nil {
		return app
	}
	return &AppVerdict{}
}

func stateOf(a *AppVerdict) *Said {
	if a.State == "" {
		return nil
	}
	return &Said{State: a.State}
}

// spot is where a finding stands.
type spot struct {
	target string
	layer  Layer
	family Family
}

func saidOf(a *AppVerdict) map[spot][]Said {
	out := map[spot][]Said{}
	for _, t := range a.Targets {
		for _, l := range t.Layers {
			s := Said{l.State, l.Signature, l.Confidence, l.Scope, l.Rule}
			if s.Scope == ScopeUnknown {
				s.Scope = ""
			}
			k := spot{t.Target, l.Layer, l.Family}
			out[k] = append(out[k], s)
		}
	}
	return out
}

func compareLayers(app string, was, is map[spot][]Said) []Change {
	var spots []spot
	for _, m := range []map[spot][]Said{was, is} {
		for k := range m {
			spots = append(spots, k)
		}
	}
	slices.SortFunc(spots, func(a, b spot) int {
		return cmp.Or(comparePlaces(placeKey{app, a.target, a.layer, a.family}, placeKey{app, b.target, b.layer, b.family}),
			cmp.Compare(a.layer, b.layer)) // a layer that nobody knows
	})
	var out []Change
	for _, k := range slices.Compact(spots) {
		for _, p := range pairs(was[k], is[k]) {
			out = append(out, Change{app, k.target, k.layer, k.family, p[0], p[1]})
		}
	}
	return out
}

// pairs ties what was said of one layer to what is said of it now, and leaves out what is the same. Two
// findings with one signature are one finding; what is left over on both sides is tied in order.
func pairs(was, is []Said) (out [][2]*Said) {
	was, is = slices.Clone(was), slices.Clone(is)
	for _, alike := range []func(a, b Said) bool{
		func(a, b Said) bool { return a == b },
		func(a, b Said) bool { return a.Signature == b.Signature },
		func(_, _ Said) bool { return true },
	} {
		was = slices.DeleteFunc(was, func(a Said) bool {
			i := slices.IndexFunc(is, func(b Said) bool { return alike(a, b) })
			if i < 0 {
				return false
			}
			if b := is[i]; a != b {
				out = append(out, [2]*Said{&a, &b})
			}
			is = slices.Delete(is, i, i+1)
			return true
		})
	}
	for i := range was {
		out = append(out, [2]*Said{&was[i], nil})
	}
	for i := range is {
		out = append(out, [2]*Said{nil, &is[i]})
	}
	slices.SortStableFunc(out, func(a, b [2]*Said) int { return cmp.Compare(worst(b), worst(a)) })
	return out
}

func worst(p [2]*Said) int {
	w := -1
	for _, s := range p {
		if s != nil {
			w = max(w, rank(s.State))
		}
	}
	return w
}

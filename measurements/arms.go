package measurements

import (
	"fmt"
	"slices"
	"time"
)

// overHTTP is the framing of MTProto that proxies know (Handshake.Arm).
const overHTTP = "http"

// form is how an app's exchange was made on a bare connection, and where: "abridged 192.0.2.1:443". "" where it was
// made in no such way. A server that speaks one form need not speak another, nor need its neighbour.
func (o *Observation) form() string {
	if o.Operation != AppHandshake || o.Transport != "tcp" || o.App == nil {
		return ""
	}
	kind := o.App.Arm
	if kind == "" {
		kind = o.App.Protocol
	}
	return kind + " " + o.Endpoint
}

// spokenBefore says whether this very place has answered in the case's own form, in an earlier round on this network.
func (c *Case) spokenBefore() bool {
	return c.view.history.answeredIn(placeKey{c.view.m.App, c.Target.ID, LayerApp, c.Family}, c.T.form())
}

// anotherArm is a plain framing that another port of the same address answered in this round; nil where none did.
func (c *Case) anotherArm() *Observation {
	for i := range c.view.m.Observations {
		o := &c.view.m.Observations[i]
		if o.Control == T && o.OK() && o.Target == c.Target.ID && o.form() != "" && o.App.Protocol == MTProto && o.Addr() == c.Addr() && o.App.Arm != c.T.App.Arm {
			return o
		}
	}
	return nil
}

// diedKey is where framings are counted that died: a target's servers in a family. beside: only where control N was
// answered at the same place just before, which clears the port, too.
type diedKey struct {
	target string
	family Family
	beside bool
}

// countArms counts the framings in which servers died, as far as each says something of the target: on port 80
// proxies answer for everybody, and know HTTP alone. N that died as well is a framing, too.
func (v *view) countArms(cases []*Case) {
	v.died = map[diedKey]map[string]bool{}
	add := func(c *Case, beside bool, o *Observation) {
		k := diedKey{c.Target.ID, c.Family, beside}
		if v.died[k] == nil {
			v.died[k] = map[string]bool{}
		}
		v.died[k][o.App.Arm] = true
	}
	for _, c := range cases {
		switch {
		case !c.framed() || c.Kind() == "":
		case c.NeutralPassed():
			add(c, true, c.T)
			add(c, false, c.T)
		case portOf(c.Endpoint) == 80 && c.T.App.Arm != overHTTP:
		default:
			add(c, false, c.T)
			if c.NeutralFailedAlike() && c.N.App != nil {
				add(c, false, c.N)
			}
		}
	}
}

// armsDied is how many framings of the case's target died in its family.
func (c *Case) armsDied(beside bool) int {
	return len(c.view.died[diedKey{c.Target.ID, c.Family, beside}])
}

// framed says whether the case is of an exchange that has several framings.
func (c *Case) framed() bool {
	return c.Layer == LayerApp && c.T != nil && c.T.form() != "" && c.T.App.Protocol == MTProto
}

// oneFormAlone says that what died may be a form that the server does not speak: no other died with it.
func (c *Case) oneFormAlone() bool { return c.framed() && c.armsDied(false) < 2 }

// mostForms bounds what a place remembers of forms: four framings at three ports of a few addresses. Chosen by us.
const mostForms = 64

// formsOf lists the forms in which a target's servers of a family answered, where there are several.
func formsOf(m *Measurement, k placeKey) (out []string) {
	if k.Layer != LayerApp {
		return nil
	}
	for i := range m.Observations {
		o := &m.Observations[i]
		if o.Control == T && o.OK() && o.Target == k.Target && o.Family == k.Family && o.form() != "" && o.App.Arm != "" && !slices.Contains(out, o.form()) {
			out = append(out, o.form())
		}
	}
	return out
}

// answered notes forms that were answered; the one that was not for longest makes room.
func (r *record) answered(forms []string, at time.Time) {
	for _, form := range forms {
		if r.Forms == nil {
			r.Forms = map[string]time.Time{}
		}
		if _, known := r.Forms[form]; !known && len(r.Forms) >= mostForms {
			oldest := form
			for f, t := range r.Forms {
				if oldest == form || t.Before(r.Forms[oldest]) {
					oldest = f
				}
			}
			delete(r.Forms, oldest)
		}
		r.Forms[form] = at
	}
}

// answeredIn says whether a place has answered in a form on this network.
func (p *past) answeredIn(k placeKey, form string) bool {
	if p == nil || p.places[k] == nil {
		return false
	}
	return !p.places[k].Forms[form].IsZero()
}

// diesInOneForm judges a framing that died while another is answered at the same address. Where two have died it is
// no single one; and on port 80, without control N, it may be anybody's proxy.
func diesInOneForm(c *Case) *Finding {
	s := appSignature[c.Kind()]
	if s == "" || !c.framed() || c.NeutralFailedAlike() || c.armsDied(c.NeutralPassed()) > 1 || !c.NeutralPassed() && portOf(c.Endpoint) == 80 {
		return nil
	}
	other := c.anotherArm()
	if other == nil {
		return nil
	}
	says := fmt.Sprintf("in the framing %s the app's first bytes die; in %s they are answered on port %d of the same address", c.T.App.Arm, other.App.Arm, portOf(other.Endpoint))
	if !c.NeutralPassed() {
		return oneForm(c, s, says, "nothing that looks like chance was answered on this port just before: it may be the port")
	}
	return besideNeutral(c, s, says, "just now what looks like chance was answered on this port")
}

func diesPlain(c *Case) *Finding {
	s := appSignature[c.Kind()]
	if s == "" || !c.NeutralPassed() {
		return nil
	}
	const says = "the app's first bytes die; the same exchange without recognisable bytes, just before, was answered"
	switch {
	case !c.framed():
		return byName(c, s, says)
	case c.armsDied(true) > 1:
		return byName(c, s, says, "they die in more than one framing")
	}
	return besideNeutral(c, s, says)
}

// besideNeutral weighs one framing that died where control N was answered just before.
func besideNeutral(c *Case, s Signature, reasons ...string) *Finding {
	switch {
	case c.framingFromThePath():
		return byName(c, s, append(reasons, "the answer came faster than the server can be reached")...)
	case c.spokenBefore():
		return byName(c, s, append(reasons, "this framing was answered on this port before")...)
	}
	return inconclusive(s, append(reasons, "one framing alone died, which has never been answered on this port: the server may not speak it")...)
}

// oneForm weighs one framing that died alone, and nothing beside it: two networks that fail so say nothing, since it
// may be the port, or a framing that is given up everywhere at once.
func oneForm(c *Case, s Signature, reasons ...string) *Finding {
	if c.framingFromThePath() {
		return blocked(s, Likely, append(reasons, "the answer came faster than the server can be reached")...)
	}
	if c.spokenBefore() {
		if f := byReference(c, s, reasons...); f != nil {
			return f
		}
	}
	return inconclusive(s, append(reasons, "one framing alone died: the server may not speak it")...)
}

// framingFromThePath says whether the failure came faster than the server can answer, in a framing that no proxy
// takes for its own: those know HTTP, and port 80.
func (c *Case) framingFromThePath() bool {
	return c.FromThePath() && c.T.App.Arm != overHTTP && portOf(c.Endpoint) != 80
}

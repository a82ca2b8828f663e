package measurements

import (
	"slices"
	"time"
)

// obfuscated is the framing that has no bytes to recognise it by: control N of MTProto (Handshake.Arm).
const obfuscated = "obfuscated2"

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

// armsDied counts the framings in which the target's servers died in this family, as far as each says something of
// the target: on port 80 proxies answer for everybody, and know HTTP alone. beside: only where control N was
// answered at the same place just before, which clears the port, too; else N that died is a framing as well.
func (c *Case) armsDied(beside bool) int {
	var died []string
	add := func(o *Observation) {
		if !slices.Contains(died, o.App.Arm) {
			died = append(died, o.App.Arm)
		}
	}
	for _, d := range c.all {
		if d.Layer != LayerApp || d.Target.ID != c.Target.ID || d.Family != c.Family || !d.framed() || d.Kind() == "" {
			continue
		}
		switch {
		case d.NeutralPassed():
			add(d.T)
		case beside || portOf(d.Endpoint) == 80 && d.T.App.Arm != "http":
		default:
			add(d.T)
			if d.NeutralFailedAlike() && d.N.App != nil && d.N.App.Arm == obfuscated {
				add(d.N)
			}
		}
	}
	return len(died)
}

// framed says whether the case is of an exchange that has several framings.
func (c *Case) framed() bool {
	return c.Layer == LayerApp && c.T != nil && c.T.form() != "" && c.T.App.Protocol == MTProto
}

// oneFormAlone says that what died may be a form that the server does not speak: no other died with it, and it was
// never answered there.
func (c *Case) oneFormAlone() bool {
	return c.framed() && c.armsDied(false) < 2 && !c.spokenBefore()
}

// mostForms bounds what a place remembers of forms: four framings at three ports of a few addresses. Chosen by us.
const mostForms = 64

// formsOf lists the forms in which a target's servers of a family answered.
func formsOf(m *Measurement, k placeKey) (out []string) {
	if k.Layer != LayerApp {
		return nil
	}
	for i := range m.Observations {
		o := &m.Observations[i]
		if o.Control == T && o.OK() && o.Target == k.Target && o.Family == k.Family && o.form() != "" && !slices.Contains(out, o.form()) {
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

package measurements

import (
	"net/netip"
	"slices"
	"sort"
)

// Case is what one rule looks at: one layer of one target at one endpoint (for DNS: one name), with
// the controls that were made there.
type Case struct {
	view   *view
	Target TargetInfo
	Layer  Layer
	Family Family
	// Endpoint is "ip:port"; the name asked for in the DNS layer.
	Endpoint string
	Origin   Origin
	// Name is the one that the target's own step used.
	Name string

	// T is the target's own step: the one that failed, or the last that passed.
	T *Observation
	// Passed is a step of the target that passed here although T failed: the small hello, or another
	// port of the address.
	Passed *Observation
	// N is the same step with a neutral name, in the same shape, made just before in the same trial; nil
	// where none was made.
	N *Observation
	// X is the target's name at a helper's address, just after a neutral name was answered there; nil
	// where none was made.
	X *Observation
	// V is a version-negotiation ping; nil where none was made.
	V *Observation
	// Page is what an unverified peer served; nil where nothing was asked.
	Page *Observation

	moved    map[Control][]*Observation // transfers, in the order of time
	former   bool                       // judged by a rule that weighs as before (reweighed)
	neutrals []*Observation             // in every shape
	all      []*Case                    // every case of the app, for "at another address too"
}

// place is what was seen of one target at one endpoint over one transport.
type place struct {
	target, endpoint string
	seen             []*Observation
}

// cases turns a measurement into the units that rules judge.
func (v *view) cases() []*Case {
	var out []*Case
	for _, p := range v.places() {
		out = append(out, v.casesOf(p)...)
	}
	for i := range v.m.Observations {
		if o := &v.m.Observations[i]; o.Operation == Resolve && o.Control == T && v.worthJudging(o) {
			out = append(out, &Case{view: v, Target: v.targets[o.Target], Layer: LayerDNS, Family: o.Family, Endpoint: o.Name, Name: o.Name, T: o})
		}
	}
	for _, c := range out {
		c.all = out
	}
	v.countArms(out)
	return out
}

// worthJudging leaves out the AAAA question about a name that has none: the answer "no address" is
// the truth unless control D was asked and knows better.
func (v *view) worthJudging(o *Observation) bool {
	return !(o.Failure == DNSNoAnswer && o.Family == IPv6 && len(v.trusted[wanted{o.Name, o.Family}]) == 0)
}

func (v *view) places() []*place {
	index := map[[3]string]*place{}
	var out []*place
	for i := range v.m.Observations {
		o := &v.m.Observations[i]
		if o.Operation == Resolve || o.Endpoint == "" || o.atHelper() {
			continue
		}
		transport := "tcp"
		if o.Layer() == LayerQUIC || o.Transport == "quic" || o.Transport == "udp" {
			transport = "quic"
		}
		key := [3]string{o.Target, o.Endpoint, transport}
		if index[key] == nil {
			index[key] = &place{target: o.Target, endpoint: o.Endpoint}
			out = append(out, index[key])
		}
		index[key].seen = append(index[key].seen, o)
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if a.target != b.target {
			return a.target < b.target
		}
		return a.endpoint < b.endpoint
	})
	return out
}

// casesOf gives a place's layers, as far as they were reached.
func (v *view) casesOf(p *place) []*Case {
	var out []*Case
	for _, layer := range []Layer{LayerTCP, LayerTLS, LayerQUIC, LayerHTTP, LayerApp} {
		if c := v.caseOf(p, layer); c != nil {
			out = append(out, c)
		}
	}
	return out
}

func (v *view) caseOf(p *place, layer Layer) *Case {
	c := &Case{view: v, Target: v.targets[p.target], Layer: layer, Endpoint: p.endpoint}
	for _, o := range p.seen {
		if o.Layer() == layer || layer == LayerTLS && o.Operation == HTTPExchange {
			c.take(o)
		}
	}
	if c.T == nil {
		return nil
	}
	c.N = c.alike(c.neutrals)
	c.Name, c.Family, c.Origin = c.T.Name, c.T.Family, c.T.Origin
	c.X = v.elsewhere[asked{c.Target.ID, c.Layer, c.Family, c.Name}]
	if c.Layer == LayerHTTP && c.T.Transport == "tls" && !c.T.HTTP.verified() && knownBlockPage(c.T.HTTP) == "" {
		return nil // what an imposter serves is the TLS layer's evidence, no exchange with the app
	}
	return c
}

func (h *HTTP) verified() bool { return h != nil && h.Verified }

// take sorts an observation of the case's own layer into its role.
func (c *Case) take(o *Observation) {
	switch {
	case c.Layer == LayerTLS && o.Operation == HTTPExchange:
		if !o.HTTP.verified() && o.Transport == "tls" {
			c.Page = o
		}
	case o.Operation == QUICVersion:
		c.V = o
	case c.Layer == LayerTCP:
		// The TCP handshake carries no name: a connect made for N speaks for T as well.
		c.keepWorst(o)
	case o.Control == N:
		c.neutrals = append(c.neutrals, o)
	case o.Control == T:
		c.keepWorst(o)
	}
}

// keepWorst keeps the failing one of several steps as T, and one that passed beside it.
func (c *Case) keepWorst(o *Observation) {
	switch {
	case c.T == nil:
		c.T = o
	case c.T.OK() && !o.OK():
		c.Passed, c.T = c.T, o
	case !c.T.OK() && o.OK():
		c.Passed = o
	case c.T.OK():
		c.T = o
	}
}

// alike gives the control N that stands against the target's own step: the last in its shape, else a large
// one against a small one, since whoever minds hellos that need two segments minds no smaller one. A small
// one that passed says nothing of a large one that died: two things were changed at once. Exchanges have none.
func (c *Case) alike(neutrals []*Observation) (found *Observation) {
	for _, n := range slices.Backward(neutrals) {
		switch {
		case n.shape() == c.T.shape():
			return n
		case found == nil && c.T.shape() == Small && n.shape() == Default:
			found = n
		}
	}
	return found
}

// shape is that of the step's hello; "" where there was none, or nothing is known of it.
func (o *Observation) shape() Shape {
	if o.TLS == nil {
		return ""
	}
	return o.TLS.Shape
}

// Failed says whether the target's own step failed.
func (c *Case) Failed() bool { return c.T != nil && !c.T.OK() }

// Kind is how the target's step died: "reset", "timeout", "eof", "alert" or "".
func (c *Case) Kind() string { return c.T.Failure.Kind() }

// Silent says whether the failure is silence alone: loss makes silence too.
func (c *Case) Silent() bool { return c.T.Failure == Timeout }

// NeutralPassed says whether control N was made here and the server answered it, and not with the
// target's own failure. An alert or a certificate for another name is an answer.
func (c *Case) NeutralPassed() bool {
	return c.N != nil && (c.N.OK() || c.N.Failure != c.T.Failure && c.N.answered())
}

// NeutralGotAsFar says whether control N passed and its connection brought at least as many bytes as
// the target's until it died: what cuts every stream after so many bytes does not look at names. Bytes of
// a connection whose handshake is not in evidence can't be counted.
func (c *Case) NeutralGotAsFar() bool {
	return c.NeutralPassed() && c.view.shookHands(c.T.Conn) && c.view.received(c.N.Conn) >= c.view.progress(c.T)
}

// NeutralFailedAlike says whether N met the target's own failure.
func (c *Case) NeutralFailedAlike() bool {
	return c.N != nil && c.N.Failure == c.T.Failure && !c.N.OK()
}

// answered says whether the peer said something of its own that ended the step.
func (o *Observation) answered() bool {
	if o.OK() || o.Failure.IsCertificate() || o.Failure == SSLFailedHandshake {
		return true
	}
	_, alert := o.Failure.Alert()
	return alert
}

// Addr is the address of the endpoint.
func (c *Case) Addr() netip.Addr { return c.T.Addr() }

// NeutralServed says whether control N passed and the server made more of it than an alert: one alone is what an
// edge says of a name that it does not serve, while what is behind it for the target is gone. Where the history, or
// the reference vantage, has met that alert there while the target was served, it is as good.
func (c *Case) NeutralServed() bool {
	if !c.NeutralPassed() {
		return false
	}
	if c.N.OK() || c.N.Failure.IsCertificate() {
		return true
	}
	if l := c.reference(); l != nil {
		if e := l.at(c); e != nil && e.Failure == "" && e.Neutral == string(c.N.Failure) {
			return true
		}
	}
	return c.view.history.neutralAnswer(c.Addr().String()) == c.N.Failure
}

// resetNearer is the fraction of the least RTT below which an answer can't come from the server
// (chosen by the project's design, section 4, rule 6: 0.6 leaves room for jitter).
const resetNearer = 0.6

// FromThePath says whether the failure came faster than the server can answer. What comes right behind the
// accept, before we have sent a byte, answers nothing, and the server's own would come as fast: there it is the
// accept that counts, against the round trips of earlier rounds.
//
// The server may have come nearer since those: where nothing else accepts at the address in this round, a site of
// the same address may have been opened near us (anycast). So the failure then has to come faster than anybody outside
// is reached at all: a site may be as near as the nearest neutral host, and hardly much nearer.
func (c *Case) FromThePath() bool {
	switch {
	case c.Silent() || c.T.Failure == "":
		return false
	case c.T.ICMP != nil, c.T.Failure.IsUnreachable() && c.T.Operation == Connect:
		return c.fromARouter() // routers are near, and say innocent things: it is not the time that tells
	}
	within := func(d, of Seconds) bool { return float64(d) < resetNearer*float64(of) }
	took, accepted := c.T.Duration, len(c.view.rtt[c.Addr()]) > 0
	least, known := c.view.leastRTT(c.Addr())
	if c.T.Operation == Settle {
		accept := c.view.connectOf(c.T.Conn)
		if accept == nil {
			return false
		}
		took, accepted = accept.Duration, false
		least, known = c.view.minRTT(c.Addr())
	}
	if !known || !within(took, least) {
		return false
	}
	nearest, reached := c.view.nearestNeutral()
	return accepted || reached && within(took, nearest)
}

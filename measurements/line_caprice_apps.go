package measurements

// Neutral hosts are few, and what ends one connection in fifty spares them all as a rule. The apps' own trials are
// many, and those that come out the wrong way round say the same.

// readStrays finds sites at which a handshake died as no list of names makes it die: with a neutral name alone, or with
// the target's in its large hello alone, though a neutral name's large one was answered there. Chance does both, and
// what ends connections by chance ends one with the target's name, after a neutral one that was spared, as easily.
func (l *Line) readStrays(apps []Measurement) {
	l.strays = map[caprice]map[string]bool{}
	for i := range apps {
		for _, t := range handshakesAt(&apps[i]) {
			for by, where := range t.strays() {
				if l.strays[by] == nil {
					l.strays[by] = map[string]bool{}
				}
				l.strays[by][where] = true
			}
		}
		if refusesSome(&apps[i]) {
			l.strays[caprice{kind: refusal}] = map[string]bool{neutralStray: true}
		}
	}
}

// refusal is how a connect dies that is refused: no word of Failure.Kind, whose signatures are other layers'.
const refusal = "refused"

// refusesSome says whether one of an app's endpoints refused a connect in this round and accepted another: no name
// stands in a SYN, so that who refuses addresses would have refused both.
func refusesSome(m *Measurement) bool {
	accepted, refused := map[string]bool{}, map[string]bool{}
	for i := range m.Observations {
		switch o := &m.Observations[i]; {
		case o.Operation != Connect || o.atHelper():
		case o.OK():
			accepted[o.Endpoint] = true
		case o.refusedConnect():
			refused[o.Endpoint] = true
		}
	}
	for at := range refused {
		if accepted[at] {
			return true
		}
	}
	return false
}

// refusedConnect says whether a reset answered a connect.
func (o *Observation) refusedConnect() bool {
	return o.Operation == Connect && o.ICMP == nil && (o.Failure == ConnectionRefused || o.Failure == ConnectionReset)
}

// refusedOnce says whether a connect was refused, and nothing of this round or of earlier ones shows that it was more
// than that one: neither another endpoint of the target that is refused too, while none of its family accepts, nor the
// same in an earlier round.
func (c *Case) refusedOnce(s Signature) bool {
	if !c.T.refusedConnect() || c.AgainLater(s, Decorrelation) {
		return false
	}
	once := true
	for _, d := range c.all {
		if d.Target.ID != c.Target.ID || d.Layer != LayerTCP || d.Family != c.Family || d.Endpoint == c.Endpoint {
			continue
		}
		if !d.Failed() {
			return true
		}
		once = once && d.T.Failure != c.T.Failure
	}
	return once
}

// shaken are the handshakes of one target at one endpoint, in the order of the evidence. An edge that hangs up on every
// name that it does not serve is known by what it does elsewhere.
type shaken struct {
	quic     bool
	target   []*Observation
	neutral  []*Observation
	answered *bool // a neutral name was answered somewhere at the target
}

// handshakesAt sorts an app's handshakes by target, endpoint and transport.
func handshakesAt(m *Measurement) map[[3]string]*shaken {
	at, answered := map[[3]string]*shaken{}, map[[2]string]*bool{}
	for i := range m.Observations {
		o := &m.Observations[i]
		if o.Operation != TLSHandshake && o.Operation != QUICHandshake || o.atHelper() || o.Control != T && o.Control != N {
			continue
		}
		k, over := [3]string{o.Target, o.Endpoint, string(o.Operation)}, [2]string{o.Target, string(o.Operation)}
		if answered[over] == nil {
			answered[over] = new(bool)
		}
		if at[k] == nil {
			at[k] = &shaken{quic: overQUIC(o), answered: answered[over]}
		}
		if o.Control == T {
			at[k].target = append(at[k].target, o)
			continue
		}
		at[k].neutral = append(at[k].neutral, o)
		*answered[over] = *answered[over] || o.answered()
	}
	return at
}

// strays gives the ways to die that hit this place by chance, and the site that it is.
func (t *shaken) strays() map[caprice]string {
	out := map[caprice]string{}
	for _, n := range t.neutral {
		kind := n.Failure.Kind()
		if n.answered() || kind == "" || !*t.answered || !t.passes(n.shape()) {
			continue
		}
		out[caprice{kind, t.quic}] = neutralStray
	}
	for _, o := range t.target {
		if o.has(Default) && o.Failure.Kind() != "" && t.passes(Small) && t.neutralPasses(Default) {
			out[caprice{o.Failure.Kind(), t.quic}] = site(o.Name)
		}
	}
	return out
}

// neutralStray stands for the site where a neutral name died alone: it speaks to every case, that site's own as well.
const neutralStray = ""

func (t *shaken) passes(s Shape) bool {
	for _, o := range t.target {
		if o.shape() == s && o.OK() {
			return true
		}
	}
	return false
}

func (t *shaken) neutralPasses(s Shape) bool {
	for _, o := range t.neutral {
		if o.shape() == s && o.answered() {
			return true
		}
	}
	return false
}

// astray says whether handshakes died by chance in this round in the way in which the case did: a neutral name's alone,
// or those of another site.
func (c *Case) astray() bool {
	for where := range c.view.line.strays[caprice{c.Kind(), overQUIC(c.T)}] {
		if where == neutralStray || where != site(c.Name) {
			return true
		}
	}
	return false
}

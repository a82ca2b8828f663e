package measurements

import "fmt"

// How many operators' neutral hosts die and answer in one round: one is enough for a doubt, since a censor may have
// it on its list, in one family or for one shape of hello; two are the line's way, and nothing can be told from it.
// Chosen by us.
const wild = 2

// caprice is a way to die that hits neutral hosts here now and then, whatever their name.
type caprice struct {
	kind string // Failure.Kind
	quic bool
}

// readCaprice finds what kills handshakes of neutral hosts, the placebos among them, at random: at one moment they
// die of it, and at another, in the other family or in another shape, they answer. A list of names is not like that.
func (l *Line) readCaprice(gate *Measurement, again []*Observation, apps []Measurement) {
	died, answered := map[caprice]map[string]bool{}, map[caprice]map[string]bool{}
	note := func(o *Observation, who string) {
		by := caprice{quic: overQUIC(o)}
		set := answered
		if !o.OK() {
			if by.kind, set = o.Failure.Kind(), died; by.kind == "" {
				return
			}
		}
		if set[by] == nil {
			set[by] = map[string]bool{}
		}
		set[by][who] = true
	}
	operators, _ := operatorsOf(gate, anywhere)
	for i := range gate.Observations {
		if o := &gate.Observations[i]; o.Operation == TLSHandshake || o.Operation == QUICHandshake {
			note(o, operators[o.Target])
		}
	}
	for _, o := range again {
		if o.Operation == TLSHandshake || o.Operation == QUICHandshake {
			note(o, operators[o.Target])
		}
	}
	for i := range apps {
		for j := range apps[i].Observations {
			if o := &apps[i].Observations[j]; apps[i].App == PlaceboApp && o.Control == T && (o.Operation == TLSHandshake || o.Operation == QUICHandshake) {
				note(o, PlaceboApp+" "+o.Target)
			}
		}
	}
	l.caprices = map[caprice]int{}
	for by, hosts := range died {
		for who := range hosts {
			if answered[caprice{quic: by.quic}][who] {
				l.caprices[by]++
			}
		}
	}
}

// doubted takes a finding back where handshakes with neutral hosts die in the same way by chance: control N
// may have been spared as easily as the target was hit. What the target's name met each time is a suspicion
// still, if one of them does.
func doubted(c *Case, f *Finding) *Finding {
	if f.State != Blocked || f.Confidence == Confirmed || c.T == nil {
		return f
	}
	n := c.view.line.caprices[caprice{c.Kind(), overQUIC(c.T)}]
	if n == 0 && !c.astray() {
		return f
	}
	if n == 0 {
		reason := "elsewhere in this round handshakes died in the same way as no list of names makes them die, a neutral name's alone or one shape of another site's: chance may have hit the target and spared the control"
		return &Finding{State: f.State, Signature: f.Signature, Confidence: Suspected, Rule: f.Rule, Reasons: append(f.Reasons, reason)}
	}
	reasons := append(f.Reasons, fmt.Sprintf("handshakes with neutral hosts of %d operators die in the same way in this round, and pass at other moments: chance may have hit the target and spared the control", n))
	if n >= wild {
		return &Finding{State: Inconclusive, Signature: f.Signature, Rule: f.Rule, Reasons: reasons}
	}
	return &Finding{State: Blocked, Signature: f.Signature, Confidence: Suspected, Rule: f.Rule, Reasons: reasons}
}

package measurements

import "testing"

// border is a gate of two domestic and some foreign operators, whose handshakes ended so.
func border(country string, domestic, abroad Failure, operators ...string) *Measurement {
	g := &Measurement{App: ControlApp, Vantage: Vantage{Country: country}}
	add := func(id, scope, country string, f Failure) {
		g.Targets = append(g.Targets, TargetInfo{ID: id, Operator: id, Scope: scope, Country: country})
		g.Observations = append(g.Observations,
			Observation{Target: id, Operation: Connect, Family: IPv4, Received: 1},
			Observation{Target: id, Operation: TLSHandshake, Family: IPv4, Failure: f})
	}
	add("bank", "domestic", "IR", domestic)
	add("paper", "domestic", "IR", domestic)
	for _, id := range operators {
		add(id, "foreign", "", abroad)
	}
	return g
}

// A line that ends at the border is called so only where the country is known, hosts inside it are
// alive, and three operators abroad are dead; silence alone is no block.
func TestLineEndsAtBorder(t *testing.T) {
	three := []string{"a", "b", "c"}
	for _, c := range []struct {
		name      string
		gate      *Measurement
		state     State
		signature Signature
	}{
		{"silence from abroad", border("IR", "", Timeout, three...), Inconclusive, NetShutdown},
		{"resets from abroad", border("IR", "", ConnectionReset, three...), Blocked, NetShutdown},
		{"the country is not known", border("", "", Timeout, three...), Inconclusive, ""},
		{"the country is not told", border("ZZ", "", Timeout, three...), Inconclusive, ""},
		{"another country's hosts", border("DE", "", ConnectionReset, three...), Inconclusive, ""},
		{"two operators abroad", border("IR", "", Timeout, "a", "b"), Inconclusive, ""},
		{"hosts inside are dead too", border("IR", Timeout, ConnectionReset, three...), Inconclusive, ""},
		{"all is well", border("IR", "", "", three...), OK, ""},
		{"the gate has domestic hosts alone", border("IR", "", ""), OK, ""},
	} {
		l := judgeLine(c.gate)
		if l.State != c.state || l.Signature != c.signature {
			t.Errorf("%s: %s %s (%q)", c.name, l.State, l.Signature, l.Reasons)
		}
		if alive := c.state == OK; l.Alive[IPv4] != alive {
			t.Errorf("%s: alive is %v: hosts inside the country must not speak for the line abroad", c.name, l.Alive[IPv4])
		}
	}
	one := border("IR", "", ConnectionReset, three...)
	for i := range one.Observations {
		if o := &one.Observations[i]; o.Target == "a" && o.Operation == TLSHandshake {
			o.Failure = ""
		}
	}
	if l := judgeLine(one); l.Signature != "" {
		t.Errorf("one operator abroad answers: %s %s", l.State, l.Signature)
	}
}

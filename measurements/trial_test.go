package measurements

import (
	"net/netip"
	"testing"
	"time"
)

var eight = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

const (
	edge      = "192.0.2.10:443"
	otherEdge = "198.51.100.10:443"
	chatName  = "chat.example.net"
)

// A trial is N and T at one layer; what N met decides as the design's table of controls says.
func TestNamedTrials(t *testing.T) {
	pair := func(trial int, n, target Failure) []Observation {
		o := Observation{Target: "chat", Operation: TLSHandshake, Family: IPv4, Endpoint: edge, Trial: trial}
		a, b := o, o
		a.Control, a.Failure, b.Failure = N, n, target
		return []Observation{a, b}
	}
	for _, c := range []struct {
		name string
		seen []Observation
		want []Outcome
	}{
		{"both pass", pair(1, "", ""), []Outcome{BothOK}},
		{"the name alone dies", pair(1, "", ConnectionReset), []Outcome{TargetOnlyFailed}},
		{"an edge that does not serve N answers all the same", pair(1, SSLInvalidHostname, Timeout), []Outcome{TargetOnlyFailed}},
		{"an alert is an answer", pair(1, TLSAlert(112), ""), []Outcome{BothOK}},
		{"the same alert is not", pair(1, TLSAlert(40), TLSAlert(40)), []Outcome{BothFailed}},
		{"both die", pair(1, Timeout, ConnectionReset), []Outcome{BothFailed}},
		{"the control alone dies", pair(1, Timeout, ""), []Outcome{ControlOnlyFailed}},
		{"half a trial is none", pair(1, "", "")[:1], nil},
		{"a step outside of trials is none", pair(0, "", ""), nil},
		{"two shapes: the one that died speaks", append(pair(1, "", ""), pair(1, "", Timeout)[1]), []Outcome{TargetOnlyFailed}},
		{"two trials", append(pair(1, "", ""), pair(2, "", EOF)...), []Outcome{BothOK, TargetOnlyFailed}},
	} {
		got := Trials(&Measurement{App: "a", Observations: c.seen}, nil, nil)
		if len(got) != len(c.want) {
			t.Errorf("%s: %d trials, want %d", c.name, len(got), len(c.want))
			continue
		}
		for i, want := range c.want {
			if got[i].Outcome != want || got[i].App != "a" || got[i].Endpoint != edge || want == BothOK && got[i].Failure != "" {
				t.Errorf("%s: %+v, want %s", c.name, got[i], want)
			}
		}
	}
}

// The signature is what the verdict gives to this way of dying, and none where nothing failed.
func TestTrialsTakeTheirSignatureFromTheVerdict(t *testing.T) {
	v := &AppVerdict{App: "a", Targets: []TargetVerdict{{Target: "chat", Layers: []LayerVerdict{
		{Layer: LayerTLS, Family: IPv4, State: Inconclusive, Signature: TLSResetOther},
		{Layer: LayerTLS, Family: IPv4, State: Blocked, Signature: TLSResetSNI},
		{Layer: LayerTLS, Family: IPv4, State: Blocked, Signature: TLSTimeoutSNI},
		{Layer: LayerTLS, Family: IPv6, State: Inconclusive, Signature: TLSMITM},
	}}}}
	for _, c := range []struct {
		name   string
		family Family
		died   Failure
		want   Signature
	}{
		{"blocked comes before inconclusive", IPv4, ConnectionReset, TLSResetSNI},
		{"each way of dying has its own", IPv4, Timeout, TLSTimeoutSNI},
		{"a way of dying that no finding names", IPv4, EOF, ""},
		{"the only finding there is", IPv6, SSLUnknownAuthority, TLSMITM},
		{"nothing failed", IPv4, "", ""},
	} {
		n := Observation{Target: "chat", Operation: TLSHandshake, Control: N, Family: c.family, Trial: 1}
		target := Observation{Target: "chat", Operation: TLSHandshake, Family: c.family, Trial: 1, Failure: c.died}
		if got := Trials(&Measurement{App: "a", Observations: []Observation{n, target}}, nil, v); len(got) != 1 || got[0].Signature != c.want {
			t.Errorf("%s: %+v, want %q", c.name, got, c.want)
		}
	}
}

// What a resolver answers when it is asked again, it had failed for by chance: no trial of the name.
func TestFailureThatEndsIsNoTrial(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		failure Failure
		further *DNS // of the second answer
		refused bool // which is a refusal, too
		trials  int
	}{
		"not asked again":         {DNSRefused, nil, false, 1},
		"refused again":           {DNSRefused, &DNS{Resolver: SystemResolver, Further: AskedAgain}, true, 1},
		"answered then":           {DNSRefused, &DNS{Resolver: SystemResolver, Further: AskedAgain, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}}, false, 0},
		"silent, with patience":   {Timeout, &DNS{Resolver: SystemResolver, Further: AskedPatiently, Rcode: -1}, false, 1},
		"late, and a failure too": {Timeout, &DNS{Resolver: SystemResolver, Further: AskedPatiently, Rcode: 2}, true, 0},
	} {
		m := &Measurement{App: "a", Observations: []Observation{
			{Target: "chat", Operation: Resolve, Family: IPv4, Name: chatName, Failure: test.failure, DNS: &DNS{Resolver: SystemResolver, Rcode: -1}},
			{Target: "chat", Operation: Resolve, Control: D, Family: IPv4, Name: chatName, DNS: &DNS{Resolver: "https://192.0.2.99/dns-query"}},
		}}
		if test.further != nil {
			o := Observation{Target: "chat", Operation: Resolve, Control: D, Family: IPv4, Name: chatName, DNS: test.further}
			if test.refused {
				o.Failure = DNSRefused
			}
			m.Observations = append(m.Observations, o)
		}
		gate := &Measurement{Observations: []Observation{{Operation: Resolve, Family: IPv4}}}
		if got := Trials(m, gate, nil); len(got) != test.trials {
			t.Errorf("%s: %+v", what, got)
		}
	}
}

// In DNS the control is another resolver, and a neutral name at the same one.
func TestResolveTrials(t *testing.T) {
	answer := &DNS{Resolver: SystemResolver, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}}
	denied := &DNS{Resolver: SystemResolver, Rcode: 3}
	for _, c := range []struct {
		name            string
		target, d, gate Failure
		forged          bool
		want            Outcome
	}{
		{"both resolve", "", "", "", false, BothOK},
		{"denied here, resolved elsewhere", DNSNXDomain, "", "", false, TargetOnlyFailed},
		{"an answer, and a lie", "", "", "", true, TargetOnlyFailed},
		{"nobody resolves it", DNSNXDomain, DNSNXDomain, "", false, BothFailed},
		{"the resolver resolves nothing", DNSServfail, "", DNSServfail, false, BothFailed},
		{"the other resolver is out of reach", "", Timeout, "", false, ControlOnlyFailed},
	} {
		dns := answer
		if c.target != "" {
			dns = denied
		}
		m := &Measurement{App: "a", Observations: []Observation{
			{Target: "chat", Operation: Resolve, Family: IPv4, Name: chatName, Failure: c.target, DNS: dns},
			{Target: "chat", Operation: Resolve, Control: D, Family: IPv4, Name: chatName, Failure: c.d, DNS: &DNS{Resolver: "https://192.0.2.99/dns-query"}},
		}}
		gate := &Measurement{Observations: []Observation{{Operation: Resolve, Family: IPv4, Failure: c.gate}}}
		v := &AppVerdict{Targets: []TargetVerdict{{Target: "chat", Layers: []LayerVerdict{{Layer: LayerDNS, Family: IPv4, State: OK}}}}}
		if c.forged {
			v.Targets[0].Layers[0] = LayerVerdict{Layer: LayerDNS, Family: IPv4, State: Blocked, Signature: DNSInjectOther}
		}
		got := Trials(m, gate, v)
		if len(got) != 1 || got[0].Outcome != c.want || got[0].Endpoint != chatName {
			t.Errorf("%s: %+v, want %s", c.name, got, c.want)
		}
		if c.forged && (got[0].Kind() != lie || got[0].Signature != DNSInjectOther) {
			t.Errorf("%s: %+v", c.name, got[0])
		}
		if n := len(Trials(m, nil, v)); n != 0 {
			t.Errorf("%s: %d trials without a gate", c.name, n)
		}
	}
}

// In TCP the gate's connects of the same family are the control.
func TestConnectTrials(t *testing.T) {
	connect := func(endpoint string, f Family, died Failure) Observation {
		return Observation{Target: "dc1", Operation: Connect, Family: f, Endpoint: endpoint, Failure: died}
	}
	m := &Measurement{App: "a", Observations: []Observation{
		connect(edge, IPv4, ""), connect(otherEdge, IPv4, Timeout), connect("[2001:db8::1]:443", IPv6, Timeout),
	}}
	gate := &Measurement{Observations: []Observation{connect("203.0.113.1:443", IPv4, ""), connect("203.0.113.2:443", IPv4, Timeout)}}
	got := Trials(m, gate, nil)
	if len(got) != 2 || got[0].Outcome != BothOK || got[1].Outcome != TargetOnlyFailed || got[1].Kind() != "timeout" {
		t.Errorf("%+v: want one both ok, one target only, and none in a family that the gate did not try", got)
	}
}

package measurements

import (
	"net/netip"
	"testing"
)

// A chain to a root of the machine's alone is never called blocked, but for the page behind it; and a line
// on which neutral hosts show such chains is at fault itself.
func TestMachinesOwnRoot(t *testing.T) {
	here := []netip.Addr{netip.MustParseAddr("192.0.2.10")}
	resolved := Observation{Target: "chat", Operation: Resolve, Family: IPv4, Name: chatName, DNS: &DNS{Resolver: SystemResolver, Addresses: here}}
	vouched := resolved
	vouched.Control, vouched.DNS = D, &DNS{Resolver: "https://192.0.2.53/dns-query", Addresses: here}
	step := Observation{Target: "chat", Trial: 1, Conn: 1, Origin: FromSystem, Operation: TLSHandshake, Family: IPv4, Endpoint: "192.0.2.10:443", Name: chatName, Failure: SSLUnknownAuthority}
	own := func(edit func(*TLS)) Observation {
		o := step
		o.TLS = &TLS{Shape: Small, ChainRoot: RootSystem}
		edit(o.TLS)
		return o
	}
	plain := own(func(*TLS) {})
	neutral := step
	neutral.Control, neutral.Conn, neutral.Name, neutral.Failure, neutral.TLS = N, 2, "neutral.example.com", SSLInvalidHostname, &TLS{Shape: Small, ChainRoot: RootBundle}
	page := Observation{Target: "chat", Conn: 1, Operation: HTTPExchange, Transport: "tls", Family: IPv4, Endpoint: "192.0.2.10:443", Name: chatName, HTTP: &HTTP{Status: 200, Body: []byte(blockPages[0].pattern)}}
	for _, c := range []struct {
		name      string
		seen      []Observation
		state     State
		signature Signature
		rule      string
	}{
		{"and a neutral name gets the edge's own", []Observation{neutral, plain}, Inconclusive, TLSMITM, "tls-machines-own-root"},
		{"and nothing else is known", []Observation{plain}, Inconclusive, TLSMITM, "tls-machines-own-root"},
		{"and the certificate is publicly logged", []Observation{neutral, own(func(t *TLS) { t.Logged = true })}, Inconclusive, "", "tls-machines-own-root"},
		{"and a block page stands behind it", []Observation{neutral, plain, page}, Blocked, TLSMITM, "tls-machines-own-root"},
		{"not, but to no root", []Observation{neutral, own(func(t *TLS) { t.ChainRoot = RootNone })}, Blocked, TLSMITM, "tls-foreign-chain"},
		{"not, but to a configured one, for another name", []Observation{neutral, own(func(t *TLS) { t.ChainRoot = RootExtra })}, Inconclusive, "", "tls-certificate-of-the-server"},
	} {
		m := Measurement{App: "app", Targets: []TargetInfo{{ID: "chat", Hosts: []string{chatName}, Essential: true}}}
		m.Observations = append([]Observation{resolved, vouched}, c.seen...)
		r := Round{Gate: neighbours(""), Apps: []Measurement{m}}
		v := Judge(&r, nil)
		i := len(v.Apps[0].Targets[0].Layers) - 1
		for i > 0 && v.Apps[0].Targets[0].Layers[i].Layer != LayerTLS {
			i--
		}
		if l := v.Apps[0].Targets[0].Layers[i]; l.State != c.state || l.Signature != c.signature || l.Rule != c.rule {
			t.Errorf("the chain leads to the machine's own root %s: %s %s by %s", c.name, l.State, l.Signature, l.Rule)
		}
	}
	gate := neighbours("")
	for i := range gate.Observations {
		if o := &gate.Observations[i]; o.Operation == TLSHandshake {
			o.Failure, o.TLS = SSLUnknownAuthority, &TLS{ChainRoot: RootSystem}
		}
	}
	if l := judgeLine(&gate); l.State != Local || l.Signature != LocalTLSInterception {
		t.Errorf("with neutral hosts under the machine's own root the line is %s %s", l.State, l.Signature)
	}
}

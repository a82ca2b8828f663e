package measurements

import (
	"net/netip"
	"testing"
)

// Three lost queries look like a resolver that is silent about a name. It is not, if it has just
// answered for the other family; one that is silent for both is suspected.
func TestSilenceForOneFamily(t *testing.T) {
	const name = "chat.alpha.example.net"
	silent := func(f Family) *Observation {
		return &Observation{Operation: Resolve, Family: f, Name: name, Failure: Timeout, DNS: &DNS{Resolver: SystemResolver, Rcode: -1}}
	}
	answered := &Observation{Operation: Resolve, Family: IPv6, Name: name, DNS: &DNS{Resolver: SystemResolver, Rcode: 0}}
	trusted := &Observation{Operation: Resolve, Control: D, Family: IPv4, Name: name, DNS: &DNS{Resolver: "tcp://192.0.2.1:53", Rcode: 0, Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.7")}}}
	for what, test := range map[string]struct {
		other *Observation
		want  State
	}{"both families": {silent(IPv6), Blocked}, "one family": {answered, Inconclusive}, "the other was not asked": {nil, Blocked}} {
		v := newView(&Measurement{App: "alpha"}, &Measurement{}, &Line{Answers: true}, nil)
		v.system[wanted{name, IPv4}] = silent(IPv4)
		if test.other != nil {
			v.system[wanted{name, IPv6}] = test.other
		}
		v.trusted[wanted{name, IPv4}] = []*Observation{trusted}
		c := &Case{view: v, Layer: LayerDNS, Family: IPv4, Name: name, Endpoint: name, T: silent(IPv4)}
		f := judge(dnsRules, c)
		if f.State != test.want || f.Signature != DNSTimeoutSig {
			t.Errorf("%s: %s %s, want %s", what, f.State, f.Signature, test.want)
		}
	}
}

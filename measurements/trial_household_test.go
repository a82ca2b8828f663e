package measurements

import (
	"net/netip"
	"testing"
)

// What a resolver at home says is the household's until somebody beyond the home says it, too; so is what filters for
// households alone answer, wherever they stand.
func TestToldAtHome(t *testing.T) {
	t.Parallel()
	addr := func(a string) []netip.Addr { return []netip.Addr{netip.MustParseAddr(a)} }
	said := func(c Control, failure Failure, d DNS) Observation {
		return Observation{Operation: Resolve, Control: c, Name: chatName, Family: IPv4, Failure: failure, DNS: &d}
	}
	atHome := DNS{Resolver: SystemResolver, Class: "home"}
	behind := DNS{Resolver: SystemResolver, Class: "public", Behind: true}
	other := DNS{Resolver: "tcp://192.0.2.99:53", Class: "public"}
	for what, test := range map[string]struct {
		told Observation
		more []Observation
		want bool
	}{
		"denied at home":                        {said(T, DNSNXDomain, atHome), nil, true},
		"denied by the provider's":              {said(T, DNSNXDomain, DNS{Resolver: SystemResolver, Class: "public"}), nil, false},
		"over TCP too, by the same":             {said(T, DNSNXDomain, atHome), []Observation{said(D, DNSNXDomain, atHome)}, true},
		"by the one behind the stub, too":       {said(T, DNSNXDomain, atHome), []Observation{said(D, DNSNXDomain, behind)}, false},
		"which is a router":                     {said(T, DNSNXDomain, atHome), []Observation{said(D, DNSNXDomain, DNS{Resolver: SystemResolver, Class: "home", Behind: true})}, true},
		"which says otherwise":                  {said(T, DNSNXDomain, atHome), []Observation{said(D, DNSRefused, behind)}, true},
		"by a public one, too":                  {said(T, DNSNXDomain, atHome), []Observation{said(D, DNSNXDomain, other)}, false},
		"of another name":                       {said(T, DNSNXDomain, atHome), []Observation{{Operation: Resolve, Control: D, Name: "other.example", Family: IPv4, Failure: DNSNXDomain, DNS: &other}}, true},
		"silent at home, and elsewhere":         {said(T, Timeout, atHome), []Observation{said(D, Timeout, other)}, true},
		"silent at home, and behind it":         {said(T, Timeout, atHome), []Observation{said(D, Timeout, behind)}, false},
		"leads nowhere":                         {said(T, DNSBogon, DNS{Resolver: SystemResolver, Class: "public", Addresses: addr("0.0.0.0")}), nil, true},
		"leads nowhere, behind a stub":          {said(T, DNSBogon, DNS{Resolver: SystemResolver, Class: "home", Addresses: addr("0.0.0.0")}), []Observation{said(D, DNSBogon, DNS{Resolver: SystemResolver, Class: "public", Behind: true, Addresses: addr("0.0.0.0")})}, true},
		"leads nowhere, for others too":         {said(T, DNSBogon, DNS{Resolver: SystemResolver, Addresses: addr("0.0.0.0")}), []Observation{said(D, DNSBogon, DNS{Resolver: "tcp://192.0.2.99:53", Addresses: addr("0.0.0.0")})}, false},
		"a private address of the provider's":   {said(T, DNSBogon, DNS{Resolver: SystemResolver, Class: "public", Addresses: addr("10.10.34.36")}), nil, false},
		"filtered as its client asked":          {said(T, DNSNXDomain, DNS{Resolver: SystemResolver, Class: "public", Extended: []int{filteredForClient}}), nil, true},
		"blocked by the resolver's own (15)":    {said(T, DNSNXDomain, DNS{Resolver: SystemResolver, Class: "public", Extended: []int{15}}), nil, false},
		"of which nothing is told":              {Observation{Operation: Resolve, Name: chatName, Family: IPv4, Failure: DNSNXDomain}, nil, false},
		"beside a record without an answer":     {said(T, DNSNXDomain, atHome), []Observation{{Operation: Resolve, Control: D, Name: chatName, Family: IPv4, Failure: DNSNXDomain}}, true},
		"another address at home and elsewhere": {said(T, "", DNS{Resolver: SystemResolver, Class: "home", Addresses: addr("192.0.2.10")}), []Observation{said(D, "", DNS{Resolver: "tcp://192.0.2.99:53", Addresses: addr("192.0.2.11")})}, true},
	} {
		m := &Measurement{Observations: append([]Observation{test.told}, test.more...)}
		if got := m.toldAtHome(&m.Observations[0]); got != test.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}

package measurements

import (
	"net/netip"
	"slices"
)

// addressRules come before every layer above DNS: an address that nobody vouches for is nobody's.
var addressRules = []Rule{
	{
		ID:      "address-unproved",
		Says:    "Only the resolver under test knows this address, and it has not proved itself: a forged or a rotated one, who knows.",
		Layers:  []Layer{LayerTCP, LayerTLS, LayerQUIC},
		Source:  "DESIGN section 4, rules 2 and 3; Ramesh et al., CERTainty, 2023",
		Needs:   "control D's addresses for the name, without this one, which has not proved itself",
		Refuses: "that an address is forged because others are given elsewhere: edges rotate",
		Judge: func(c *Case) *Finding {
			if !c.Failed() || c.Origin != FromSystem || !c.view.unproved(hostOf(c), c.Addr()) {
				return nil
			}
			return inconclusive("", "control D gives other addresses for the name, and this one has not proved itself")
		},
	},
}

// hostOf is the name that led to the case's address: its own in TLS and above, the target's in TCP.
func hostOf(c *Case) string {
	for _, h := range c.Target.Hosts {
		if o := c.view.system[wanted{h, c.Family}]; o != nil && o.DNS != nil && contains(o.DNS.Addresses, c.Addr()) {
			return h
		}
	}
	return c.Name
}

// anyAnswers says whether anything answered us at one of the addresses in this round, whoever.
func (v *view) anyAnswers(addrs []netip.Addr) bool {
	for i := range v.m.Observations {
		if o := &v.m.Observations[i]; o.Operation != Resolve && contains(addrs, o.Addr()) && (o.OK() || o.Received > 0) {
			return true
		}
	}
	return false
}

// vouchedFor says whether control D gives this very address: what is served there is then no lie of the resolver.
func (v *view) vouchedFor(name string, a netip.Addr) bool {
	honest, _ := v.answered(name, FamilyOf(a))
	return contains(honest, a)
}

// vouchedInSecret says whether control D gives this very address over a channel that nobody on the path can write to,
// whatever kind of address it is.
func (v *view) vouchedInSecret(name string, a netip.Addr) bool {
	return v.givenByOthers(name, a, "dot", "doh")
}

// givenByOthers says whether another resolver than the one under test gives an address, over one of the transports.
func (v *view) givenByOthers(name string, a netip.Addr, transports ...string) bool {
	return slices.ContainsFunc(v.trusted[wanted{name, FamilyOf(a)}], func(o *Observation) bool {
		return o.DNS != nil && o.DNS.Resolver != SystemResolver && slices.Contains(transports, o.DNS.Transport) && contains(o.DNS.Addresses, a)
	})
}

// nowhere says whether all addresses are unspecified: what a household's filter answers with (Pi-hole,
// AdGuard Home) and no censor that we know of.
func nowhere(in []netip.Addr) bool {
	for _, a := range in {
		if !a.IsUnspecified() {
			return false
		}
	}
	return len(in) > 0
}

func anyNotRoutable(in []netip.Addr) bool {
	for _, a := range in {
		if notRoutable(a) {
			return true
		}
	}
	return false
}

func overlap(a, b []netip.Addr) bool {
	for _, x := range b {
		if contains(a, x) {
			return true
		}
	}
	return false
}

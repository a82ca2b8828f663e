package measurements

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// homeNameRules: what the household itself does with names. They come before all that is said of resolvers
// and filters elsewhere.
var homeNameRules = []Rule{
	{
		ID:         "home-fake-addresses",
		Since:      "2026-11-23.2",
		Says:       "Neutral names lead to addresses for benchmarks as well: a circumvention tool, on this machine or its router, hands them out and carries what goes there elsewhere.",
		Source:     "RFC 2544 (198.18.0.0/15); the fake-IP mode of Clash, sing-box and Surge",
		Signatures: []Signature{LocalTunnel},
		Needs:      "such answers for neutral names of two operators",
		Refuses:    "anything that fails in such a round: it may be the tool's far end",
		Judge: func(c *Case) *Finding {
			if !c.Failed() || !c.view.line.FakeAddresses {
				return nil
			}
			return &Finding{State: Local, Signature: LocalTunnel, Reasons: []string{fakeReason}}
		},
	},
	{
		ID:         "home-hosts-file",
		Since:      "2026-11-23.2",
		Says:       "This machine's own hosts file pins the name: its programs never ask a resolver for it.",
		Layers:     []Layer{LayerDNS},
		Source:     "hosts(5)",
		Signatures: []Signature{LocalDNSFilter},
		Needs:      "an entry for the name in the machine's hosts file",
		Refuses:    "what the resolver says of the name: the layers behind it are judged by the resolver's answer all the same",
		Judge: func(c *Case) *Finding {
			if c.T.DNS == nil || c.T.DNS.Pinned == "" {
				return nil
			}
			return &Finding{State: Local, Signature: LocalDNSFilter, Reasons: []string{"this machine's hosts file pins the name to a " + c.T.DNS.Pinned + " address"}}
		},
	},
	{
		ID:         "home-dns-filter",
		Since:      "2026-11-23.2",
		Says:       "The resolver at home answers with an address that leads nowhere, as the filters of households do.",
		Layers:     []Layer{LayerDNS},
		Source:     "the null blocking of Pi-hole and AdGuard Home; DESIGN section 4, rule 8",
		Signatures: []Signature{LocalDNSFilter},
		Needs:      "a resolver inside the home that answers 0.0.0.0 or ::",
		Refuses:    "any other lie of a resolver at home: it may be passed on",
		Judge: func(c *Case) *Finding {
			if !c.atHome() || !nowhere(c.answers()) {
				return nil
			}
			return &Finding{State: Local, Signature: LocalDNSFilter, Reasons: []string{"the resolver at home answers with an address that leads nowhere, as the filters of households do"}}
		},
	},
	homeFilterOfThisRound,
	{
		ID:         "home-app-filter",
		Since:      "2026-11-26.1",
		Says:       "The home's own router does it: the handshake dies at a hop inside the home, or a clear request is sent to the router's page.",
		Layers:     []Layer{LayerTLS, LayerHTTP},
		Source:     "CenTrace, CoNEXT 2022 (hops); RFC 8375 and RFC 6762 (names of the home)",
		Signatures: []Signature{LocalAppFilter},
		Needs:      "a scan of the last day that finds the hop inside the home, by the same failure, or a redirect to a name that only homes have",
		Refuses:    "redirects to private addresses without such a name: providers' block pages live there too",
		Judge: func(c *Case) *Finding {
			switch {
			case c.Failed() && c.NeutralPassed() && (c.diesAtHome() || c.diedAtHome()):
				return &Finding{State: Local, Signature: LocalAppFilter, Reasons: []string{"the handshake dies at a router inside the home"}}
			case c.Layer == LayerHTTP && c.redirectedAway() && homeName(c.T.HTTP.Location):
				return &Finding{State: Local, Signature: LocalAppFilter, Reasons: []string{"the home's router sends the request to a page of its own"}}
			}
			return nil
		},
	},
}

const fakeReason = "neutral names lead to addresses for benchmarks, too: a circumvention tool carries this household's traffic elsewhere"

// fakeSpace is where such tools take addresses from: 198.18.0.0/15 (RFC 2544), and of IPv6 the unique local
// ones (RFC 4193).
var fakeSpace = []netip.Prefix{benchmarking, netip.MustParsePrefix("fc00::/7")}

// FakeAddresses says whether the gate's neutral names of two operators lead to such addresses alone.
func FakeAddresses(gate *Measurement) bool {
	operators, _ := operatorsOf(gate, anywhere)
	seen := map[string]bool{}
	for i := range gate.Observations {
		o := &gate.Observations[i]
		if o.Operation == Resolve && o.Control == T && o.Failure == DNSBogon && o.DNS != nil && allFake(o.DNS.Addresses) && operators[o.Target] != "" {
			seen[operators[o.Target]] = true
		}
	}
	return len(seen) >= minOperators
}

func allFake(addrs []netip.Addr) bool {
	for _, a := range addrs {
		if !fakeSpace[0].Contains(a.Unmap()) && !fakeSpace[1].Contains(a) {
			return false
		}
	}
	return len(addrs) > 0
}

// diesAtHome says whether a scan of this round found the hop at which the target's handshake dies, and it is
// the home's.
func (c *Case) diesAtHome() bool {
	for i := range c.view.m.Hops {
		if h := &c.view.m.Hops[i]; h.Target == c.Target.ID && h.Family == c.Family && h.Endpoint == c.Endpoint && c.Layer == LayerTLS {
			return h.Scope() == ScopeHome
		}
	}
	return false
}

// diedAtHome says whether a scan of the last day, on this network, found that the target's handshakes die inside the
// home as this one did, and none of this round says otherwise: a place is scanned once a day.
func (c *Case) diedAtHome() bool {
	if c.Layer != LayerTLS || c.view.history == nil || slices.ContainsFunc(c.view.m.Hops, func(h HopScan) bool { return h.Target == c.Target.ID && h.Family == c.Family }) {
		return false
	}
	r := c.view.history.places[placeKey{c.view.m.App, c.Target.ID, LayerTLS, c.Family}]
	return r != nil && r.HomeKind != "" && r.HomeKind == c.Kind() && c.view.history.at.Sub(r.AtHome) < homeScanStands
}

// homeNames are names that lead into the home alone: home.arpa (RFC 8375), local (RFC 6762), what common
// routers use for the home, and what they call themselves, by their makers' manuals.
var homeNames = []string{
	"home.arpa", "local", "lan", "home", "internal", "localdomain",
	"fritz.box", "router.asus.com", "asusrouter.com", "tplinkwifi.net", "tplinklogin.net", "routerlogin.net", "my.keenetic.net", "miwifi.com", "speedport.ip",
}

// HomeNames are the endings of names that lead into a home alone, in lower case.
func HomeNames() []string { return slices.Clone(homeNames) }

func homeName(location string) bool {
	u, err := url.Parse(location)
	if err != nil {
		return false
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	for _, name := range homeNames {
		if host == name || strings.HasSuffix(host, "."+name) {
			return true
		}
	}
	return false
}

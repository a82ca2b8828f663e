package probe

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
)

// A family leads somewhere if the whole internet is behind it, or what the configuration names is.
func TestFamilies(t *testing.T) {
	t.Parallel()
	const own4, own6, ula = "203.0.113.5", "2001:db8:3::5", "fd00::53"
	control := func(a string) []Control {
		return []Control{{Host: site, Addresses: []netip.Addr{netip.MustParseAddr(a)}}}
	}
	target := func(a string) []App {
		return []App{{Targets: []Target{{ID: "web"}, {ID: "chat", Addresses: []netip.Addr{netip.MustParseAddr(a)}}}}}
	}
	for _, c := range []struct {
		name   string
		routes []string // the addresses to which there is a route
		plan   *Plan
		want   []measurements.Family
	}{
		{"no route at all", nil, &Plan{Controls: control(own4), System: []Resolver{{URL: "udp://" + own4 + ":53"}}}, nil},
		{"a way out", []string{nobody4.String()}, &Plan{}, []measurements.Family{measurements.IPv4}},
		{"to a control", []string{own6}, &Plan{Controls: control(own6)}, []measurements.Family{measurements.IPv6}},
		{"to a target", []string{own4}, &Plan{Apps: target(own4)}, []measurements.Family{measurements.IPv4}},
		{"to a target on this machine", []string{"127.0.0.5"}, &Plan{Apps: target("127.0.0.5")}, []measurements.Family{measurements.IPv4}},
		{"to the resolver under test", []string{own4}, &Plan{System: []Resolver{{URL: "udp://" + own4 + ":53"}}}, []measurements.Family{measurements.IPv4}},
		{"to a trusted resolver's pinned address", []string{own6}, &Plan{Trusted: []Resolver{{URL: "https://dns.example/", Addresses: []netip.Addr{netip.MustParseAddr(own6)}}}}, []measurements.Family{measurements.IPv6}},
		{"a router's unique local address is no IPv6", []string{ula}, &Plan{System: []Resolver{{URL: "udp://[" + ula + "]:53"}}}, nil},
		{"a resolver by name alone", []string{own4}, &Plan{Trusted: []Resolver{{URL: "https://dns.example/"}}}, nil},
	} {
		p := c.plan
		p.Families = []measurements.Family{measurements.IPv4, measurements.IPv6}
		p.Host.Routable = func(a netip.Addr) bool { return slices.Contains(c.routes, a.String()) }
		routed, unrouted := p.families()
		if !slices.Equal(routed, c.want) || len(routed)+len(unrouted) != 2 {
			t.Errorf("%s: %v, and not %v; want %v", c.name, routed, unrouted, c.want)
		}
	}
}

// Of private and local addresses a resolver may give those that the configuration names, of whatever range;
// any other is no answer.
func TestAnswerThatTheConfigurationNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer []string
		named  string // pinned for the site, as a target's name
		want   measurements.Failure
	}{
		{"a private address", []string{"10.10.34.35"}, "10.10.34.35", ""},
		{"this machine's own", []string{"127.0.0.5"}, "127.0.0.5", ""},
		{"another private address", []string{"10.10.34.36"}, "10.10.34.35", measurements.DNSBogon},
		{"another beside it", []string{"10.10.34.35", "192.168.1.1"}, "10.10.34.35", measurements.DNSBogon},
		{"none is named", []string{"127.0.0.1"}, public, measurements.DNSBogon},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var records []string
			for _, a := range c.answer {
				records = append(records, aRecord(a))
			}
			at := serveUDP(t, func(b []byte) [][]byte { return [][]byte{packed(reply(b, 0, records...))} })
			p := Plan{Host: there, Timeout: 4 * brief, Apps: []App{{Targets: []Target{{ID: "web", Hosts: []string{site}, Addresses: []netip.Addr{netip.MustParseAddr(c.named)}}}}}}
			o := p.resolve(within(t, patient), Resolver{URL: "udp://" + at.String()}, site, measurements.IPv4)
			wantFailure(t, o, c.want)
			wantAddresses(t, o, c.answer...)
			if o.OK() != (o.Error == "") {
				t.Errorf("failure %q and error %q", o.Failure, o.Error)
			}
		})
	}
}

// One resolver's word alone leads nobody into his own network.
func TestVouched(t *testing.T) {
	t.Parallel()
	given := []netip.Addr{netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("198.18.0.5"), netip.MustParseAddr("fd00::5")}
	for _, c := range []struct {
		name      string
		transport string
		failure   measurements.Failure
		trusted   []netip.Addr
		want      int
	}{
		{"the same", "doh", measurements.DNSBogon, given, 2}, // neither this machine nor addresses for benchmarks
		{"over TCP", "tcp", measurements.DNSBogon, given, 2},
		{"over UDP, where one forger answers for both", "udp", measurements.DNSBogon, given, 0},
		{"another", "doh", measurements.DNSBogon, []netip.Addr{netip.MustParseAddr("10.0.0.6")}, 0},
		{"denied", "doh", measurements.DNSNXDomain, nil, 0},
		{"a public one", "doh", "", []netip.Addr{netip.MustParseAddr(public)}, 0},
	} {
		o := measurements.Observation{Failure: c.failure, DNS: &measurements.DNS{Transport: c.transport, Addresses: c.trusted}}
		if got := vouched(o, given); len(got) != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

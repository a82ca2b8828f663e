package netlab_test

import (
	"crypto/tls"
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
)

// Trusted resolvers answer over all four transports at their real addresses, under certificates
// that verify by name and by address, and say who they are.
func TestTrustedResolvers(t *testing.T) {
	inWorld(t, options(), func(c *client) {
		want := texts(c.world.Addresses("web.alpha.org")[:2])
		for at, test := range map[string]struct{ name, doh, identity string }{
			"149.112.112.112": {"dns.epsilon.net", "https://dns.epsilon.net/dns-query", "dns.epsilon.net at 149.112.112.112"},
			"185.222.222.222": {"185.222.222.222", "https://185.222.222.222/dns-query", "185.222.222.222"},
		} {
			place := netip.MustParseAddr(at)
			for _, network := range []string{"udp", "tcp"} {
				reply, err := c.resolve(network, netip.AddrPortFrom(place, 53), "web.alpha.org", dns.TypeA)
				if err != nil || answers(reply) != want {
					c.t.Errorf("%s at %s: %v, %v", network, at, reply, err)
				}
			}
			conn, err := c.tls(netip.AddrPortFrom(place, 853), &tls.Config{ServerName: test.name})
			if err != nil {
				c.t.Errorf("DoT at %s: %v", at, err)
				continue
			}
			reply, err := ask(conn, "tcp", question("web.alpha.org", dns.TypeA))
			if err != nil || answers(reply) != want {
				c.t.Errorf("DoT at %s: %v, %v", at, reply, err)
			}
			conn.Close()
			reply, err = c.overHTTPS(place, test.doh, question("version.bind", dns.TypeTXT))
			if err != nil || answers(reply) != test.identity {
				c.t.Errorf("DoH at %s: %v, %v, want %q", at, reply, err, test.identity)
			}
		}
		if got := texts(c.world.Addresses("dns.epsilon.net")); got != "149.112.112.112" {
			c.t.Errorf("the resolver's own name leads to %q", got)
		}
	})
}

// DoH takes GET too, and refuses what is no query.
func TestOverHTTPSGet(t *testing.T) {
	inWorld(t, options(), func(c *client) {
		at := netip.MustParseAddr("149.112.112.112")
		// id 0, RD, one question: example.com A (RFC 8484 section 4.1.1 has its like).
		got, err := c.get(at, "https://dns.epsilon.net/dns-query?dns=AAABAAABAAAAAAAAB2V4YW1wbGUDY29tAAABAAE")
		reply := new(dns.Msg)
		if err != nil || reply.Unpack(got.body) != nil || answers(reply) != texts(c.world.Addresses("example.com")[:2]) {
			c.t.Errorf("GET: %+v, %v", got, err)
		}
		if got, err := c.get(at, "https://dns.epsilon.net/dns-query?dns=AAAB"); err != nil || got.status != 400 {
			c.t.Errorf("garbage: %d, %v", got.status, err)
		}
	})
}

// The home router is what the vantage is configured with: it forwards, calls itself by its own
// name, and may filter.
func TestHomeRouter(t *testing.T) {
	o := options()
	o.HomeRouter = true
	o.Faults = []netlab.Fault{{Kind: netlab.FaultDNSFilter, Host: "t.alpha.org"}}
	inWorld(t, o, func(c *client) {
		resolvers, _ := c.host.SystemResolvers()
		if len(resolvers) != 1 || resolvers[0].String() != "192.168.1.1:53" {
			c.t.Fatalf("system resolvers: %v", resolvers)
		}
		for _, network := range []string{"udp", "tcp"} {
			for name, want := range map[string]string{
				"web.alpha.org": texts(c.world.Addresses("web.alpha.org")[:2]),
				"t.alpha.org":   "0.0.0.0",
			} {
				reply, err := c.resolve(network, resolvers[0], name, dns.TypeA)
				if err != nil || answers(reply) != want {
					c.t.Errorf("%s over %s: %v, %v, want %q", name, network, reply, err, want)
				}
			}
		}
		reply, err := c.resolve("udp", resolvers[0], "version.bind", dns.TypeTXT)
		if err != nil || answers(reply) != "dnsmasq-2.90" {
			c.t.Errorf("identity: %v, %v", reply, err)
		}
	})
}

// A resolver that the configuration names without an address gets one.
func TestTrustedByNameAlone(t *testing.T) {
	o := netlab.Options{Trusted: []probe.Resolver{{URL: "tls://dot.zeta.net:8853"}}}
	inWorld(t, o, func(c *client) {
		at := c.world.Addresses("dot.zeta.net")
		if len(at) != 3 {
			c.t.Fatalf("addresses: %v", at)
		}
		conn, err := c.tls(netip.AddrPortFrom(at[2], 8853), &tls.Config{ServerName: "dot.zeta.net"})
		if err != nil {
			c.t.Fatal(err)
		}
		conn.Close()
	})
}

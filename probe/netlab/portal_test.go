package netlab_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/probe/netlab"
)

// Block pages answer for every name, and nobody trusts their certificates.
func TestBlockPages(t *testing.T) {
	inWorld(t, options(), func(c *client) {
		for at, want := range map[string]string{
			"198.51.100.99": "<title>Access to this site is restricted</title>",
			"10.10.34.34":   `<iframe src="http://10.10.34.34`,
		} {
			got, err := c.get(netip.MustParseAddr(at), "http://t.alpha.org/anything")
			if err != nil || got.status != 403 || !strings.Contains(string(got.body), want) {
				c.t.Errorf("%s: %d %s, %v", at, got.status, got.body, err)
			}
		}
		at := netip.MustParseAddr("198.51.100.99")
		conn, err := c.tls(netip.AddrPortFrom(at, 443), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			c.t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.ConnectionState().PeerCertificates[0].Verify(x509.VerifyOptions{Roots: c.host.Roots}); err == nil {
			c.t.Error("its chain leads to a trusted root")
		}
	})
}

// A captive portal sends clear requests to its login, and TLS to its own certificate; after the
// login all is well.
func TestCaptivePortal(t *testing.T) {
	inWorld(t, options(), func(c *client) {
		resolvers, _ := c.host.SystemResolvers()
		web, clear := c.world.Addresses("web.alpha.org")[0], c.world.Addresses("t.alpha.org")[0]
		c.world.CaptivePortal(true)
		got, err := c.get(clear, "http://t.alpha.org/")
		if err != nil || got.status != 302 || got.header.Get("Location") != netlab.PortalLogin {
			c.t.Errorf("clear: %d %v, %v", got.status, got.header, err)
		}
		if _, err := c.get(web, "https://web.alpha.org/"); err == nil || !strings.Contains(err.Error(), "unknown authority") {
			c.t.Errorf("TLS: %v", err)
		}
		reply, err := c.resolve("udp", resolvers[0], "web.alpha.org", dns.TypeA)
		if err != nil || answers(reply) != "192.168.8.1" {
			c.t.Errorf("DNS: %v, %v", reply, err)
		}
		if err := c.isSilent(netip.AddrPortFrom(c.world.Addresses("g.beta.net")[0], 5222)); err == nil {
			c.t.Error("a chat passes")
		}

		c.world.Network().SetRules()
		if got, err := c.get(web, "https://web.alpha.org/"); err != nil || got.status != 200 {
			c.t.Errorf("after the login: %d, %v", got.status, err)
		}
		if got, err := c.get(clear, "http://t.alpha.org/"); err != nil || got.status != 200 {
			c.t.Errorf("after the login, clear: %d, %v", got.status, err)
		}
	})
}

package netlab_test

import (
	"testing"

	"github.com/miekg/dns"
)

// Honest DNS: addresses of both families, aliases, names between, and names that are not there.
func TestAuthority(t *testing.T) {
	inWorld(t, options(), func(c *client) {
		resolvers, err := c.host.SystemResolvers()
		if err != nil || len(resolvers) != 1 {
			c.t.Fatalf("system resolvers: %v, %v", resolvers, err)
		}
		web, media := c.world.Addresses("web.alpha.org"), c.world.Addresses("media.alphacdn.net")
		for _, test := range []struct {
			name  string
			kind  uint16
			rcode int
			want  string
		}{
			{"web.alpha.org", dns.TypeA, dns.RcodeSuccess, texts(web[:2])},
			{"WEB.Alpha.org", dns.TypeAAAA, dns.RcodeSuccess, texts(web[2:])},
			{"media.alphacdn.net", dns.TypeA, dns.RcodeSuccess, "→ media.c10r.alphacdn.net. " + texts(media[:2])},
			{"www.alpha-parent.com", dns.TypeA, dns.RcodeSuccess, texts(web[:2])},
			{"alpha.org", dns.TypeA, dns.RcodeSuccess, ""},
			{"web.alpha.org", dns.TypeMX, dns.RcodeSuccess, ""},
			{"example.com", dns.TypeA, dns.RcodeSuccess, texts(c.world.Addresses("example.com")[:2])},
			{"x7f3.example.com", dns.TypeA, dns.RcodeNameError, ""},
		} {
			for _, network := range []string{"udp", "tcp"} {
				reply, err := c.resolve(network, resolvers[0], test.name, test.kind)
				if err != nil {
					c.t.Errorf("%s over %s: %v", test.name, network, err)
					continue
				}
				if reply.Rcode != test.rcode || answers(reply) != test.want {
					c.t.Errorf("%s over %s: %s %q, want %q", test.name, network, dns.RcodeToString[reply.Rcode], answers(reply), test.want)
				}
			}
		}
	})
}

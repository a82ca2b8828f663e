package probe

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/measurements"
)

// at is a connection from an address that the test's machine does not have.
type at struct {
	net.Conn
	local *net.UDPAddr
}

func (c at) LocalAddr() net.Addr { return c.local }

// A resolver with a public address of our own link is the home's: what it denies may be the household's wish.
func TestResolverOnOurLinkIsTheHomes(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct{ ours, resolver, want string }{
		"the router's own address":     {"2001:db8:77::2", "2001:db8:77::1", "home"},
		"that of another link":         {"2001:db8:77::2", "2001:db8:78::1", "public"},
		"that of another link of ours": {"2001:db8:77:1::2", "2001:db8:77:2::1", "public"},
		"a neighbour's of IPv4":        {"192.0.2.77", "192.0.2.53", "public"},
		"a unique local one":           {"2001:db8:77::2", "fd00::1", "home"},
		"a mapped one":                 {"::ffff:192.0.2.77", "::ffff:192.0.2.53", "public"},
	} {
		socket, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := &dns.Server{PacketConn: socket, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
			_ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeNameError)) // a client that has gone away is the test's failure
		})}
		go func() { _ = server.ActivateAndServe() }() // ends with the socket
		h := Host{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "udp", socket.LocalAddr().String())
			return at{conn, net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(test.ours), 5000))}, err
		}}
		resolver := netip.AddrPortFrom(netip.MustParseAddr(test.resolver), 53)
		o := h.Resolve(within(t, patient), Resolver{URL: "udp://" + resolver.String()}, site, measurements.IPv4)
		if o.Failure != measurements.DNSNXDomain || o.DNS.Class != test.want {
			t.Errorf("%s: %s, class %q", what, o.Failure, o.DNS.Class)
		}
		_ = socket.Close()
	}
	n := Network{IPv6: Way{Local: netip.MustParseAddr("2001:db8:77::2")}, Resolvers: []netip.Addr{netip.MustParseAddr("2001:db8:77::1"), netip.MustParseAddr("2001:db8:78::1")}}
	if near := n.own().Near; len(near) != 1 || near[0] != n.Resolvers[0] {
		t.Errorf("near are %v", near)
	}
}

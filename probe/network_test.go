package probe

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
)

// atHome is a household's network, as a machine in it sees it.
func atHome() Network {
	return Network{
		IPv4: Way{Interface: "wlan0", Kind: Link, Access: measurements.AccessWiFi, Gateway: netip.MustParseAddr("192.168.1.1"),
			GatewayMAC: net.HardwareAddr{2, 0, 0x5e, 0, 0, 1}, Local: netip.MustParseAddr("192.168.1.23")},
		IPv6: Way{Interface: "wlan0", Kind: Link, Gateway: netip.MustParseAddr("fe80::1%wlan0"),
			Local: netip.MustParseAddr("2001:db8:1:1::5c3f")},
		Resolvers: []netip.Addr{netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("192.0.2.53")},
	}
}

var homeKey = []byte("a key of thirty-two bytes, or so")

// The same network has the same epoch, whatever address we have in it; another one has another.
func TestEpoch(t *testing.T) {
	t.Parallel()
	home := atHome().Epoch(homeKey)
	if len(home) != 16 || strings.Trim(home, "0123456789abcdef") != "" {
		t.Fatalf("epoch %q", home)
	}
	for _, test := range []struct {
		name string
		make func(*Network)
		same bool
	}{
		{"our own addresses", func(n *Network) {
			n.IPv4.Local, n.IPv6.Local = netip.MustParseAddr("192.168.1.99"), netip.MustParseAddr("2001:db8:7:7::1")
		}, true},
		{"the cable instead of the air", func(n *Network) { n.IPv4.Interface, n.IPv6.Interface = "eth0", "eth0" }, true},
		{"resolvers in another order, one twice", func(n *Network) { slices.Reverse(n.Resolvers); n.Resolvers = append(n.Resolvers, n.Resolvers[0]) }, true},
		{"no router advertisement yet", func(n *Network) { n.IPv6 = Way{} }, true},
		{"a resolver of IPv6", func(n *Network) { n.Resolvers = append(n.Resolvers, netip.MustParseAddr("2001:db8:1::1")) }, true},
		{"another router at the same address", func(n *Network) { n.IPv4.GatewayMAC = net.HardwareAddr{2, 0, 0x5e, 0, 0, 2} }, false},
		{"another gateway", func(n *Network) { n.IPv4.Gateway = netip.MustParseAddr("10.0.0.1") }, false},
		{"another resolver", func(n *Network) { n.Resolvers = n.Resolvers[:1] }, false},
		{"a tunnel", func(n *Network) { n.IPv4 = Way{Interface: "wg0", Kind: Tunnel} }, false},
		{"a tunnel for IPv6 alone", func(n *Network) { n.IPv6 = Way{Interface: "sit1", Kind: Tunnel} }, false},
		{"a modem", func(n *Network) { n.IPv4.Kind = Mobile }, false},
	} {
		n := atHome()
		test.make(&n)
		if got := n.Epoch(homeKey) == home; got != test.same {
			t.Errorf("%s: the epoch is the same: %v", test.name, got)
		}
		if got := n.Same(atHome()); got != test.same {
			t.Errorf("%s: the network is the same: %v", test.name, got)
		}
	}
	if other := atHome().Epoch(NewEpochKey()); other == home {
		t.Error("another key, the same epoch")
	}
	if (Network{Resolvers: atHome().Resolvers}).Epoch(homeKey) != "" || atHome().Epoch(nil) != "" {
		t.Error("an epoch of no network, or of no key")
	}
}

// A network of IPv6 alone keeps its epoch when the provider changes the prefix, the router's own resolver
// within it included.
func TestEpochOfIPv6Alone(t *testing.T) {
	t.Parallel()
	with := func(local string, resolvers ...string) string {
		n := Network{IPv6: Way{Interface: "eth0", Kind: Link, Gateway: netip.MustParseAddr("fe80::1"), Local: netip.MustParseAddr(local)}}
		for _, r := range resolvers {
			n.Resolvers = append(n.Resolvers, netip.MustParseAddr(r))
		}
		return n.Epoch(homeKey)
	}
	a := with("2001:db8:1:1::5", "2001:db8:1:1::1", "2001:db8:f::53", "fe80::1%eth0")
	if b := with("2001:db8:2:1::9", "2001:db8:2:1::1", "2001:db8:f::53", "fe80::1%wlan0"); a != b {
		t.Error("another prefix is another epoch")
	}
	if b := with("2001:db8:2:1::9", "2001:db8:2:1::1", "2001:db8:e::53", "fe80::1"); a == b {
		t.Error("another provider's resolver is the same epoch")
	}
}

// A MAC that is not known yet is no other network, and the round has the epoch of the one that is known.
func TestVantageOfARound(t *testing.T) {
	t.Parallel()
	noMAC, tunnel, work := atHome(), atHome(), atHome()
	noMAC.IPv4.GatewayMAC = nil
	tunnel.IPv4 = Way{Interface: "tun0", Kind: Tunnel}
	work.IPv4.Gateway = netip.MustParseAddr("10.0.0.1")
	plugged := atHome()
	plugged.IPv4.Interface, plugged.IPv4.Access = "eth0", measurements.AccessWired
	p := &Plan{EpochKey: homeKey, Vantage: measurements.Vantage{Country: "NL", ASN: 64496, Label: "attic"}}
	for _, test := range []struct {
		name          string
		before, after Network
		want          measurements.Vantage
	}{
		{"at home", atHome(), atHome(), measurements.Vantage{Country: "NL", ASN: 64496, Label: "attic", Epoch: atHome().Epoch(homeKey), Access: measurements.AccessWiFi}},
		{"the MAC came later", noMAC, atHome(), measurements.Vantage{Country: "NL", ASN: 64496, Label: "attic", Epoch: atHome().Epoch(homeKey), Access: measurements.AccessWiFi}},
		{"the MAC was forgotten", atHome(), noMAC, measurements.Vantage{Country: "NL", ASN: 64496, Label: "attic", Epoch: atHome().Epoch(homeKey), Access: measurements.AccessWiFi}},
		{"moved", atHome(), work, measurements.Vantage{Country: "NL", ASN: 64496, Label: "attic", Epoch: atHome().Epoch(homeKey), Access: measurements.AccessWiFi, Moved: true}},
		{"went offline", atHome(), Network{}, measurements.Vantage{Country: "NL", ASN: 64496, Label: "attic", Epoch: atHome().Epoch(homeKey), Access: measurements.AccessWiFi, Moved: true}},
		{"a cable was plugged in", atHome(), plugged, measurements.Vantage{Country: "NL", ASN: 64496, Label: "attic", Epoch: atHome().Epoch(homeKey)}},
		{"offline", Network{}, Network{}, measurements.Vantage{Country: "NL", ASN: 64496, Label: "attic"}},
		{"through a tunnel", tunnel, tunnel, measurements.Vantage{Epoch: tunnel.Epoch(homeKey), Tunnel: true, Access: measurements.AccessTunnel}},
		{"into a tunnel", atHome(), tunnel, measurements.Vantage{Epoch: atHome().Epoch(homeKey), Tunnel: true, Moved: true, Access: measurements.AccessTunnel}},
	} {
		if got := p.vantage(test.before, test.after, &measurements.Measurement{}); got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
}

// The real platform is read, and nothing is sent: a machine with a route knows the interface, and one
// without knows that.
func TestNetworkOfThisMachine(t *testing.T) {
	t.Parallel()
	h := Host{}
	n := h.NetworkNow()
	for to, w := range map[netip.Addr]Way{abroad4: n.IPv4, nobody6: n.IPv6} {
		if h.IsRoutable(to) != w.exists() {
			t.Errorf("%s: routable %v, way %+v", to, h.IsRoutable(to), w)
		}
		if w.exists() && (w.Kind == "" || !w.Local.IsValid()) {
			t.Errorf("%s: %+v", to, w)
		}
	}
	if !n.Same(h.NetworkNow()) {
		t.Error("this machine moved while it was looked at")
	}
}

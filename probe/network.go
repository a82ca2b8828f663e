package probe

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/telltale-probe/telltale/measurements"
)

// Network is what the platform knows of the network that this machine is on. Reading it sends nothing.
// The zero value is a machine without a route: offline, or not known.
//
// It is all that one machine can see. A VPN on the router, or on the host of a container or a virtual
// machine, looks like any line; so does one that is a policy of IPsec, without an interface of its own,
// or that speaks PPP as DSL and mobile modems do too. Two networks with one kind of router may look
// alike where the gateway's MAC is not known.
type Network struct {
	IPv4, IPv6 Way
	// Resolvers are those that programs use, or those behind a stub that says which.
	Resolvers []netip.Addr
}

// Way is how packets of one family leave for a public address. The zero value is a family without a route.
type Way struct {
	Interface string
	Kind      Kind
	// Access is told to readers, and names no network: a cable to the same router leads to the same one.
	Access measurements.Access
	// Gateway is the next hop of the default route; invalid where it has none, or where it is not known.
	Gateway netip.Addr
	// GatewayMAC is as the table of neighbours has it; nil until something was sent there lately.
	GatewayMAC net.HardwareAddr
	// Local is our own address, and never part of a network's name.
	Local netip.Addr
}

// Kind is what an interface is for.
type Kind string

// The kinds. Only a Link has a gateway that tells networks apart: the others' addresses are dealt out
// anew with each session.
const (
	Link   Kind = "link"   // Ethernet, Wi-Fi, and all that looks like them
	PPP    Kind = "ppp"    // DSL and modems, as a rule; old VPNs too, which can't be told
	Mobile Kind = "mobile" // a modem that is a network interface
	Tunnel Kind = "tunnel" // packets inside packets: a VPN
)

func (w Way) exists() bool { return w.Interface != "" }

// Offline says whether there is no way for either family.
func (n Network) Offline() bool { return !n.IPv4.exists() && !n.IPv6.exists() }

// Tunnel says whether public addresses of either family are reached through a tunnel: what is measured is
// then another place than this one (DESIGN section 4, local.tunnel). A tunnel for some addresses alone,
// as to a company's own, is none.
func (n Network) Tunnel() bool { return n.IPv4.Kind == Tunnel || n.IPv6.Kind == Tunnel }

// Access is that of the way that names the network.
func (n Network) Access() measurements.Access {
	if n.Tunnel() {
		return measurements.AccessTunnel
	}
	return n.first().Access
}

// first is the way that names the network: IPv6 comes and goes with router advertisements.
func (n Network) first() Way {
	if n.IPv4.exists() {
		return n.IPv4
	}
	return n.IPv6
}

// Epoch names the network: 16 hexadecimal digits, the same again on the same network, "" offline or
// without a key. It is made of the kind of the interface, the gateway, the resolvers, and of which
// families go through a tunnel; never of our own address, which DHCP, privacy extensions (RFC 8981) and
// providers change. Another exit of the same VPN is not told apart.
//
// It is an HMAC under a key of this installation, which never leaves it: all that goes in comes from
// small sets (some hundred usual addresses of gateways, 2^24 MACs of a maker), and a plain hash could be
// searched through, and would tie two volunteers' records to one router.
func (n Network) Epoch(key []byte) string {
	if n.Offline() || len(key) == 0 {
		return ""
	}
	mac := hmac.New(sha256.New, key)
	w := n.first()
	_, _ = fmt.Fprintf(mac, "telltale network 1\n%s\n%s %s\n", n.shape(), w.gateway(), w.mac())
	for _, r := range n.resolvers() {
		_, _ = fmt.Fprintln(mac, r)
	}
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// NewEpochKey makes a key for Epoch.
func NewEpochKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails (crypto/rand, since Go 1.24)
	return key
}

// Same says whether two readings are of one network. A MAC that one of them does not know says nothing.
func (n Network) Same(o Network) bool {
	a, b := n.first(), o.first()
	return n.shape() == o.shape() && a.gateway() == b.gateway() && slices.Equal(n.resolvers(), o.resolvers()) &&
		(a.mac() == b.mac() || a.mac() == "" || b.mac() == "")
}

// shape is the kind of the first way, and which families go through a tunnel. A tunnel's interface is
// part of it, without the number: each exit has its own in many programs, and numbers are dealt out anew.
func (n Network) shape() string {
	if n.Offline() {
		return ""
	}
	s := "first " + string(n.first().Kind)
	for _, w := range []Way{n.IPv4, n.IPv6} {
		if w.Kind == Tunnel {
			s += " tunnel " + strings.TrimRight(w.Interface, "0123456789")
		}
	}
	return s
}

func (w Way) gateway() string {
	if w.Kind != Link || !w.Gateway.IsValid() {
		return ""
	}
	return w.Gateway.WithZone("").String()
}

func (w Way) mac() string {
	if w.Kind != Link {
		return ""
	}
	return w.GatewayMAC.String()
}

// homePrefix is the most that a home is given (RFC 6177): a resolver in it is the home's own router, and
// its address changes with the provider's mood.
const homePrefix = 48

// resolvers are those that name the network, sorted. IPv6 ones count only where there is no IPv4: they
// come and go with router advertisements.
func (n Network) resolvers() []string {
	var out []string
	for _, r := range n.Resolvers {
		r = r.Unmap().WithZone("")
		if r.Is6() && n.IPv4.exists() {
			continue
		}
		if home, err := n.IPv6.Local.WithZone("").Prefix(homePrefix); r.Is6() && err == nil && !r.IsLinkLocalUnicast() && home.Contains(r) {
			continue
		}
		out = append(out, r.String())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

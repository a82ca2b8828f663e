package probe

import (
	"net"
	"net/netip"

	"github.com/telltale-probe/telltale/measurements"
)

// abroad4 is nobody's address as well (RFC 5737), of another range than nobody4: that one is what labs
// number their own links with, and would not be reached by the default route there.
var abroad4 = netip.MustParseAddr("203.0.113.1")

// NetworkNow reads the network. What can't be read is left out; nothing is sent.
func (h Host) NetworkNow() Network {
	if h.Network != nil {
		return h.Network()
	}
	if h.Dial != nil {
		return Network{} // another internet, which does not say
	}
	n := Network{IPv4: wayTo(abroad4), IPv6: wayTo(nobody6)}
	resolvers, err := h.ResolversBehindStub()
	if err != nil || len(resolvers) == 0 {
		resolvers, _ = h.ResolversOfSystem()
	}
	for _, r := range resolvers {
		n.Resolvers = append(n.Resolvers, r.Addresses...)
	}
	return n
}

// wayTo asks the kernel how it would reach an address: a UDP socket that is connected, and never sent
// from, has the local address of the way that packets would take. That heeds a default route split in
// two halves (OpenVPN) and rules of policy routing (WireGuard), which route tables read by hand do not,
// and is the same on every platform.
func wayTo(to netip.Addr) Way {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, discard)))
	if err != nil {
		return Way{}
	}
	defer func() { _ = conn.Close() }()
	local := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	i := interfaceWith(local)
	if i == nil {
		return Way{}
	}
	w := Way{Interface: i.Name, Kind: kindOf(i), Local: local}
	switch w.Kind {
	case Link:
		w.Access = accessOf(i)
		w.Gateway, w.GatewayMAC = gatewayOf(i, local.Is6())
	case Mobile:
		w.Access = measurements.AccessMobile
	case Tunnel:
		w.Access = measurements.AccessTunnel
	case PPP: // a telephone line as well as a modem's
	}
	return w
}

// interfaceWith gives the interface that has an address; nil where none has it any more.
func interfaceWith(a netip.Addr) *net.Interface {
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for i := range all {
		addrs, err := all[i].Addrs()
		if err != nil {
			continue
		}
		for _, at := range addrs {
			if p, ok := at.(*net.IPNet); ok {
				if own, ok := netip.AddrFromSlice(p.IP); ok && own.Unmap() == a.WithZone("") {
					return &all[i]
				}
			}
		}
	}
	return nil
}

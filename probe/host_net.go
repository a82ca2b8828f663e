package probe

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"github.com/telltale-probe/telltale/measurements"
)

// Addresses that are nobody's, to ask the kernel for a route with: 192.0.2.0/24 and 2001:db8::/32
// are for documentation (RFC 5737; RFC 3849).
var (
	nobody4 = netip.MustParseAddr("192.0.2.1")
	nobody6 = netip.MustParseAddr("2001:db8::1")
)

// discard is the port of sockets that are never sent from (RFC 863).
const discard = 9

// dial opens a socket through the host's door. It fails as net.Dialer does; the caller closes.
func (h Host) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if h.Dial != nil {
		return h.Dial(ctx, network, address)
	}
	// Keep-alives would be traffic that no observation counts; no connection of ours lives long
	// enough to need them.
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: false}, KeepAlive: -1}
	if strings.HasPrefix(network, "tcp") {
		return dialHearing(ctx, d, network, address)
	}
	return d.DialContext(ctx, network, address)
}

// open is dial for an endpoint, with a recording. transport is "tcp" or "udp".
func (h Host) open(ctx context.Context, transport string, ep netip.AddrPort) (*Conn, error) {
	ep = netip.AddrPortFrom(ep.Addr().Unmap(), ep.Port())
	network := transport + "6"
	if ep.Addr().Is4() {
		network = transport + "4"
	}
	inner, err := h.dial(ctx, network, ep.String())
	if err != nil {
		return nil, err
	}
	return record(inner, ep, transport == "udp"), nil
}

// IsRoutable says whether this machine has a route to an address. Asking sends nothing: connecting a UDP
// socket only looks the route up. An address that is not valid has none.
func (h Host) IsRoutable(to netip.Addr) bool {
	if to = to.Unmap(); !to.IsValid() {
		return false
	}
	if h.Routable != nil {
		return h.Routable(to)
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, discard)))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// LeadsOut says whether this machine has a route for a family as such: to an address that is nobody's.
func (h Host) LeadsOut(f measurements.Family) bool {
	if f == measurements.IPv6 {
		return h.IsRoutable(nobody6)
	}
	return h.IsRoutable(nobody4)
}

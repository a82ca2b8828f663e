package probe

import (
	"context"
	"net"
	"net/netip"
	"strings"
)

// Addresses that are nobody's, to ask the kernel for a route with. 192.0.2.0/24 and 2001:db8::/32
// are for documentation (RFC 5737; RFC 3849); port 9 is discard (RFC 863).
const (
	nobody4 = "192.0.2.1:9"
	nobody6 = "[2001:db8::1]:9"
)

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

// IsRoutable says whether this machine has a route for the family of network ("tcp4", "udp6", …).
// Asking sends nothing: connecting a UDP socket only looks the route up.
func (h Host) IsRoutable(network string) bool {
	if h.Routable != nil {
		return h.Routable(network)
	}
	udp, address := "udp4", nobody4
	if strings.HasSuffix(network, "6") {
		udp, address = "udp6", nobody6
	}
	conn, err := net.Dial(udp, address)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

package netlab

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
)

// Roam says when the vantage moves to another network, counted from the network's start: all packets of
// connections that were begun before are lost from then on, as they are when the address goes to which
// they are bound. What begins later is not hindered.
func (n *Network) Roam(after time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.roams = after
}

// roamed says whether the vantage has moved.
func (n *Network) roamed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.roams > 0 && time.Since(n.start) >= n.roams
}

// lastsUntil is when a connection that was begun at a time ends by a move; zero where none does that.
func (n *Network) lastsUntil(born time.Time) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := n.start.Add(n.roams)
	if n.roams == 0 || !born.Before(at) {
		return time.Time{}
	}
	return at
}

// ended says whether nothing of the flow passes any more: a box has killed it, or its address is gone.
// The caller holds the lock.
func (f *flow) ended() bool {
	return f.dead || expired(f.n.lastsUntil(f.born))
}

// reach lets the time of a handshake pass. One during which the vantage moves is never answered.
func (n *Network) reach(ctx context.Context, network string, to netip.AddrPort, f *flow, t time.Duration) error {
	if err := n.await(ctx, network, to, t); err != nil {
		return err
	}
	if expired(n.lastsUntil(f.born)) {
		return n.silence(ctx, network, to)
	}
	return nil
}

// The networks that the vantage is on: its home's, and the one that it moves to.
var (
	homeGateway  = probe.Way{Interface: "wlan0", Kind: probe.Link, Access: measurements.AccessWiFi, Gateway: homeRouter, GatewayMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}}
	otherGateway = probe.Way{Interface: "wlan0", Kind: probe.Link, Access: measurements.AccessWiFi, Gateway: netip.AddrFrom4([4]byte{10, 0, 0, 1}), GatewayMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}}
	throughVPN   = probe.Way{Interface: "tun0", Kind: probe.Tunnel, Access: measurements.AccessTunnel}
)

// here has the form of probe.Host.Network.
func (w *World) here() probe.Network {
	way := homeGateway
	switch {
	case w.tunnel:
		way = throughVPN
	case w.network.roamed():
		way = otherGateway
	}
	var out probe.Network
	if w.network.Routable(vantage4) {
		out.IPv4, out.IPv4.Local = way, vantage4
	}
	if w.network.Routable(vantage6) {
		out.IPv6, out.IPv6.Local = way, vantage6
		if way.Kind == probe.Link {
			out.IPv6.Gateway, out.IPv6.GatewayMAC = netip.MustParseAddr("fe80::1"), slices.Clone(way.GatewayMAC)
		}
	}
	for _, r := range w.resolvers {
		out.Resolvers = append(out.Resolvers, r.Addr())
	}
	return out
}

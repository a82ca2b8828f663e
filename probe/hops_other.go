//go:build !linux

package probe

import (
	"context"
	"net"
	"net/netip"
)

// Elsewhere the kernel keeps to itself that a packet of a connection has expired.

func setHopLimit(net.Conn, netip.Addr, int) error { return errHops }

func expired(net.Conn) bool { return false }

func synTo(context.Context, netip.AddrPort, int) (netip.Addr, bool) { return netip.Addr{}, false }

// dialHearing is a dial: nobody tells there who sent an ICMP error.
func dialHearing(ctx context.Context, d net.Dialer, network, address string) (net.Conn, error) {
	return d.DialContext(ctx, network, address)
}

func tellErrors(net.Conn, netip.Addr) error { return errHops }

func errorQueue(net.Conn) (netip.Addr, bool) { return netip.Addr{}, false }

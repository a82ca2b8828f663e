package probe

import (
	"context"
	"net"
	"net/netip"

	"github.com/telltale-probe/telltale/measurements"
)

// NearPing measures whether it is this machine, or the first router, that refuses UDP to an endpoint: two
// version pings with hop limits of one and two (RFC 791, section 3.2; RFC 8200, section 3). The first expires
// at the first router, which says so; what refuses the second is that router if both words have one sender.
// The senders' addresses are compared and not kept.
//
// It fails as VersionPing does, and always where nobody is that near: the failure is that of the second ping,
// and the finding is QUIC.FirstHop. It is false also where the system does not tell senders.
func (h Host) NearPing(ctx context.Context, ep netip.AddrPort) measurements.Observation {
	router, _ := h.sendWithin(ctx, ep, 1)
	refuser, o := h.sendWithin(ctx, ep, 2)
	o.QUIC.FirstHop = refuser.IsValid() && refuser == router
	return o
}

// sendWithin pings with a hop limit, and gives the sender of the ICMP error that comes; invalid where none does.
func (h Host) sendWithin(ctx context.Context, ep netip.AddrPort, limit int) (who netip.Addr, o measurements.Observation) {
	bounded, cancel := context.WithTimeout(ctx, hopWait)
	defer cancel()
	s := begin(measurements.QUICVersion, "quic", ep, "")
	socket, err := h.open(bounded, "udp", ep)
	if err == nil {
		if err = limitHops(socket.Conn, ep.Addr(), limit); err == nil {
			if _, err = ping(bounded, socket); err != nil {
				who, _ = errorSender(socket.Conn)
			}
		}
		_ = socket.Close()
	}
	o = s.end(socket, ended(bounded, err))
	o.QUIC = s.quicInfo(socket)
	return who.Unmap(), o
}

// emulatedHops is what a connection has that does not end in the kernel.
type emulatedHops interface {
	SetHopLimit(hops int) error
	ErrorSender() (netip.Addr, bool)
}

// limitHops sets the hop limit of what a connection sends from now on, and asks for every ICMP error with its sender.
func limitHops(conn net.Conn, to netip.Addr, limit int) error {
	if c, ok := conn.(emulatedHops); ok {
		return c.SetHopLimit(limit)
	}
	if err := setHopLimit(conn, to, limit); err != nil {
		return err
	}
	return tellErrors(conn, to)
}

// errorSender gives the sender of the last ICMP error.
func errorSender(conn net.Conn) (netip.Addr, bool) {
	if c, ok := conn.(emulatedHops); ok {
		return c.ErrorSender()
	}
	return errorQueue(conn)
}

package probe

import (
	"context"
	"net"
	"net/netip"

	"github.com/telltale-probe/telltale/measurements"
)

// otherPort is one of those that traceroute sends to, on which nobody listens (traceroute(8)).
const otherPort = 33434

// NearPing measures whether it is this machine, or the first router, that keeps UDP from an endpoint: two version
// pings with hop limits of one and two (RFC 791, section 3.2; RFC 8200, section 3). The first expires at the first
// router, which says so. What refuses the second is that router if both words have one sender; another router's word
// says that it got farther. Where nobody says anything of the second, one more goes to another port: where that one
// gets farther, the first router swallows the others, or whatever stands right behind it. The senders' addresses are
// compared and not kept.
//
// It fails as VersionPing does, and always where nobody is that near: the failure is that of the second ping, and the
// findings are QUIC.FirstHop and QUIC.Farther. They are false also where the system does not tell senders.
func (h Host) NearPing(ctx context.Context, ep netip.AddrPort) measurements.Observation {
	router, _ := h.sendWithin(ctx, ep, 1)
	who, o := h.sendWithin(ctx, ep, 2)
	switch {
	case who.IsValid():
		o.QUIC.FirstHop = who == router
		o.QUIC.Farther = router.IsValid() && who != router
	case router.IsValid() && o.Failure == measurements.Timeout:
		other, x := h.sendWithin(ctx, netip.AddrPortFrom(ep.Addr(), otherPort), 2)
		o.Sent, o.Received = o.Sent+x.Sent, o.Received+x.Received
		o.QUIC.FirstHop = other.IsValid() && other != router
	}
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

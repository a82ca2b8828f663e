package probe

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// setHopLimit makes what a connection sends from now on expire at a router on its way.
func setHopLimit(conn net.Conn, to netip.Addr, limit int) error {
	return control(conn, func(fd int) error { return hopLimit(fd, to, limit) })
}

func hopLimit(fd int, to netip.Addr, limit int) error {
	if to.Unmap().Is4() {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, limit)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, limit)
}

// expired says whether ICMP "time exceeded" came for an established connection: the kernel keeps it as
// a soft error, which SO_ERROR tells once. IP_RECVERR stays off: with it, the connection would die.
func expired(conn net.Conn) bool {
	is := false
	_ = control(conn, func(fd int) error {
		errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		is = err == nil && syscall.Errno(errno) == syscall.EHOSTUNREACH
		return err
	})
	return is
}

func control(conn net.Conn, f func(fd int) error) error {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return errHops
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// synTo sends a SYN with a hop limit and gives the address of the router at which it expired. ok is
// false where none says so. The address is for classifying alone: it is never kept.
func synTo(ctx context.Context, ep netip.AddrPort, limit int) (who netip.Addr, ok bool) {
	h := hearing{dup: -1, limit: limit}
	d := net.Dialer{KeepAlive: -1, Control: h.control}
	dctx, cancel := context.WithTimeout(ctx, hopWait)
	defer cancel()
	network := "tcp4"
	if !ep.Addr().Unmap().Is4() {
		network = "tcp6"
	}
	conn, err := d.DialContext(dctx, network, netip.AddrPortFrom(ep.Addr().Unmap(), ep.Port()).String())
	defer h.close()
	if err == nil {
		_ = conn.Close()
		return netip.Addr{}, false
	}
	if h.dup < 0 {
		return netip.Addr{}, false
	}
	said, ok := offender(h.dup)
	return said.who, ok
}

// hearing makes a dialer's socket keep ICMP errors with their senders, in a copy of its descriptor: the dialer
// closes its own on failure, and the error's sender with it.
type hearing struct {
	dup   int // -1 before the dial
	limit int // hop limit of what is sent; 0 leaves it as it is
}

func (h *hearing) control(_, address string, c syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	cerr := c.Control(func(fd uintptr) {
		if h.limit > 0 {
			if err = hopLimit(int(fd), to.Addr(), h.limit); err != nil {
				return
			}
		}
		if err = queueErrors(int(fd), to.Addr(), 1); err == nil {
			h.dup, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
		}
	})
	if cerr != nil {
		return cerr
	}
	return err
}

func (h *hearing) close() {
	if h.dup >= 0 {
		_ = unix.Close(h.dup)
	}
}

// dialHearing is a dial whose error tells what ICMP said, and who: an Unreached. The errors are kept while we connect
// alone: a connection that stands would die of each (ip(7), IP_RECVERR).
func dialHearing(ctx context.Context, d net.Dialer, network, address string) (net.Conn, error) {
	h := hearing{dup: -1}
	d.Control = func(network, address string, c syscall.RawConn) error {
		_ = h.control(network, address, c) // a system that doesn't tell is no reason not to dial
		return nil
	}
	conn, err := d.DialContext(ctx, network, address)
	defer h.close()
	if h.dup < 0 {
		return conn, err
	}
	if err == nil {
		_ = queueErrors(h.dup, addrOf(conn.RemoteAddr()), 0)
		return conn, nil
	}
	said, ok := offender(h.dup)
	if !ok {
		return conn, err
	}
	return conn, &Unreached{Err: err, Type: said.kind, Code: said.code, Sender: said.who, Local: ownAddr(h.dup)}
}

func addrOf(a net.Addr) netip.Addr {
	ap, _ := netip.ParseAddrPort(a.String())
	return ap.Addr().Unmap()
}

// ownAddr is the address that a socket is bound to; invalid where it is to none.
func ownAddr(fd int) netip.Addr {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.Addr{}
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(sa.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(sa.Addr).Unmap()
	}
	return netip.Addr{}
}

// queueErrors switches the keeping of ICMP errors with their senders on (1) or off (0).
func queueErrors(fd int, to netip.Addr, on int) error {
	if to.Unmap().Is4() {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVERR, on)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, on)
}

// tellErrors makes a UDP socket hear of every ICMP error, and keep its sender.
func tellErrors(conn net.Conn, to netip.Addr) error {
	return control(conn, func(fd int) error { return queueErrors(fd, to, 1) })
}

// errorQueue gives the sender of the ICMP error that a socket has kept.
func errorQueue(conn net.Conn) (who netip.Addr, ok bool) {
	_ = control(conn, func(fd int) error {
		said, heard := offender(fd)
		who, ok = said.who, heard
		return nil
	})
	return who, ok
}

// said is an ICMP error that a socket has kept.
type said struct {
	who        netip.Addr
	kind, code int // type and code of the message
}

// offender reads the error queue of a socket (ip(7), IP_RECVERR): what ICMP said, and who sent it.
func offender(fd int) (said, bool) {
	b, oob := make([]byte, 512), make([]byte, 512)
	_, n, _, _, err := unix.Recvmsg(fd, b, oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if err != nil {
		return said{}, false
	}
	return saidIn(oob[:n])
}

// saidIn finds the error in the control messages that come with it.
func saidIn(oob []byte) (said, bool) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return said{}, false
	}
	for _, m := range messages {
		if who, ok := senderOf(m.Data); ok {
			return said{who, int(m.Data[5]), int(m.Data[6])}, true
		}
	}
	return said{}, false
}

// extendedError is struct sock_extended_err (linux/errqueue.h): errno of four bytes, origin, type, code, pad, info,
// data: 16 bytes, and the sender's socket address behind them.
const extendedError = 16

func senderOf(data []byte) (netip.Addr, bool) {
	if len(data) < extendedError+2 {
		return netip.Addr{}, false
	}
	origin := data[4]
	if origin != unix.SO_EE_ORIGIN_ICMP && origin != unix.SO_EE_ORIGIN_ICMP6 {
		return netip.Addr{}, false
	}
	sender := data[extendedError:]
	switch family := binary.NativeEndian.Uint16(sender); {
	case family == unix.AF_INET && len(sender) >= 8:
		return netip.AddrFrom4([4]byte(sender[4:8])), true
	case family == unix.AF_INET6 && len(sender) >= 24:
		return netip.AddrFrom16([16]byte(sender[8:24])), true
	}
	return netip.Addr{}, false
}

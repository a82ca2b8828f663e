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
	dup := -1
	d := net.Dialer{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		cerr := c.Control(func(fd uintptr) {
			if err = hopLimit(int(fd), ep.Addr(), limit); err != nil {
				return
			}
			if err = queueErrors(int(fd), ep.Addr()); err == nil {
				// The dialer closes its own descriptor on failure, and the error's sender with it.
				dup, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
			}
		})
		if cerr != nil {
			return cerr
		}
		return err
	}}
	dctx, cancel := context.WithTimeout(ctx, hopWait)
	defer cancel()
	network := "tcp4"
	if !ep.Addr().Unmap().Is4() {
		network = "tcp6"
	}
	conn, err := d.DialContext(dctx, network, netip.AddrPortFrom(ep.Addr().Unmap(), ep.Port()).String())
	if dup >= 0 {
		defer func() { _ = unix.Close(dup) }()
	}
	if err == nil {
		_ = conn.Close()
		return netip.Addr{}, false
	}
	if dup < 0 {
		return netip.Addr{}, false
	}
	return offender(dup)
}

func queueErrors(fd int, to netip.Addr) error {
	if to.Unmap().Is4() {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVERR, 1)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
}

// tellErrors makes a UDP socket hear of every ICMP error, and keep its sender.
func tellErrors(conn net.Conn, to netip.Addr) error {
	return control(conn, func(fd int) error { return queueErrors(fd, to) })
}

// errorQueue gives the sender of the ICMP error that a socket has kept.
func errorQueue(conn net.Conn) (who netip.Addr, ok bool) {
	_ = control(conn, func(fd int) error {
		who, ok = offender(fd)
		return nil
	})
	return who, ok
}

// offender reads the error queue of a socket (ip(7), IP_RECVERR): who sent the ICMP error.
func offender(fd int) (netip.Addr, bool) {
	b, oob := make([]byte, 512), make([]byte, 512)
	_, n, _, _, err := unix.Recvmsg(fd, b, oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if err != nil {
		return netip.Addr{}, false
	}
	return senderIn(oob[:n])
}

// senderIn finds the sender in the control messages that come with an error.
func senderIn(oob []byte) (netip.Addr, bool) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return netip.Addr{}, false
	}
	for _, m := range messages {
		if who, ok := senderOf(m.Data); ok {
			return who, true
		}
	}
	return netip.Addr{}, false
}

// extendedError is struct sock_extended_err (linux/errqueue.h): errno, origin, type, code, pad, info,
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

package netlab

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// Errors are nested as the net package nests those of a Linux socket, so that whoever takes them
// apart can't tell the emulation from a kernel.

func dialError(network string, to netip.AddrPort, errno syscall.Errno) error {
	return &net.OpError{Op: "dial", Net: network, Addr: netAddr(network, to), Err: syscallError("connect", errno)}
}

// dialEnded is how a dial ends with its context.
func dialEnded(ctx context.Context, network string, to netip.AddrPort) error {
	err := os.ErrDeadlineExceeded
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = canceled{}
	}
	return &net.OpError{Op: "dial", Net: network, Addr: netAddr(network, to), Err: err}
}

// canceled is what the net package says of a dial whose context was cancelled.
type canceled struct{}

func (canceled) Error() string        { return "operation was canceled" }
func (canceled) Is(target error) bool { return target == context.Canceled }

func opError(op, network string, local, remote net.Addr, err error) error {
	return &net.OpError{Op: op, Net: network, Source: local, Addr: remote, Err: err}
}

// icmpErrno is what a SYN gets from an ICMP destination unreachable (Linux, icmp_err_convert).
func icmpErrno(code int) syscall.Errno {
	switch code {
	case 0, 6, 9, 11:
		return syscall.ENETUNREACH
	case 3:
		return syscall.ECONNREFUSED
	}
	return syscall.EHOSTUNREACH
}

// icmpIsSoft says of which codes a connected UDP socket never hears: Linux takes "net unreachable",
// "host unreachable" and the like for passing troubles (icmp_err_convert, fatal = 0; udp_err).
func icmpIsSoft(code int) bool {
	switch code {
	case 0, 1, 5, 11, 12:
		return true
	}
	return false
}

func netAddr(network string, a netip.AddrPort) net.Addr {
	if network[0] == 'u' {
		return net.UDPAddrFromAddrPort(a)
	}
	return net.TCPAddrFromAddrPort(a)
}

func syscallError(op string, errno syscall.Errno) error { return os.NewSyscallError(op, errno) }

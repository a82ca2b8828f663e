package netlab

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// States of TCP, in the kernel's numbers (include/net/tcp_states.h).
const (
	tcpClose     = 7
	tcpCloseWait = 8
)

// has says what the kernel has heard of a socket's peer.
func has(c net.Conn, what coming) (so bool) {
	look(c, func(fd int) {
		if what == isRefused { // an error that waits to be told
			waits := []unix.PollFd{{Fd: int32(fd)}}
			_, err := unix.Poll(waits, 0)
			so = err == nil && waits[0].Revents&unix.POLLERR != 0
			return
		}
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		so = err == nil && info.State == map[coming]uint8{isEnded: tcpCloseWait, isReset: tcpClose}[what]
	})
	return so
}

// queued is how many bytes nobody has read yet.
func queued(c net.Conn) (n int) {
	look(c, func(fd int) { n, _ = unix.IoctlGetInt(fd, unix.SIOCINQ) })
	return n
}

func look(c net.Conn, f func(fd int)) {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) { f(int(fd)) })
	}
}

package netlab

import (
	"net"
	"time"
)

// coming is what a client waits for before it goes on.
type coming int

const (
	nothing   coming = iota
	isEnded          // the peer's FIN
	isReset          // its RST
	isRefused        // ICMP's word on a datagram
)

// arrived waits until that has come: on the wire for as long as it takes there, over the kernel's sockets until the kernel
// says so of the client's own.
func arrived(c net.Conn, what coming) {
	switch {
	case !onKernel(c):
		time.Sleep(4 * moment)
	case what != nothing:
		await(func() bool { return has(c, what) })
	}
}

// ended says whether the peer has closed, and the kernel of who was not told so by a reset.
func ended(c net.Conn) bool { return has(c, isEnded) }

// unread waits until so many bytes lie at a server that reads none of them.
func unread(c net.Conn, n int) {
	if !onKernel(c) {
		time.Sleep(6 * moment) // a client begins to write after four
		return
	}
	await(func() bool { return queued(c) >= n })
}

// await looks until it is so. A test that waits for what never comes ends with the time of all tests.
func await(so func() bool) {
	for !so() {
		time.Sleep(time.Millisecond)
	}
}

package kerneltest

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"runtime"
)

// Do runs f inside a namespace and returns when f has returned. Sockets that f itself makes belong
// to the namespace for good, also when other goroutines use them later; goroutines that f starts do
// not run inside it. If f ends the test, so does Do.
func (l *Lab) Do(ns string, f func()) {
	l.t.Helper()
	returned, err := inside(l.namespace(ns), f)
	switch {
	case err != nil:
		l.t.Fatalf("can't enter the namespace of the %s: %v", ns, err)
	case !returned && l.t.Skipped():
		l.t.SkipNow() // FailNow and SkipNow end the goroutine that calls them, and no other
	case !returned:
		l.t.FailNow()
	}
}

// inside runs f on a thread that it moves into the namespace. The thread is never unlocked: it ends
// with its goroutine, so that nobody else gets one that looks out on another network.
func inside(namespace string, f func()) (returned bool, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err = enter(namespace); err != nil {
			return
		}
		f()
		returned = true
	}()
	<-done
	return returned, err
}

// Dial connects from the client. It has the form of probe.Host's Dial: a Host with it is on this
// network, whatever its goroutines do. network is "tcp4", "tcp6", "udp4" or "udp6", and address is
// "ip:port": a Dialer that has nothing to resolve and nothing to race makes its socket in the
// goroutine that calls it, and only there the socket belongs to the namespace.
func (l *Lab) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if _, err := netip.ParseAddrPort(address); err != nil {
		return nil, err
	}
	var conn net.Conn
	var dialed error
	_, err := inside(l.namespace(Client), func() { conn, dialed = new(net.Dialer).DialContext(ctx, network, address) })
	return conn, cmp.Or(dialed, err)
}

// Listen accepts connections in a namespace until the test ends.
func (l *Lab) Listen(ns, network, address string) net.Listener {
	l.t.Helper()
	var listener net.Listener
	l.Do(ns, func() {
		var err error
		if listener, err = net.Listen(network, address); err != nil {
			l.t.Fatal(err)
		}
	})
	l.t.Cleanup(func() { listener.Close() })
	return listener
}

// ListenPacket receives datagrams in a namespace until the test ends.
func (l *Lab) ListenPacket(ns, network, address string) net.PacketConn {
	l.t.Helper()
	var conn net.PacketConn
	l.Do(ns, func() {
		var err error
		if conn, err = net.ListenPacket(network, address); err != nil {
			l.t.Fatal(err)
		}
	})
	l.t.Cleanup(func() { conn.Close() })
	return conn
}

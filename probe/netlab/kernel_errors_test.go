package netlab

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// moment is long for the wire, in virtual time. Over the kernel's sockets nothing is taken to have come because time has
// passed: both ends look at what the kernel has of theirs (arrived, unread, told).
const moment = 60 * time.Millisecond

// script is what two ends do. It tells what the client's calls gave.
type script struct {
	name   string
	server func(net.Conn)
	client func(net.Conn) []string
}

// onKernel says whether a connection is the kernel's, and not the wire's.
func onKernel(c net.Conn) bool {
	switch c.(type) {
	case *net.TCPConn, *net.UDPConn:
		return true
	}
	return false
}

func said(n int, err error) string { return fmt.Sprintf("%d %s", n, nest(err)) }

// read has all the time that a busy machine needs, readInVain what silence costs.
func read(c net.Conn) string {
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	return said(c.Read(make([]byte, 100)))
}

func readInVain(c net.Conn) string {
	_ = c.SetReadDeadline(time.Now().Add(10 * moment))
	return said(c.Read(make([]byte, 100)))
}

// write waits, so that an answer to it has come: whoever has closed resets, a closed port of UDP refuses.
func write(c net.Conn) string {
	resets := onKernel(c) && ended(c)
	n, err := c.Write([]byte("hello"))
	switch {
	case !onKernel(c):
		time.Sleep(moment)
	case resets:
		arrived(c, isReset)
	}
	return said(n, err)
}

// all makes the calls, one after the other, after what the server does by itself has come.
func all(comes coming, calls ...func(net.Conn) string) func(net.Conn) []string {
	return func(c net.Conn) (out []string) {
		arrived(c, comes)
		for _, call := range calls {
			out = append(out, call(c))
		}
		return out
	}
}

func reset(c net.Conn) {
	c.(interface{ SetLinger(int) error }).SetLinger(0)
	c.Close()
}

func closeWrite(c net.Conn) string {
	return nest(c.(interface{ CloseWrite() error }).CloseWrite())
}

// ask is what a client does whose server says nothing by itself.
func ask(calls ...func(net.Conn) string) func(net.Conn) []string { return all(nothing, calls...) }

var scripts = []script{
	{"reset, then read", func(c net.Conn) { reset(c) }, all(isReset, read, read, write, write)},
	{"reset, then write", func(c net.Conn) { reset(c) }, all(isReset, write, write, read, read)},
	{"bytes, then reset", func(c net.Conn) { c.Write([]byte("abc")); reset(c) }, all(isReset, read, read, read)},
	{"FIN, then read", func(c net.Conn) { c.Close() }, all(isEnded, read, read, write, write, read)},
	{"FIN, then write", func(c net.Conn) { c.Close() }, all(isEnded, write, write, read)},
	{"bytes, then FIN", func(c net.Conn) { c.Write([]byte("abc")); c.Close() }, all(isEnded, read, read, write, write)},
	{"closed with bytes unread", func(c net.Conn) { unread(c, 5); c.Write([]byte("bye")); c.Close() },
		ask(write, func(c net.Conn) string { arrived(c, isReset); return "" }, read, read, write)},
	{"a write after CloseWrite", hold, ask(closeWrite, write)},
	{"half closed", func(c net.Conn) { b, _ := io.ReadAll(c); c.Write(b) }, ask(write, closeWrite, read, read)},
	{"closed by oneself", hold, ask(
		func(c net.Conn) string { return nest(c.Close()) }, read, func(c net.Conn) string { return said(c.Write([]byte("hello"))) }, closeWrite,
		func(c net.Conn) string { return nest(c.SetDeadline(time.Now())) },
		func(c net.Conn) string { return nest(c.Close()) })},
	{"closed by another goroutine", hold, ask(func(c net.Conn) string {
		time.AfterFunc(moment, func() { c.Close() })
		return said(c.Read(make([]byte, 1)))
	})},
	{"a deadline that passes", hold, ask(readInVain, readInVain)},
	{"a deadline that has passed", func(c net.Conn) { c.Write([]byte("x")); hold(c) }, ask(func(c net.Conn) string {
		c.SetDeadline(time.Unix(1, 0))
		_, err := c.Write([]byte("x"))
		return nest(err) + said(c.Read(make([]byte, 1)))
	})},
	{"a deadline that is moved to the past", hold, ask(func(c net.Conn) string {
		time.AfterFunc(moment, func() { c.SetReadDeadline(time.Unix(1, 0)) })
		return said(c.Read(make([]byte, 1)))
	})},
	{"a peer that closes on a full window", func(c net.Conn) { unread(c, 64<<10); c.Close() }, ask(func(c net.Conn) string {
		_, err := c.Write(make([]byte, 64<<20))
		return nest(err)
	})},
}

// The wire and the kernel say the same: the same script over real sockets and in memory.
func TestLikeTheKernel(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the wire fails like Linux")
	}
	for _, s := range scripts {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			kernel := overLoopback(t, s)
			onWire(t, Link{Latency: time.Millisecond}, func(t *testing.T, n *Network) {
				n.serve(t, edge, s.server)
				if diff := cmp.Diff(kernel, s.client(n.connect(t, edge))); diff != "" {
					t.Errorf("(-kernel +wire):\n%s", diff)
				}
			})
		})
	}
}

func overLoopback(t *testing.T, s script) []string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	connected := make(chan struct{}) // a reset may come before connect has looked at its own socket
	go func() {
		if c, err := l.Accept(); err == nil {
			defer c.Close()
			<-connected
			s.server(c)
		}
	}()
	c, err := net.Dial("tcp4", l.Addr().String())
	close(connected)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return s.client(c)
}

// writeInVain waits until the closed port has refused it.
func writeInVain(c net.Conn) string {
	n, err := c.Write([]byte("hello"))
	arrived(c, isRefused)
	return said(n, err)
}

// The same for datagrams: a closed port is told once, by a write or by a read.
func TestDatagramsLikeTheKernel(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the wire fails like Linux")
	}
	calls := []func(net.Conn) []string{
		ask(writeInVain, write, readInVain), ask(writeInVain, read, readInVain),
		ask(func(c net.Conn) string { return said(c.Write(make([]byte, 65508))) }),
		ask(func(c net.Conn) string {
			c.Close()
			return read(c) + said(c.Write([]byte("hello"))) + nest(c.SetDeadline(time.Now())) + nest(c.Close())
		}),
	}
	var kernel, wire [][]string
	for call := range slices.Values(calls) {
		// A port that is closed, and that nobody gets meanwhile: it hears nobody but its own peer.
		held, err := net.Dial("udp4", "127.0.0.1:9")
		if err != nil {
			t.Skip(err)
		}
		c, err := net.Dial("udp4", held.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		kernel = append(kernel, call(c))
		c.Close()
		held.Close()
	}
	onWire(t, Link{Latency: time.Millisecond}, func(t *testing.T, n *Network) {
		n.serve(t, edge, hold) // so that the address is known
		for call := range slices.Values(calls) {
			c, err := n.Dial(t.Context(), "udp4", edge.String())
			if err != nil {
				t.Fatal(err)
			}
			wire = append(wire, call(c))
			c.Close()
		}
	})
	if diff := cmp.Diff(kernel, wire); diff != "" {
		t.Errorf("(-kernel +wire):\n%s", diff)
	}
}

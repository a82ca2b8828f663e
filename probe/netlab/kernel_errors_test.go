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

// moment is long for a loopback, and nothing in virtual time.
const moment = 60 * time.Millisecond

// script is what two ends do. It tells what the client's calls gave.
type script struct {
	name   string
	server func(net.Conn)
	client func(net.Conn) []string
}

func said(n int, err error) string { return fmt.Sprintf("%d %s", n, nest(err)) }

func read(c net.Conn) string {
	_ = c.SetReadDeadline(time.Now().Add(10 * moment))
	return said(c.Read(make([]byte, 100)))
}

// write waits, so that an answer to it has come.
func write(c net.Conn) string {
	n, err := c.Write([]byte("hello"))
	time.Sleep(moment)
	return said(n, err)
}

func all(calls ...func(net.Conn) string) func(net.Conn) []string {
	return func(c net.Conn) (out []string) {
		time.Sleep(2 * moment)
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

var scripts = []script{
	{"reset, then read", func(c net.Conn) { time.Sleep(moment); reset(c) }, all(read, read, write, write)},
	{"reset, then write", func(c net.Conn) { time.Sleep(moment); reset(c) }, all(write, write, read, read)},
	{"bytes, then reset", func(c net.Conn) { c.Write([]byte("abc")); time.Sleep(moment); reset(c) }, all(read, read, read)},
	{"FIN, then read", func(c net.Conn) { c.Close() }, all(read, read, write, write, read)},
	{"FIN, then write", func(c net.Conn) { c.Close() }, all(write, write, read)},
	{"bytes, then FIN", func(c net.Conn) { c.Write([]byte("abc")); c.Close() }, all(read, read, write, write)},
	{"closed with bytes unread", func(c net.Conn) { time.Sleep(5 * moment); c.Write([]byte("bye")); c.Close() },
		all(write, func(net.Conn) string { time.Sleep(5 * moment); return "" }, read, read, write)},
	{"a write after CloseWrite", hold, all(closeWrite, write)},
	{"half closed", func(c net.Conn) { b, _ := io.ReadAll(c); c.Write(b) }, all(write, closeWrite, read, read)},
	{"closed by oneself", hold, all(
		func(c net.Conn) string { return nest(c.Close()) }, read, write, closeWrite,
		func(c net.Conn) string { return nest(c.SetDeadline(time.Now())) },
		func(c net.Conn) string { return nest(c.Close()) })},
	{"closed by another goroutine", hold, all(func(c net.Conn) string {
		time.AfterFunc(moment, func() { c.Close() })
		return said(c.Read(make([]byte, 1)))
	})},
	{"a deadline that passes", hold, all(read, read)},
	{"a deadline that has passed", func(c net.Conn) { c.Write([]byte("x")); hold(c) }, all(func(c net.Conn) string {
		c.SetDeadline(time.Unix(1, 0))
		_, err := c.Write([]byte("x"))
		return nest(err) + said(c.Read(make([]byte, 1)))
	})},
	{"a deadline that is moved to the past", hold, all(func(c net.Conn) string {
		time.AfterFunc(moment, func() { c.SetReadDeadline(time.Unix(1, 0)) })
		return said(c.Read(make([]byte, 1)))
	})},
	{"a peer that closes on a full window", func(c net.Conn) { time.Sleep(5 * moment); c.Close() }, all(func(c net.Conn) string {
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
	go func() {
		if c, err := l.Accept(); err == nil {
			defer c.Close()
			s.server(c)
		}
	}()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return s.client(c)
}

// The same for datagrams: a closed port is told once, by a write or by a read.
func TestDatagramsLikeTheKernel(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the wire fails like Linux")
	}
	calls := []func(net.Conn) []string{
		all(write, write, read), all(write, read, read),
		all(func(c net.Conn) string { return said(c.Write(make([]byte, 65508))) }),
		all(func(c net.Conn) string {
			c.Close()
			return read(c) + write(c) + nest(c.SetDeadline(time.Now())) + nest(c.Close())
		}),
	}
	var kernel, wire [][]string
	for call := range slices.Values(calls) {
		held, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Skip(err)
		}
		held.Close() // a port that was free a moment ago
		c, err := net.Dial("udp4", held.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		kernel = append(kernel, call(c))
		c.Close()
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

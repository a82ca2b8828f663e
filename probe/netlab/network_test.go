package netlab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/probe"
)

// edge is the server of these tests; elsewhere is an address that nobody has.
var (
	edge      = netip.MustParseAddrPort("203.0.113.10:443")
	edge6     = netip.MustParseAddrPort("[2001:db8:1::10]:443")
	elsewhere = netip.MustParseAddrPort("203.0.113.99:443")
)

// far is the line of these tests: 60 ms there and back.
var far = Link{Latency: 30 * time.Millisecond}

// onWire runs a test where time is virtual, and where every goroutine has to end with the network.
func onWire(t *testing.T, access Link, test func(*testing.T, *Network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1)
		n.SetAccess(access)
		defer n.Close()
		test(t, n)
	})
}

// serve gives every connection to a function, and closes it afterwards.
func (n *Network) serve(t testing.TB, at netip.AddrPort, each func(net.Conn)) net.Listener {
	t.Helper()
	l, err := n.Listen(at)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); each(c) }()
		}
	}()
	return l
}

func echo(c net.Conn) { io.Copy(c, c) }

// hold keeps a connection open without a word.
func hold(c net.Conn) { io.Copy(io.Discard, c) }

// connect dials from the vantage, with ten seconds of patience.
func (n *Network) connect(t testing.TB, to netip.AddrPort) net.Conn {
	t.Helper()
	c, err := n.try(to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (n *Network) try(to netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	network := "tcp4"
	if to.Addr().Is6() {
		network = "tcp6"
	}
	return n.Dial(ctx, network, to.String())
}

// nest spells an error out, addresses apart: what it is made of is what classifiers go by.
func nest(err error) string {
	var words []string
	for ; err != nil; err = errors.Unwrap(err) {
		switch e := err.(type) {
		case *net.OpError:
			words = append(words, fmt.Sprintf("OpError{%s %s source=%t addr=%t timeout=%t}", e.Op, e.Net, e.Source != nil, e.Addr != nil, e.Timeout()))
		case *os.SyscallError:
			words = append(words, "SyscallError{"+e.Syscall+"}")
		default:
			words = append(words, err.Error())
		}
	}
	return strings.Join(words, " > ")
}

// How a dial fails, and when.
func TestDialFails(t *testing.T) {
	rtt, box := 60*time.Millisecond, 15*time.Millisecond
	dial := func(rest string) string {
		return "OpError{dial tcp4 source=false addr=true timeout=" + rest
	}
	rule := func(a Action, code int) []Rule { return []Rule{{Protocol: TCP, Action: a, Code: code}} }
	for _, test := range []struct {
		name  string
		to    netip.AddrPort
		rules []Rule
		after time.Duration
		want  string
	}{
		{"a closed port", netip.AddrPortFrom(edge.Addr(), 80), nil, rtt, dial("false} > SyscallError{connect} > connection refused")},
		{"an address that nobody has", elsewhere, nil, 10 * time.Second, dial("true} > i/o timeout")},
		{"a box drops the SYN", edge, rule(Drop, 0), 10 * time.Second, dial("true} > i/o timeout")},
		{"a box resets the SYN", edge, rule(Reset, 0), box, dial("false} > SyscallError{connect} > connection refused")},
		{"ICMP 0", edge, rule(ICMP, 0), box, dial("false} > SyscallError{connect} > network is unreachable")},
		{"ICMP 1", edge, rule(ICMP, 1), box, dial("false} > SyscallError{connect} > no route to host")},
		{"ICMP 3", edge, rule(ICMP, 3), box, dial("false} > SyscallError{connect} > connection refused")},
		{"ICMP 9", edge, rule(ICMP, 9), box, dial("false} > SyscallError{connect} > network is unreachable")},
		{"ICMP 10", edge, rule(ICMP, 10), box, dial("false} > SyscallError{connect} > no route to host")},
		{"ICMP 13", edge, rule(ICMP, 13), box, dial("false} > SyscallError{connect} > no route to host")},
		{"a box answers for nobody", elsewhere, rule(Reset, 0), box, dial("false} > SyscallError{connect} > connection refused")},
		{"the answer is dropped", edge, []Rule{{Protocol: TCP, Action: Drop, Direction: "in"}}, 10 * time.Second, dial("true} > i/o timeout")},
	} {
		t.Run(test.name, func(t *testing.T) {
			onWire(t, far, func(t *testing.T, n *Network) {
				n.serve(t, edge, hold)
				n.Censor(test.rules...)
				begun := time.Now()
				_, err := n.try(test.to)
				if heard, ok := errors.AsType[*probe.Unreached](err); ok == strings.HasPrefix(test.name, "ICMP") && ok {
					err = heard.Err // as the kernel's, with what its error queue tells around it
				}
				if got := nest(err); got != test.want {
					t.Errorf("got  %s\nwant %s", got, test.want)
				}
				if took := time.Since(begun); took != test.after {
					t.Errorf("after %v, want %v", took, test.after)
				}
				if len(test.rules) > 0 && n.Fired("rule-1") != 1 {
					t.Errorf("fired %d times", n.Fired("rule-1"))
				}
			})
		})
	}
}

// Without a route nothing is sent; a context that ends takes the dial with it; and where nothing does,
// the kernel gives up.
func TestDialEnds(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		begun := time.Now()
		_, err := n.Dial(t.Context(), "tcp4", elsewhere.String())
		if took := time.Since(begun); !errors.Is(err, syscall.ETIMEDOUT) || took != 127*time.Second {
			t.Errorf("%v after %v", err, took)
		}

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		for range 2 { // while it waits, and before it begins
			_, err = n.Dial(ctx, "tcp4", elsewhere.String())
			if got, want := nest(err), "OpError{dial tcp4 source=false addr=true timeout=false} > operation was canceled"; got != want || !errors.Is(err, context.Canceled) {
				t.Errorf("got %s", got)
			}
		}

		n.SetRoutes(true, false)
		if !n.Routable(edge.Addr()) || n.Routable(edge6.Addr()) {
			t.Error("routes")
		}
		for _, network := range []string{"tcp6", "udp6"} {
			begun := time.Now()
			_, err := n.Dial(t.Context(), network, edge6.String())
			if !errors.Is(err, syscall.ENETUNREACH) || time.Since(begun) != 0 {
				t.Errorf("%s without a route: %v", network, err)
			}
		}

		time.AfterFunc(time.Second, func() { n.Close() })
		if _, err := n.Dial(t.Context(), "tcp4", elsewhere.String()); err == nil {
			t.Error("dialled on a network that was closed")
		}
		for _, network := range []string{"tcp4", "udp4"} {
			if _, err := n.Dial(t.Context(), network, edge.String()); err == nil {
				t.Errorf("%s on a closed network", network)
			}
		}
	})
}

// A SYN that is lost is sent again after one second, three, seven … (RFC 6298).
func TestLostSYN(t *testing.T) {
	onWire(t, Link{Latency: 30 * time.Millisecond, Loss: 0.3}, func(t *testing.T, n *Network) {
		n.serve(t, edge, hold)
		seen := map[time.Duration]int{}
		for range 200 {
			begun := time.Now()
			c, err := n.Dial(t.Context(), "tcp4", edge.String())
			if err != nil {
				continue
			}
			c.Close()
			seen[time.Since(begun)-60*time.Millisecond]++
		}
		if seen[0] < 70 || seen[0] > 125 || seen[time.Second] < 25 || seen[3*time.Second] < 8 {
			t.Errorf("SYNs took %v", seen)
		}
	})
	onWire(t, Link{Loss: 1}, func(t *testing.T, n *Network) {
		n.serve(t, edge, hold)
		if _, err := n.Dial(t.Context(), "tcp4", edge.String()); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("where all is lost: %v", err)
		}
	})
}

// Everything ends with the network: readers, writers, accepters, datagrams.
func TestCloseEndsAll(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		n.serve(t, edge, func(net.Conn) { time.Sleep(time.Minute) })
		p, err := n.ListenPacket(edge)
		if err != nil {
			t.Fatal(err)
		}
		u, err := n.Dial(t.Context(), "udp4", edge.String())
		if err != nil {
			t.Fatal(err)
		}
		c := n.connect(t, edge)
		ended := make(chan error, 4)
		go func() { _, err := c.Read(make([]byte, 1)); ended <- err }()
		go func() { _, err := c.Write(make([]byte, 1<<20)); ended <- err }()
		go func() { _, err := u.Read(make([]byte, 1)); ended <- err }()
		go func() { _, _, err := p.ReadFrom(make([]byte, 1)); ended <- err }()
		time.Sleep(time.Second)
		n.Close()
		for range 4 {
			if err := <-ended; !errors.Is(err, net.ErrClosed) {
				t.Errorf("ended with %v", err)
			}
		}
		if n.Close() != nil {
			t.Error("a second close")
		}
		time.Sleep(time.Minute) // the server that never read
	})
}

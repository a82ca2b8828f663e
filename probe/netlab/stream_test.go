package netlab

import (
	"bytes"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"
)

// A byte takes the latency there and the latency back, and a connection knows its two ends.
func TestLatency(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		n.SetPath(netip.MustParsePrefix("203.0.113.0/24"), Link{Latency: 5 * time.Millisecond})
		n.SetPath(netip.MustParsePrefix("203.0.113.10/32"), Link{Latency: 20 * time.Millisecond})
		n.serve(t, edge, echo)
		n.serve(t, edge6, echo)
		begun := time.Now()
		c := n.connect(t, edge)
		if took := time.Since(begun); took != 100*time.Millisecond {
			t.Errorf("the handshake took %v", took)
		}
		c.Write([]byte("ping"))
		b := make([]byte, 9)
		if k, err := c.Read(b); err != nil || string(b[:k]) != "ping" || time.Since(begun) != 200*time.Millisecond {
			t.Errorf("%q, %v after %v", b[:k], err, time.Since(begun))
		}
		for to, from := range map[netip.AddrPort]string{edge: "192.0.2.77", edge6: "2001:db8:77::1"} {
			c := n.connect(t, to)
			local, ok := c.LocalAddr().(*net.TCPAddr)
			if !ok || local.IP.String() != from || c.RemoteAddr().String() != to.String() {
				t.Errorf("%v → %v", c.LocalAddr(), c.RemoteAddr())
			}
		}
	})
}

// Whatever the line does to it, a stream arrives whole and in order.
func TestStreamIsWhole(t *testing.T) {
	sent := make([]byte, 1<<20)
	source := rand.NewChaCha8([32]byte{1})
	source.Read(sent)
	for name, link := range map[string]Link{
		"clean": far, "jittery": {Latency: 30 * time.Millisecond, Jitter: 20 * time.Millisecond},
		"lossy": {Latency: 30 * time.Millisecond, Loss: 0.05}, "slow": {Latency: 30 * time.Millisecond, Rate: 2e6},
	} {
		t.Run(name, func(t *testing.T) {
			onWire(t, link, func(t *testing.T, n *Network) {
				n.serve(t, edge, echo)
				c, err := n.Dial(t.Context(), "tcp4", edge.String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				go func() { c.Write(sent); c.(*conn).CloseWrite() }()
				if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, sent) {
					t.Errorf("%d bytes of %d, %v", len(got), len(sent), err)
				}
			})
		})
	}
}

// A reader that does not read stops its writer, until the writer's deadline or its own close.
func TestBackPressure(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		begin := make(chan struct{})
		n.serve(t, edge, func(c net.Conn) { <-begin; io.Copy(io.Discard, c) })
		c := n.connect(t, edge)
		c.SetWriteDeadline(time.Now().Add(time.Second))
		k, err := c.Write(make([]byte, 4*windowSize))
		if k < windowSize || k > 2*windowSize || nest(err) != "OpError{write tcp4 source=true addr=true timeout=true} > i/o timeout" {
			t.Errorf("%d bytes, %s", k, nest(err))
		}
		c.SetWriteDeadline(time.Time{})
		time.AfterFunc(time.Second, func() { c.Close() })
		_, err = c.Write(make([]byte, windowSize))
		if nest(err) != "OpError{write tcp4 source=true addr=true timeout=false} > use of closed network connection" {
			t.Errorf("closed while it wrote: %s", nest(err))
		}
		close(begin)
	})
}

// Bytes into silence fill the send buffer, and no more.
func TestWriteIntoSilence(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		n.serve(t, edge, hold)
		n.Censor(Rule{Protocol: HTTP, Action: Drop})
		c := n.connect(t, edge)
		c.SetDeadline(time.Now().Add(time.Minute))
		c.Write([]byte("GET / HTTP/1.1\r\nHost: x.org\r\n\r\n"))
		k, err := c.Write(make([]byte, 16*windowSize))
		if k > 2*windowSize || nest(err) != "OpError{write tcp4 source=true addr=true timeout=true} > i/o timeout" {
			t.Errorf("%d bytes, %s", k, nest(err))
		}
	})
}

// download is how fast size bytes come, in bit/s.
func (n *Network) download(t *testing.T, at netip.AddrPort, size int) float64 {
	t.Helper()
	c, err := n.Dial(t.Context(), "tcp4", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte("GET / HTTP/1.1\r\nHost: slow.org\r\n\r\n"))
	begun := time.Now()
	if k, err := io.CopyN(io.Discard, c, int64(size)); err != nil {
		t.Fatalf("%d bytes, %v", k, err)
	}
	return float64(size) * 8 / time.Since(begun).Seconds()
}

func sends(size int) func(net.Conn) {
	return func(c net.Conn) { c.Read(make([]byte, 1000)); c.Write(make([]byte, size)); hold(c) }
}

// A rate is kept: of the line, of a path, and of a box that throttles by name or by address.
func TestRates(t *testing.T) {
	other := netip.MustParseAddrPort("198.51.100.1:443")
	for _, test := range []struct {
		name        string
		access      int64
		path        int64
		rule        Rule
		want, spare float64 // bit/s from the slow server, and at least so much from another
	}{
		{name: "the line", access: 128e3, want: 128e3, spare: 120e3},
		{name: "a path", access: 8e6, path: 128e3, want: 128e3, spare: 4e6},
		{name: "a name", rule: Rule{Protocol: HTTP, Names: []string{"slow.org"}, Addresses: []netip.Prefix{netip.PrefixFrom(edge.Addr(), 32)}, Action: Throttle, Rate: 128e3}, want: 128e3, spare: 1e6},
		{name: "an address", rule: Rule{Addresses: []netip.Prefix{netip.PrefixFrom(edge.Addr(), 32)}, Action: Throttle, Rate: 128e3}, want: 128e3, spare: 1e6},
	} {
		t.Run(test.name, func(t *testing.T) {
			onWire(t, Link{Latency: 30 * time.Millisecond, Rate: test.access}, func(t *testing.T, n *Network) {
				n.SetPath(netip.PrefixFrom(edge.Addr(), 32), Link{Rate: test.path})
				n.serve(t, edge, sends(100e3))
				n.serve(t, other, sends(100e3))
				if test.rule.Action != "" {
					n.Censor(test.rule)
				}
				if got := n.download(t, edge, 100e3); got < 0.9*test.want || got > 1.05*test.want {
					t.Errorf("%.0f bit/s, want about %.0f", got, test.want)
				}
				if got := n.download(t, other, 100e3); got < test.spare {
					t.Errorf("%.0f bit/s from a server that is not slow", got)
				}
			})
		})
	}
}

// Two downloads share a line, and leave room for datagrams.
func TestSharing(t *testing.T) {
	onWire(t, Link{Latency: 10 * time.Millisecond, Rate: 512e3}, func(t *testing.T, n *Network) {
		n.serve(t, edge, sends(800e3))
		n.echoDatagrams(t, edge)
		rates := make(chan float64, 2)
		for range 2 {
			go func() { rates <- n.download(t, edge, 800e3) }()
		}
		time.Sleep(time.Second)
		u, err := n.Dial(t.Context(), "udp4", edge.String())
		if err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		answered := 0
		for range 20 {
			u.Write([]byte("ping"))
			u.SetReadDeadline(time.Now().Add(700 * time.Millisecond))
			if _, err := u.Read(make([]byte, 9)); err == nil {
				answered++
			}
		}
		if answered < 18 {
			t.Errorf("%d datagrams of 20 came back", answered)
		}
		for range 2 {
			if got := <-rates; got < 200e3 || got > 320e3 {
				t.Errorf("%.0f bit/s of 512000 for two", got)
			}
		}
	})
}

// At 5 % loss each way every handshake completes, and some take seconds (emulation.md: p50 64 ms,
// p90 1.06 s, at most 6.2 s at this line).
func TestHandshakeOnALossyLine(t *testing.T) {
	onWire(t, Link{Latency: 15 * time.Millisecond, Loss: 0.05}, func(t *testing.T, n *Network) {
		n.serveTLS(t, edge, "a.org")
		var slow, slowest time.Duration
		for range 60 {
			begun := time.Now()
			c, err := n.shake(t, edge, &tls.Config{ServerName: "a.org"})
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			if took := time.Since(begun); took > 100*time.Millisecond {
				slow++
				slowest = max(slowest, took)
			}
		}
		if slow < 5 || slow > 30 || slowest < time.Second || slowest > 9*time.Second {
			t.Errorf("%d of 60 were slow, the slowest %v", slow, slowest)
		}
	})
}

// A connection that nobody has accepted is reset when its listener closes.
func TestListenerCloses(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		l, err := n.Listen(edge)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Listen(edge); err == nil {
			t.Error("a port was opened twice")
		}
		c := n.connect(t, edge)
		l.Close()
		if got := said(c.Read(make([]byte, 1))); got != "0 OpError{read tcp4 source=true addr=true timeout=false} > SyscallError{read} > connection reset by peer" {
			t.Error(got)
		}
		if _, err := n.try(edge); err == nil {
			t.Error("a closed port accepts")
		}
	})
}

// BenchmarkHandshake is a TLS handshake through the wire, in real time without latency.
func BenchmarkHandshake(b *testing.B) {
	n := NewNetwork(1)
	defer n.Close()
	n.serveTLS(b, edge, "a.org")
	b.ReportAllocs()
	for b.Loop() {
		c, err := n.shake(b, edge, &tls.Config{ServerName: "a.org"})
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}

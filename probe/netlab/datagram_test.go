package netlab

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

func (n *Network) echoDatagrams(t testing.TB, at netip.AddrPort) {
	t.Helper()
	p, err := n.ListenPacket(at)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		b := make([]byte, 2000)
		for {
			k, from, err := p.ReadFrom(b)
			if err != nil {
				return
			}
			p.WriteTo(b[:k], from)
		}
	}()
}

func (n *Network) socket(t testing.TB, to netip.AddrPort) net.Conn {
	t.Helper()
	c, err := n.Dial(context.Background(), "udp4", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	return c
}

// A datagram takes a round trip, is cut to the reader's buffer, and is answered by ICMP where its port
// is closed and by nobody where its address is.
func TestDatagrams(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		n.echoDatagrams(t, edge)
		begun := time.Now()
		c := n.socket(t, edge)
		c.Write([]byte("longer than the buffer"))
		b := make([]byte, 6)
		if k, err := c.Read(b); err != nil || string(b[:k]) != "longer" || time.Since(begun) != 60*time.Millisecond {
			t.Errorf("%q, %v after %v", b[:k], err, time.Since(begun))
		}
		c.SetReadDeadline(time.Now().Add(time.Second))
		if k, err := c.Read(b); err == nil {
			t.Errorf("the rest came: %q", b[:k])
		}

		begun = time.Now()
		c = n.socket(t, netip.AddrPortFrom(edge.Addr(), 53))
		c.Write([]byte("?"))
		if _, err := c.Read(b); !errors.Is(err, syscall.ECONNREFUSED) || time.Since(begun) != 60*time.Millisecond {
			t.Errorf("a closed port: %v after %v", err, time.Since(begun))
		}
		c = n.socket(t, elsewhere)
		c.Write([]byte("?"))
		if _, err := c.Read(b); !err.(net.Error).Timeout() {
			t.Errorf("an address that nobody has: %v", err)
		}
	})
}

// Each datagram is lost by itself, each way; a rule's loss is drawn for each, and stays what it is
// however many it sees.
func TestDatagramLoss(t *testing.T) {
	for name, test := range map[string]struct {
		link Link
		rule Rule
	}{
		"a lossy line": {Link{Latency: time.Millisecond, Loss: 0.1}, Rule{Protocol: UDP, Action: Delay}},
		"a lossy box":  {Link{Latency: time.Millisecond}, Rule{Protocol: UDP, Action: Lose, Probability: 0.1}},
	} {
		t.Run(name, func(t *testing.T) {
			onWire(t, test.link, func(t *testing.T, n *Network) {
				n.echoDatagrams(t, edge)
				n.Censor(test.rule)
				c, back := n.socket(t, edge), 0
				for range 1000 {
					c.Write([]byte("ping"))
					c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
					if _, err := c.Read(make([]byte, 9)); err == nil {
						back++
					}
				}
				if back < 770 || back > 850 {
					t.Errorf("%d of 1000 came back, want about 810", back)
				}
			})
		})
	}
}

// Jitter lets datagrams overtake each other; a slow line has a queue, and what finds it full is lost.
func TestDatagramQueue(t *testing.T) {
	onWire(t, Link{Latency: 10 * time.Millisecond, Jitter: 20 * time.Millisecond}, func(t *testing.T, n *Network) {
		n.echoDatagrams(t, edge)
		c, overtaken, last := n.socket(t, edge), 0, byte(0)
		for i := range byte(100) {
			c.Write([]byte{i})
		}
		for b := make([]byte, 1); ; last = b[0] {
			if _, err := c.Read(b); err != nil {
				break
			}
			if b[0] < last {
				overtaken++
			}
		}
		if overtaken < 10 {
			t.Errorf("%d overtaken", overtaken)
		}
	})
	onWire(t, Link{Latency: 10 * time.Millisecond, Rate: 128e3}, func(t *testing.T, n *Network) {
		n.echoDatagrams(t, edge)
		c, back := n.socket(t, edge), 0
		for range 100 { // ten seconds' worth
			c.Write(make([]byte, 1600))
		}
		for begun := time.Now(); ; back++ {
			if _, err := c.Read(make([]byte, 1600)); err != nil {
				break
			}
			if time.Since(begun) > 900*time.Millisecond {
				t.Errorf("a datagram waited for %v", time.Since(begun))
			}
		}
		if back < 5 || back > 7 {
			t.Errorf("%d datagrams passed a queue of half a second", back)
		}
	})
}

// packets is the connected socket as a packet conn: what a QUIC client is given.
type packets struct{ net.Conn }

func (p packets) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := p.Read(b)
	return n, p.RemoteAddr(), err
}
func (p packets) WriteTo(b []byte, _ net.Addr) (int, error) { return p.Write(b) }

// serveQUIC answers every stream with size bytes.
func (n *Network) serveQUIC(t testing.TB, at netip.AddrPort, size int, names ...string) {
	t.Helper()
	p, err := n.ListenPacket(at)
	if err != nil {
		t.Fatal(err)
	}
	transport := &quic.Transport{Conn: p}
	config := n.certificates(t, names...)
	config.NextProtos = []string{"test"}
	l, err := transport.Listen(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); transport.Close(); p.Close() })
	go func() {
		for {
			c, err := l.Accept(context.Background())
			if err != nil {
				return
			}
			go func() {
				if s, err := c.AcceptStream(context.Background()); err == nil {
					s.Write(make([]byte, size))
					s.Close()
				}
			}()
		}
	}()
}

// fetch makes a QUIC handshake and reads a stream to its end. large is Go's own hello, of two datagrams.
func (n *Network) fetch(t testing.TB, to netip.AddrPort, name string, large bool) (int, error) {
	t.Helper()
	socket := n.socket(t, to)
	socket.SetReadDeadline(time.Time{})
	transport := &quic.Transport{Conn: packets{socket}}
	defer transport.Close()
	config := &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"test"}}
	if !large {
		config.CurvePreferences = []tls.CurveID{tls.X25519}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := transport.Dial(ctx, socket.RemoteAddr(), config, nil)
	if err != nil {
		return 0, err
	}
	defer c.CloseWithError(0, "")
	s, err := c.OpenStreamSync(ctx)
	if err != nil {
		return 0, err
	}
	s.Write([]byte("?"))
	b, err := io.ReadAll(s)
	return len(b), err
}

// QUIC handshakes and transfers through the wire, in virtual time, also where datagrams are lost or slow.
func TestQUIC(t *testing.T) {
	for name, link := range map[string]Link{
		"clean": far, "lossy": {Latency: 15 * time.Millisecond, Loss: 0.05}, "slow": {Latency: 15 * time.Millisecond, Rate: 4e6},
	} {
		t.Run(name, func(t *testing.T) {
			onWire(t, link, func(t *testing.T, n *Network) {
				n.serveQUIC(t, edge, 300e3, "a.org")
				if got, err := n.fetch(t, edge, "a.org", true); err != nil || got != 300e3 {
					t.Errorf("%d bytes, %v", got, err)
				}
			})
		})
	}
}

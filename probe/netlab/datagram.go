package netlab

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/telltale-probe/telltale/probe/hello"
)

// initialReader reads the hello out of a client's QUIC Initials, as a box that reassembles does.
type initialReader struct {
	reader hello.InitialReader
	seen   int // Initials until then
	done   bool
	name   string // that the hello bears
}

// inboxSize bounds the datagrams that wait to be read, as a socket's buffer does.
const inboxSize = 1024

// inbox is a socket's receive queue: datagrams, and ICMP errors, in the order of their arrival.
type inbox struct {
	mu     sync.Mutex
	change chan struct{}
	queue  []arrival
	readBy time.Time
	until  time.Time // what arrives from then on is lost; zero means never
	shut   bool
}

type arrival struct {
	at    time.Time
	data  []byte
	from  netip.AddrPort
	errno syscall.Errno
}

func newInbox() *inbox { return &inbox{change: make(chan struct{})} }

func (i *inbox) changed() {
	close(i.change)
	i.change = make(chan struct{})
}

func (i *inbox) put(a arrival) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.shut || len(i.queue) >= inboxSize || i.lost(a.at) {
		return
	}
	k, _ := slices.BinarySearchFunc(i.queue, a.at.Add(1), func(e arrival, t time.Time) int { return e.at.Compare(t) })
	i.queue = slices.Insert(i.queue, k, a)
	i.changed()
}

// lost says whether a datagram that is under way then is lost to a move.
func (i *inbox) lost(at time.Time) bool { return !i.until.IsZero() && !at.Before(i.until) }

// read waits for the next arrival. An error that has arrived counts as one.
func (i *inbox) read() (arrival, error) {
	for {
		i.mu.Lock()
		switch {
		case i.shut:
			i.mu.Unlock()
			return arrival{}, net.ErrClosed
		case expired(i.readBy):
			i.mu.Unlock()
			return arrival{}, os.ErrDeadlineExceeded
		case len(i.queue) > 0 && !i.queue[0].at.After(time.Now()):
			a := i.queue[0]
			i.queue = i.queue[1:]
			i.mu.Unlock()
			return a, nil
		}
		change, until := i.change, i.readBy
		if len(i.queue) > 0 && (until.IsZero() || i.queue[0].at.Before(until)) {
			until = i.queue[0].at
		}
		i.mu.Unlock()
		wait(change, until)
	}
}

// pending takes an ICMP error that has arrived: a write gets it too, once.
func (i *inbox) pending() syscall.Errno {
	i.mu.Lock()
	defer i.mu.Unlock()
	for k, a := range i.queue {
		if a.errno != 0 && !a.at.After(time.Now()) {
			i.queue = slices.Delete(i.queue, k, k+1)
			return a.errno
		}
	}
	return 0
}

// close wakes the readers. It says whether the inbox was open.
func (i *inbox) close() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	was := !i.shut
	i.shut = true
	i.changed()
	return was
}

func (i *inbox) closed() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.shut
}

func (i *inbox) deadline(t time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.readBy = t
	i.changed()
}

// datagramConn is the vantage's connected UDP socket.
type datagramConn struct {
	n             *Network
	network       string
	local, remote netip.AddrPort
	flow          *flow
	inbox         *inbox
	hops          hops
}

// hops is how far datagrams may go, 0 as far as there are routers, and who sent the last ICMP error.
type hops struct {
	sync.Mutex
	limit  int
	sender netip.Addr
}

func (n *Network) dialUDP(network string, from, to netip.AddrPort) (net.Conn, error) {
	c := &datagramConn{n: n, network: network, local: from, remote: to, flow: n.newFlow("udp", to, n.path(to.Addr())), inbox: newInbox()}
	c.inbox.until = n.lastsUntil(c.flow.born)
	if !n.hasRoom(to) {
		c.flow.kill()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, dialError(network, to, syscall.ENETUNREACH)
	}
	n.clients[from] = c
	return c, nil
}

func (c *datagramConn) Write(b []byte) (int, error) {
	if errno := c.inbox.pending(); errno != 0 {
		return 0, c.explain("write", errno)
	}
	if c.inbox.closed() {
		return 0, c.explain("write", net.ErrClosed)
	}
	if len(b) > 65507 { // what a UDP datagram can hold (RFC 768)
		return 0, c.explain("write", syscall.EMSGSIZE)
	}
	if to, passes := c.outward(b); passes {
		c.send(to, b)
	}
	return len(b), nil
}

// send puts a datagram that passed the boxes on its way to the server.
func (c *datagramConn) send(to netip.AddrPort, b []byte) {
	link := c.flow.path()
	at, passes := c.flow.pass(outward, link, len(b))
	if !passes || c.inbox.lost(at) {
		return
	}
	c.n.mu.Lock()
	p, known := c.n.packets[to], c.n.known[to.Addr()]
	c.n.mu.Unlock()
	switch {
	case p != nil:
		p.inbox.put(arrival{at: at, data: slices.Clone(b), from: c.local})
	case known: // ICMP port unreachable
		c.inbox.put(arrival{at: at.Add(c.n.delay(link)), errno: syscall.ECONNREFUSED})
	}
}

// pass is when a datagram comes out at the other end, if it isn't lost on the way: to chance, or to a
// queue that is full. The box that throttles has one too.
func (f *flow) pass(direction int, link Link, size int) (at time.Time, passes bool) {
	at, room := f.n.transmit(direction, link, size)
	f.mu.Lock()
	queued := f.free[direction].Sub(at)
	f.mu.Unlock()
	if link.swallows(direction, size) || !room || queued > longestQueue || f.n.loses(link, time.Now()) {
		return at, false
	}
	return f.throttled(direction, at, size).Add(f.n.delay(link)), true
}

func (c *datagramConn) Read(b []byte) (int, error) {
	a, err := c.inbox.read()
	if err == nil && a.errno != 0 {
		err = a.errno
	}
	if err != nil {
		return 0, c.explain("read", err)
	}
	return copy(b, a.data), nil
}

func (c *datagramConn) explain(op string, err error) error {
	if errno, ok := err.(syscall.Errno); ok {
		err = syscallError(op, errno)
	}
	return opError(op, c.network, c.LocalAddr(), c.RemoteAddr(), err)
}

func (c *datagramConn) Close() error {
	c.n.mu.Lock()
	delete(c.n.clients, c.local)
	c.n.mu.Unlock()
	if !c.inbox.close() {
		return c.explain("close", net.ErrClosed)
	}
	return nil
}

func (c *datagramConn) LocalAddr() net.Addr  { return netAddr("udp", c.local) }
func (c *datagramConn) RemoteAddr() net.Addr { return netAddr("udp", c.remote) }

func (c *datagramConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }
func (c *datagramConn) SetReadDeadline(t time.Time) error {
	if c.inbox.closed() {
		return opError("set", c.network, nil, c.LocalAddr(), net.ErrClosed)
	}
	c.inbox.deadline(t)
	return nil
}

// SetWriteDeadline does nothing: a datagram never waits.
func (c *datagramConn) SetWriteDeadline(time.Time) error { return nil }

// packetConn is a server's UDP port.
type packetConn struct {
	n     *Network
	at    netip.AddrPort
	inbox *inbox
}

// ListenPacket opens a server's UDP port. A closed one at a known address is refused by ICMP.
func (n *Network) ListenPacket(at netip.AddrPort) (net.PacketConn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || n.packets[at] != nil {
		return nil, &net.OpError{Op: "listen", Net: "udp", Addr: netAddr("udp", at), Err: syscall.EADDRINUSE}
	}
	p := &packetConn{n: n, at: at, inbox: newInbox()}
	n.packets[at], n.known[at.Addr()] = p, true
	return p, nil
}

func (p *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	a, err := p.inbox.read()
	if err != nil {
		return 0, nil, opError("read", "udp", p.LocalAddr(), nil, err)
	}
	return copy(b, a.data), netAddr("udp", a.from), nil
}

// WriteTo sends a datagram back to the vantage, as far as the boxes let it.
func (p *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, opError("write", "udp", p.LocalAddr(), to, syscall.EINVAL)
	}
	if p.inbox.closed() {
		return 0, opError("write", "udp", p.LocalAddr(), to, net.ErrClosed)
	}
	key := u.AddrPort()
	p.n.mu.Lock()
	c := p.n.clients[netip.AddrPortFrom(key.Addr().Unmap(), key.Port())]
	p.n.mu.Unlock()
	if c == nil {
		return len(b), nil
	}
	c.flow.mu.Lock()
	gone, link := c.flow.dead || c.flow.deaf, c.flow.link
	c.flow.mu.Unlock()
	if gone {
		return len(b), nil
	}
	if at, passes := c.flow.pass(inward, link, len(b)); passes {
		c.inbox.put(arrival{at: at, data: slices.Clone(b), from: p.at})
	}
	return len(b), nil
}

func (p *packetConn) Close() error {
	p.n.mu.Lock()
	if p.n.packets[p.at] == p {
		delete(p.n.packets, p.at)
	}
	p.n.mu.Unlock()
	p.inbox.close()
	return nil
}

func (p *packetConn) LocalAddr() net.Addr { return netAddr("udp", p.at) }

func (p *packetConn) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }
func (p *packetConn) SetReadDeadline(t time.Time) error {
	p.inbox.deadline(t)
	return nil
}

// SetWriteDeadline does nothing: a datagram never waits.
func (p *packetConn) SetWriteDeadline(time.Time) error { return nil }

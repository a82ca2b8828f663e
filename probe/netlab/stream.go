package netlab

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// conn is one end of a TCP connection.
type conn struct {
	n             *Network
	network       string
	local, remote net.Addr
	client        bool
	flow          *flow // what the boxes on the path know of the connection; both ends share it

	mu     sync.Mutex
	in     *half
	out    *half
	closed bool
	linger int
	broken bool // a reset was told: further writes get EPIPE
}

// listener is a server's open port.
type listener struct {
	n       *Network
	at      netip.AddrPort
	backlog chan *conn
	ended   chan struct{}
	once    sync.Once
}

// backlogSize bounds the connections that wait to be accepted, as listen(2) does.
const backlogSize = 128

// Listen opens a server's TCP port. An address of which no port was ever opened is silent; a closed
// port at a known address refuses.
func (n *Network) Listen(at netip.AddrPort) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || n.listeners[at] != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: netAddr("tcp", at), Err: syscall.EADDRINUSE}
	}
	l := &listener{n: n, at: at, backlog: make(chan *conn, backlogSize), ended: make(chan struct{})}
	n.listeners[at], n.known[at.Addr()] = l, true
	return l, nil
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.ended:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
}

func (l *listener) Addr() net.Addr { return netAddr("tcp", l.at) }

func (l *listener) end() { l.once.Do(func() { close(l.ended) }) }

func (l *listener) Close() error {
	l.n.mu.Lock()
	if l.n.listeners[l.at] == l {
		delete(l.n.listeners, l.at)
	}
	l.n.mu.Unlock()
	l.end()
	return nil
}

// dialTCP makes the three-way handshake: it asks the boxes on the path, then the server.
func (n *Network) dialTCP(ctx context.Context, network string, from, to netip.AddrPort) (net.Conn, error) {
	link := n.path(to.Addr())
	f := n.newFlow("tcp", to, link)
	verdict := f.syn()
	if verdict == nil || verdict.Action == AcceptReset || verdict.Action == AcceptClose {
		if err := n.await(ctx, network, to, n.handshakeTime(link, verdict)); err != nil {
			return nil, err
		}
		return n.connected(network, from, to, f, verdict)
	}
	at := 2 * f.upTo(verdict)
	switch verdict.Action {
	case Reset:
		return nil, n.refused(ctx, network, to, at, syscall.ECONNREFUSED)
	case ICMP:
		return nil, n.refused(ctx, network, to, at, icmpErrno(verdict.Code))
	}
	return nil, n.silence(ctx, network, to)
}

// handshakeTime is a round trip, and a second, three, seven … more for SYNs or answers that are lost.
func (n *Network) handshakeTime(l Link, verdict *Rule) time.Duration {
	t, rto := n.delay(l)+n.delay(l), synTimeout
	for n.chance(1 - (1-l.Loss)*(1-l.Loss)) {
		t += rto
		rto *= 2
	}
	if verdict != nil {
		t = time.Duration(float64(t) * verdict.position())
	}
	return t
}

// connected asks the server's side.
func (n *Network) connected(network string, from, to netip.AddrPort, f *flow, verdict *Rule) (net.Conn, error) {
	n.mu.Lock()
	l, known, closed := n.listeners[to], n.known[to.Addr()], n.closed
	n.mu.Unlock()
	client := &conn{n: n, network: network, local: netAddr("tcp", from), remote: netAddr("tcp", to), client: true, flow: f, in: newHalf(), out: newHalf(), linger: -1}
	switch {
	case closed:
		return nil, dialError(network, to, syscall.ENETUNREACH)
	case verdict != nil:
		f.kill()
		end := error(syscall.ECONNRESET)
		if verdict.Action == AcceptClose {
			end = io.EOF
		}
		client.in.finish(end, f.injected(verdict)) // when the last ACK of the handshake has reached the box
		n.track(client)
		return client, nil
	case l == nil && known:
		return nil, dialError(network, to, syscall.ECONNREFUSED)
	}
	server := &conn{n: n, network: "tcp", local: client.remote, remote: client.local, flow: f, in: client.out, out: client.in, linger: -1}
	f.server = server
	f.client = client
	select {
	case l.backlog <- server:
	default: // a full backlog swallows the SYN; the connection then hangs as a mute server's does
	}
	n.track(client)
	n.track(server)
	return client, nil
}

func (n *Network) track(c *conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.streams[c] = struct{}{}
}

// await lets the time of a handshake pass; an address that nobody has stays silent.
func (n *Network) await(ctx context.Context, network string, to netip.AddrPort, t time.Duration) error {
	n.mu.Lock()
	known := n.known[to.Addr()]
	n.mu.Unlock()
	if !known {
		return n.silence(ctx, network, to)
	}
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return dialEnded(ctx, network, to)
	case <-n.done:
		return dialError(network, to, syscall.ENETUNREACH)
	}
}

func (n *Network) refused(ctx context.Context, network string, to netip.AddrPort, after time.Duration, errno syscall.Errno) error {
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-timer.C:
		return dialError(network, to, errno)
	case <-ctx.Done():
		return dialEnded(ctx, network, to)
	}
}

func (n *Network) silence(ctx context.Context, network string, to netip.AddrPort) error {
	select {
	case <-ctx.Done():
		return dialEnded(ctx, network, to)
	case <-n.done:
		return dialError(network, to, syscall.ENETUNREACH)
	}
}

func (c *conn) halves() (in, out *half) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in, c.out
}

func (c *conn) Read(b []byte) (int, error) {
	in, _ := c.halves()
	n, err := in.read(b)
	if err != nil {
		return n, c.explain("read", err)
	}
	return n, nil
}

func (c *conn) Write(b []byte) (int, error) {
	in, out := c.halves()
	if err := c.writable(in); err != nil {
		return 0, c.explain("write", err)
	}
	sent := 0
	for len(b) > sent {
		if err := out.room(); err != nil {
			return sent, c.explain("write", err)
		}
		part := b[sent:min(len(b), sent+16*segmentSize)]
		c.flow.carry(c, part)
		sent += len(part)
		_, out = c.halves() // an interception may have taken the place of the server
	}
	return sent, nil
}

// writable says what a write meets at once: a close of our own, or a reset that has arrived.
func (c *conn) writable(in *half) error {
	c.mu.Lock()
	closed, broken := c.closed, c.broken
	c.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.end == nil || in.end == io.EOF || in.endAt.After(time.Now()) {
		return nil
	}
	if broken || in.told {
		return syscall.EPIPE
	}
	in.told = true
	return in.end
}

// explain nests an error as the kernel's would be; io.EOF stays bare.
func (c *conn) explain(op string, err error) error {
	if err == io.EOF {
		return err
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		c.mu.Lock()
		c.broken = true
		c.mu.Unlock()
		err = syscallError(op, errno)
	}
	return opError(op, c.network, c.local, c.remote, err)
}

func (c *conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return opError("close", c.network, c.local, c.remote, net.ErrClosed)
	}
	c.closed = true
	in, out, linger := c.in, c.out, c.linger
	c.mu.Unlock()
	in.close(net.ErrClosed, true)
	out.close(net.ErrClosed, false)
	end := error(io.EOF)
	if linger == 0 {
		end = syscall.ECONNRESET
	}
	c.flow.finish(c, out, end)
	c.n.mu.Lock()
	delete(c.n.streams, c)
	c.n.mu.Unlock()
	return nil
}

// CloseWrite sends a FIN and goes on reading.
func (c *conn) CloseWrite() error {
	_, out := c.halves()
	c.flow.finish(c, out, io.EOF)
	return nil
}

// SetLinger has the meaning of net.TCPConn's: with 0, Close sends a reset.
func (c *conn) SetLinger(seconds int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.linger = seconds
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	in, _ := c.halves()
	in.deadline(true, t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	_, out := c.halves()
	out.deadline(false, t)
	return nil
}

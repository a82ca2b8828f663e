package netlab

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// conn is one end of a TCP connection.
type conn struct {
	n             *Network
	network       string
	local, remote net.Addr
	client        bool
	in            *half

	mu      sync.Mutex
	flow    *flow // what the boxes on the path know of the connection; both ends share it
	out     *half // an interception puts another flow and another half in their place
	closed  bool
	shut    bool // CloseWrite
	linger  int
	acked   int       // bytes that the peer's kernel has, or a box that speaks in its place
	unheard int       // bytes that went where nobody acknowledges them
	lostAt  time.Time // when the reset arrives that answers bytes for a socket that is gone
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

// Close resets the connections that nobody has accepted, as the kernel does.
func (l *listener) Close() error {
	l.n.mu.Lock()
	if l.n.listeners[l.at] == l {
		delete(l.n.listeners, l.at)
	}
	l.n.mu.Unlock()
	l.end()
	for {
		select {
		case c := <-l.backlog:
			_ = c.SetLinger(0)
			_ = c.Close()
		default:
			return nil
		}
	}
}

// wire is what a writer writes to now.
func (c *conn) wire() (*flow, *half) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flow, c.out
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.in.read(b)
	if err != nil {
		return n, c.explain("read", err)
	}
	return n, nil
}

func (c *conn) Write(b []byte) (int, error) {
	sent := 0
	for len(b) > sent {
		f, out, err := c.room()
		if err != nil {
			return sent, c.explain("write", err)
		}
		most := 16 * segmentSize
		if f.path().Rate > 0 {
			most = segmentSize // so that connections share a slow line segment by segment
		}
		part := b[sent:min(len(b), sent+most)]
		if c.client {
			f.recall()
		}
		f.carry(c, part)
		c.count(f, out, len(part))
		sent += len(part)
	}
	return sent, nil
}

// room waits until more may be sent: until the peer's window and the line's queue have room. It says
// why where there never will be.
func (c *conn) room() (f *flow, out *half, err error) {
	for {
		f, out = c.wire()
		out.mu.Lock()
		change, by, gone, full, buffered := out.change, out.writeBy, out.swallows, out.bytes >= windowSize, out.bytes < sendBuffer
		out.mu.Unlock()
		if err := c.writable(); err != nil {
			return f, out, err
		}
		if expired(by) {
			return f, out, os.ErrDeadlineExceeded
		}
		c.mu.Lock()
		until, deaf := c.lostAt, c.unheard >= windowSize
		c.mu.Unlock()
		switch {
		case deaf: // the send buffer is full of what nobody acknowledges
		case gone, c.client && buffered:
			return f, out, nil
		case full:
			_ = out.room() // what ended it shows above
			continue
		default:
			if until = c.n.roomAt(c.direction(), f.path()); !until.After(time.Now()) {
				return f, out, nil
			}
		}
		if until.IsZero() || !by.IsZero() && by.Before(until) {
			until = by
		}
		wait(change, until)
	}
}

// sendBuffer is what a client's kernel takes before the line has room for it (tcp_wmem's default). A
// write that waited for the line would hold a lock of the HTTP/2 client for as long, and virtual time
// stands still for who waits on a lock.
const sendBuffer = 16 << 10

func (c *conn) direction() int {
	if c.client {
		return outward
	}
	return inward
}

// count notes bytes that nobody acknowledges. Where the flow is dead nothing more is heard; where the
// peer's socket is gone its kernel answers with a reset, a round trip later.
func (c *conn) count(f *flow, out *half, size int) {
	f.mu.Lock()
	dead, rtt := f.ended() || f.stuck[c.direction()], 2*(f.link.Latency+f.late)
	f.mu.Unlock()
	out.mu.Lock()
	gone := out.swallows
	out.mu.Unlock()
	if !dead && !gone {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unheard += size
	if !dead && c.lostAt.IsZero() {
		c.lostAt = time.Now().Add(rtt)
	}
}

// writable says what a write meets at once: a close of our own, or a reset that has arrived. A reset
// is told once, by a read or by a write; one that comes behind the peer's FIN is told as EPIPE.
func (c *conn) writable() error {
	c.mu.Lock()
	closed, shut, lost := c.closed, c.shut, expired(c.lostAt)
	c.mu.Unlock()
	switch {
	case closed:
		return net.ErrClosed
	case shut:
		return syscall.EPIPE
	}
	in := c.in
	in.mu.Lock()
	defer in.mu.Unlock()
	switch reset := in.end != nil && in.end != io.EOF && !in.endAt.After(time.Now()); {
	case reset && !in.told:
		in.told = true
		return in.end
	case reset, lost:
		return syscall.EPIPE
	}
	return nil
}

// explain nests an error as the kernel's would be; io.EOF stays bare.
func (c *conn) explain(op string, err error) error {
	if err == io.EOF {
		return err
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		err = syscallError(op, errno)
	}
	return opError(op, c.network, c.local, c.remote, err)
}

// Close sends a FIN, or a reset if that was asked for or if bytes are left unread (RFC 2525, section 2.17).
func (c *conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return c.explain("close", net.ErrClosed)
	}
	c.closed = true
	f, out, linger := c.flow, c.out, c.linger
	c.mu.Unlock()
	unread := c.in.unread()
	c.in.close(net.ErrClosed, true)
	out.deadline(false, time.Unix(1, 0)) // wakes a writer that waits
	if linger == 0 || unread {
		c.abort(f, out)
	} else {
		f.finish(c, out, io.EOF)
	}
	c.n.mu.Lock()
	delete(c.n.streams, c)
	c.n.mu.Unlock()
	return nil
}

// unread says whether bytes have arrived that nobody has taken.
func (h *half) unread() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.queue) > 0 && !h.queue[0].at.After(time.Now())
}

// abort sends a reset of our own. It comes behind the bytes that are under way: a box's alone overtakes them.
func (c *conn) abort(f *flow, out *half) {
	if f.silent(c) {
		return
	}
	at := time.Now().Add(f.n.delay(f.path()))
	out.mu.Lock()
	at = later(at, out.last)
	out.mu.Unlock()
	out.finish(syscall.ECONNRESET, at)
}

// CloseWrite sends a FIN and goes on reading.
func (c *conn) CloseWrite() error {
	c.mu.Lock()
	closed, f, out := c.closed, c.flow, c.out
	c.shut = true
	c.mu.Unlock()
	if closed {
		return c.explain("close", net.ErrClosed)
	}
	f.finish(c, out, io.EOF)
	return nil
}

// SetLinger has the meaning of net.TCPConn's: with 0, Close sends a reset.
func (c *conn) SetLinger(seconds int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.linger = seconds
	return nil
}

// TCPInfo is what the client's kernel would say: what of its bytes was acknowledged, the SYN among them.
func (c *conn) TCPInfo() *measurements.TCPInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &measurements.TCPInfo{BytesAcked: uint64(c.acked) + 1}
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	return c.deadline(c.in, true, t)
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	_, out := c.wire()
	return c.deadline(out, false, t)
}

// deadline fails on a closed connection, whose deadlines are the ones that Close has set.
func (c *conn) deadline(h *half, read bool, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return opError("set", c.network, nil, c.local, net.ErrClosed)
	}
	h.deadline(read, t)
	return nil
}

package probe

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

const (
	// recordedBytes of each direction are kept of a stream: our hello with room to spare (the
	// post-quantum one has about 1,500 bytes), an alert, or the head of a block page. Chosen by us.
	recordedBytes = 4 << 10
	// recordedDatagrams of each direction are kept: two carry the largest hello that we send, and two
	// more tell its retransmission from an answer. Chosen by us.
	recordedDatagrams = 4
)

// Traffic is what a connection has carried since it was opened. Counts are payload bytes, headers of
// TCP and UDP not included.
type Traffic struct {
	Sent, Received int64
	Writes, Reads  int // those that carried something; over UDP these are datagrams

	// FirstSent and FirstReceived are the first bytes of a stream, up to 4 KiB; nil over UDP.
	FirstSent, FirstReceived []byte
	// DatagramsSent and DatagramsReceived are the first four of each direction; nil over TCP.
	DatagramsSent, DatagramsReceived [][]byte

	FirstWrite time.Time // zero: nothing was sent
	LastRead   time.Time // zero: nothing came

	// Err is the first error that the network gave, io.EOF included. Deadlines and closing are our
	// own doing, and no error. A socket tells its error once, and later calls get an echo (EPIPE, EOF).
	Err error
}

// Conn is a connection that remembers what it carried: what crypto/tls, net/http and quic-go hide of
// an answer is read here. It is safe for concurrent use, as its net.Conn is; whoever holds it closes it.
type Conn struct {
	net.Conn
	endpoint  netip.AddrPort
	datagrams bool

	mu   sync.Mutex
	seen Traffic
	kept []byte // read by Settle, for the next reader
	info *measurements.TCPInfo

	hunger appetite

	withHops func([]byte) (n, hops int, err error) // reads a datagram with its hop limit; nil: nobody asked
	hops     int                                   // of the last datagram; 0: not known
}

// record starts the recording of a fresh connection to an endpoint.
func record(inner net.Conn, ep netip.AddrPort, datagrams bool) *Conn {
	return &Conn{Conn: inner, endpoint: ep, datagrams: datagrams}
}

// Traffic is what was carried up to now.
func (c *Conn) Traffic() Traffic {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.seen // what is recorded is only ever appended to, so clipping is enough of a copy
	t.FirstSent, t.FirstReceived = slices.Clip(t.FirstSent), slices.Clip(t.FirstReceived)
	t.DatagramsSent, t.DatagramsReceived = slices.Clip(t.DatagramsSent), slices.Clip(t.DatagramsReceived)
	return t
}

// Read reads what Settle has kept, then from the network.
func (c *Conn) Read(b []byte) (int, error) {
	c.mu.Lock()
	if n := copy(b, c.kept); n > 0 {
		c.kept = c.kept[n:]
		c.mu.Unlock()
		return n, nil
	}
	c.mu.Unlock() // never held while waiting for the network
	return c.receive(b)
}

// receive reads from the network.
func (c *Conn) receive(b []byte) (int, error) {
	room := c.room(len(b))
	if room == 0 && len(b) > 0 {
		return 0, errBound()
	}
	n, hops, err := c.read(b[:room])
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hops = hops
	if n > 0 {
		c.hunger.left -= n
		c.seen.Received += int64(n)
		c.seen.Reads++
		c.seen.LastRead = time.Now()
		keep(c.datagrams, b[:n], &c.seen.FirstReceived, &c.seen.DatagramsReceived)
	}
	c.note(err)
	return n, err
}

// Write writes to the network.
func (c *Conn) Write(b []byte) (int, error) {
	now := time.Now()
	c.mu.Lock()
	c.hunger.under += len(b) // the answer may be read before this is counted
	c.mu.Unlock()
	n, err := c.Conn.Write(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hunger.under -= len(b)
	if n > 0 {
		if c.seen.Writes == 0 {
			c.seen.FirstWrite = now
		}
		c.hunger.left -= n
		c.seen.Sent += int64(n)
		c.seen.Writes++
		keep(c.datagrams, b[:n], &c.seen.FirstSent, &c.seen.DatagramsSent)
	}
	c.note(err)
	return n, err
}

// keep adds to the first bytes or to the first datagrams, while there is room.
func keep(datagrams bool, b []byte, stream *[]byte, packets *[][]byte) {
	switch {
	case datagrams && len(*packets) < recordedDatagrams:
		*packets = append(*packets, slices.Clone(b))
	case !datagrams && len(*stream) < recordedBytes:
		*stream = append(*stream, b[:min(len(b), recordedBytes-len(*stream))]...)
	}
}

// note remembers the first error that is not our own doing.
func (c *Conn) note(err error) {
	ours := errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe)
	if err != nil && !ours && c.seen.Err == nil {
		c.seen.Err = err
	}
}

// Close closes the connection, once the kernel's last word about it is taken down.
func (c *Conn) Close() error {
	c.tcpInfo()
	return c.Conn.Close()
}

// emulatedInfo is what a connection has that does not end in the kernel, and knows what one would say.
type emulatedInfo interface {
	TCPInfo() *measurements.TCPInfo
}

// tcpInfo is the kernel's view of the connection, the last one where it is closed already; nil where
// the platform gives none.
func (c *Conn) tcpInfo() *measurements.TCPInfo {
	now := kernelInfo(c.Conn)
	if emulated, ok := c.Conn.(emulatedInfo); ok {
		now = emulated.TCPInfo()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if now != nil {
		c.info = now
	}
	return c.info
}

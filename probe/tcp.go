package probe

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/deadline"
)

// Connect measures a TCP handshake. It fails as the kernel says: refused (a reset in answer to our
// SYN, or ICMP), unreachable (ICMP, or no route of our own), or a timeout. On success the caller
// closes the connection; on failure it is nil. RFC 9293, section 3.5; OONI df-005-tcpconnect.
func (h Host) Connect(ctx context.Context, ep netip.AddrPort) (*Conn, measurements.Observation) {
	s := begin(measurements.Connect, "tcp", ep, "")
	conn, err := h.open(ctx, "tcp", ep)
	return conn, s.end(conn, err)
}

// Settle stays silent on a fresh connection, and measures whether it dies before we sent a byte: by
// a reset, or by an EOF. Silence until wait is over, or until ctx ends by its deadline, is success;
// so are bytes, which the next reader gets. The connection stays open and without a deadline, on
// failure too: the caller closes it.
//
// What dies here dies whatever we would have said: Sundara Raman et al., SIGCOMM 2023, call it
// Post-ACK tampering.
func Settle(ctx context.Context, conn *Conn, wait time.Duration) measurements.Observation {
	s := beginOn(measurements.Settle, "tcp", conn, "")
	err := conn.listen(ctx, wait)
	return s.end(conn, err)
}

// listen waits for bytes and keeps them. nil means that the connection lives.
func (c *Conn) listen(ctx context.Context, wait time.Duration) error {
	quiet, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	undo := deadline.Obey(quiet, c.Conn)
	defer undo()

	b := make([]byte, recordedBytes)
	n, err := c.receive(b)
	if n > 0 {
		c.mu.Lock()
		c.kept = append(c.kept, b[:n]...)
		c.mu.Unlock()
		return nil
	}
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	}
	return nil
}

package netlab

import (
	"io"
	"net"
)

// segment is what one TCP segment carries on an Ethernet path: 1500 bytes less the two headers and
// the timestamps.
const segment = 1448

// pickyListener is a server behind a box that has never seen a ClientHello of two segments: Go's
// default one, with its post-quantum key share, is. Such boxes are old, not malicious
// (https://tldr.fail lists some).
type pickyListener struct{ net.Listener }

func (l *pickyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &pickyConn{Conn: c}, nil
}

type pickyConn struct {
	net.Conn
	seen   bool
	header []byte // of the first record, read ahead
}

// Read looks at the header of the first record (type 22, version, length: RFC 8446 section 5.1)
// and resets the connection if the record does not fit one segment.
func (c *pickyConn) Read(b []byte) (int, error) {
	if !c.seen {
		c.seen = true
		header := make([]byte, 5)
		n, err := io.ReadFull(c.Conn, header)
		if err == nil && header[0] == 22 && len(header)+int(header[3])<<8+int(header[4]) > segment {
			c.reset()
			return 0, io.ErrUnexpectedEOF
		}
		c.header = header[:n]
	}
	if len(c.header) > 0 {
		n := copy(b, c.header)
		c.header = c.header[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

// reset closes so that the peer sees a reset.
func (c *pickyConn) reset() {
	if l, ok := c.Conn.(interface{ SetLinger(seconds int) error }); ok {
		_ = l.SetLinger(0)
	}
	_ = c.Close()
}

package probe

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"net"
	"net/http"

	"github.com/telltale-probe/telltale/measurements"
)

// curt is a connection on which little is read, and whose answer is known as far as it came.
type curt struct {
	net.Conn
	wire   *Conn
	before Traffic
	came   []byte // of HTTP/1.1
}

// shorten keeps an exchange with an app's gateway within what an app's handshake may take; of what somebody else serves
// in its place, all that is evidence is read.
//
// Over HTTP/1.1 the record of TLS in which the status line is is read to its end, for it can't be read in part. HTTP/2 is
// bounded from the start, on the wire, since net/http speaks it on a *tls.Conn alone: its header comes in a frame of its
// own, and one that is too long by itself is not understood.
func (x *exchange) shorten(conn net.Conn, wire *Conn) net.Conn {
	if x.in.Speaks != measurements.LEGY || !x.in.Verified {
		return conn
	}
	wire.sip()
	x.curt = &curt{Conn: conn, wire: wire, before: wire.Traffic()}
	if secure, ok := conn.(*tls.Conn); ok && secure.ConnectionState().NegotiatedProtocol == "h2" {
		wire.boundFrom(x.curt.before)
		return conn
	}
	return x.curt
}

// Read reads an answer in HTTP/1.1.
func (c *curt) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	known := bytes.IndexByte(c.came, '\n') >= 0
	c.came = append(c.came, p[:n]...)
	if !known && bytes.IndexByte(c.came, '\n') >= 0 {
		c.wire.boundFrom(c.before)
	}
	return n, err
}

// enough takes what came for the answer where we did not read on: that is no failure of anybody's.
func (x *exchange) enough(req *http.Request, err error) error {
	if err == nil || x.curt == nil || !x.curt.wire.full() {
		return err
	}
	if x.seen.Status != 0 {
		x.seen.BodyTruncated = true
		return nil
	}
	lines := x.curt.came[:bytes.LastIndexByte(x.curt.came, '\n')+1]
	resp, broken := http.ReadResponse(bufio.NewReader(bytes.NewReader(append(bytes.Clone(lines), "\r\n"...))), req)
	if broken != nil {
		return err
	}
	resp.Body = http.NoBody
	err = x.answer(resp, nil)
	x.seen.BodyTruncated = true
	return err
}

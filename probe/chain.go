package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/netip"

	"github.com/telltale-probe/telltale/measurements"
)

// chain is the steps on one connection, one after the other, until one fails. It notes each.
type chain struct {
	p    *Plan
	s    *sheet
	role role
	ep   netip.AddrPort
	// roots are the target's own; none: the host's.
	roots []*x509.Certificate

	padding int // of requests in clear
}

// alpn is what our hello offers over TCP: what a browser offers.
var alpn = []string{"h2", "http/1.1"}

func (c chain) note(o measurements.Observation) { c.s.note(c.role, o) }

// connect opens a connection; nil where it fails.
func (c *chain) connect(ctx context.Context) (*Conn, measurements.Observation) {
	c.role.conn = c.s.conn()
	sctx, cancel := c.p.step(ctx)
	defer cancel()
	conn, o := c.p.Host.Connect(sctx, c.ep)
	c.note(o)
	return conn, o
}

// settle stays silent for about a round trip, and says whether the connection lived through it. It
// closes the connection where not.
func (c *chain) settle(ctx context.Context, conn *Conn, connect measurements.Observation) bool {
	o := Settle(ctx, conn, settleFor(connect.Duration))
	c.note(o)
	if !o.OK() {
		_ = conn.Close()
	}
	return o.OK()
}

// tcp connects and stays silent: all that can be asked of a target whose own handshake we don't speak.
func (c chain) tcp(ctx context.Context) bool {
	conn, o := c.connect(ctx)
	if conn == nil {
		return false
	}
	if !c.settle(ctx, conn, o) {
		return false
	}
	_ = conn.Close()
	return true
}

// http makes one exchange in clear.
func (c chain) http(ctx context.Context, host, path string, body int64) bool {
	conn, o := c.connect(ctx)
	if conn == nil || c.role.control == measurements.N && !c.settle(ctx, conn, o) {
		return false
	}
	sctx, cancel := c.p.step(ctx)
	defer cancel()
	x := HTTP(sctx, conn, HTTPInput{Method: "GET", Host: host, Path: path, MaxBody: body, Padding: c.padding})
	c.note(x)
	return x.OK()
}

// tls makes a handshake and, with a path, one exchange over it. Where the certificate does not
// verify, the exchange is made all the same: what an imposter serves is evidence.
func (c chain) tls(ctx context.Context, name, path string, shape measurements.Shape, body int64) bool {
	conn, o := c.connect(ctx)
	if conn == nil || c.role.control == measurements.N && !c.settle(ctx, conn, o) {
		return false
	}
	sctx, cancel := c.p.step(ctx)
	defer cancel()
	secure, h := c.p.Host.TLS(sctx, conn, TLSInput{Name: name, Shape: shape, ALPN: alpn, Roots: c.roots})
	c.note(h)
	if secure == nil {
		return false
	}
	if path == "" && h.OK() {
		_ = secure.Close()
		return true
	}
	return c.exchange(ctx, secure, name, path, body, h.OK()) && h.OK()
}

func (c chain) exchange(ctx context.Context, conn *tls.Conn, name, path string, body int64, verified bool) bool {
	if path == "" {
		path = "/"
	}
	if !verified {
		body = keptBody
	}
	sctx, cancel := c.p.step(ctx)
	defer cancel()
	method := http.MethodGet
	if body == 0 {
		method = http.MethodHead // the header alone is wanted
	}
	x := HTTP(sctx, conn, HTTPInput{Method: method, Host: name, Path: path, Verified: verified, MaxBody: body})
	c.note(x)
	return x.OK()
}

// quic makes a QUIC handshake and, with a path, one exchange over it.
func (c chain) quic(ctx context.Context, name, path string, shape measurements.Shape, body int64) bool {
	c.role.conn = c.s.conn()
	sctx, cancel := c.p.step(ctx)
	defer cancel()
	conn, h := c.p.Host.QUIC(sctx, c.ep, TLSInput{Name: name, Shape: shape, Roots: c.roots})
	c.note(h)
	if conn == nil {
		return false
	}
	if path == "" {
		conn.Close()
		return true
	}
	xctx, done := c.p.step(ctx)
	defer done()
	x := HTTP3(xctx, conn, HTTPInput{Method: "GET", Host: name, Path: path, Verified: true, MaxBody: body})
	c.note(x)
	return x.OK()
}

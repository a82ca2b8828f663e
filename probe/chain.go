package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/netip"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// chain is the steps on one connection, one after the other, until one fails. It notes each.
type chain struct {
	p    *Plan
	s    *sheet
	role role
	ep   netip.AddrPort
	// roots are the target's own; none: the host's.
	roots []*x509.Certificate

	// triggered is when a target of ours failed here last, before this visit; zero where none is known.
	triggered time.Time

	padding int // of requests in clear

	// protocols are what the hello offers; none: alpn.
	protocols []string
	identity  bool // the peer is asked for the proof that it has the app's key
	// speak, if set, is what is done on a verified connection in place of an exchange. It closes conn.
	speak func(ctx context.Context, c chain, conn *tls.Conn) bool
	// ask is what is wanted of an answer over HTTP, beside the answer: the proof that it is the app's.
	ask HTTPInput
}

// alpn is what our hello offers over TCP: what a browser offers.
var alpn = []string{"h2", "http/1.1"}

// offersOf is what a probe's hello offers: a WebSocket is asked for in HTTP/1.1 (RFC 6455, section 4.1).
func offersOf(w Probe) []string {
	if w == ProbeWSS {
		return alpn[1:]
	}
	return alpn
}

func (c chain) note(o measurements.Observation) {
	if !c.triggered.IsZero() {
		o.SinceTrigger = measurements.Seconds(o.Started.Sub(c.triggered))
	}
	c.s.note(c.role, o)
}

// triggered is when a target failed at a place last; zero where that is not known.
func (p *Plan) triggered(place schedule.Place) time.Time {
	if p.Ledger == nil {
		return time.Time{}
	}
	return p.Ledger.Triggered(place)
}

// step bounds one step by the plan's timeout. Where it is silent for long, neutral hosts of the gate are asked what
// they hear meanwhile.
func (c chain) step(ctx context.Context, quic bool) (context.Context, context.CancelFunc) {
	sctx, cancel := c.p.step(ctx)
	if c.s.m.App == measurements.ControlApp {
		return sctx, cancel
	}
	stop := c.p.witnesses.watch(passage{measurements.FamilyOf(c.ep.Addr()), quic})
	return sctx, func() {
		stop()
		cancel()
	}
}

// connect opens a connection; nil where it fails.
func (c *chain) connect(ctx context.Context) (*Conn, measurements.Observation) {
	c.role.conn = c.s.conn()
	sctx, cancel := c.step(ctx, false)
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
	sctx, cancel := c.step(ctx, false)
	defer cancel()
	x := HTTP(sctx, conn, HTTPInput{Method: "GET", Host: host, Path: path, MaxBody: body, Padding: c.padding, Learn: c.p.learnt.add})
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
	sctx, cancel := c.step(ctx, false)
	defer cancel()
	secure, h := c.p.Host.TLS(sctx, conn, TLSInput{Name: name, Shape: shape, ALPN: c.offers(), Roots: c.roots})
	c.note(h)
	if secure == nil {
		return false
	}
	switch {
	case path == "" && h.OK():
		_ = secure.Close()
		return true
	case c.speak != nil && h.OK():
		return c.speak(ctx, c, secure)
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
	sctx, cancel := c.step(ctx, false)
	defer cancel()
	method := http.MethodGet
	if body == 0 {
		method = http.MethodHead // the header alone is wanted
	}
	return c.answered(HTTP(sctx, conn, c.request(HTTPInput{Method: method, Host: name, Path: path, Verified: verified, MaxBody: body})))
}

// request adds to a request what is wanted of the answer beside the answer.
func (c chain) request(in HTTPInput) HTTPInput {
	in.Speaks, in.ProofHeader, in.Learn = c.ask.Speaks, c.ask.ProofHeader, c.p.learnt.add
	if in.Verified && c.role.control == measurements.T {
		at := offerKey{c.s.m.App + "/" + c.role.target, in.Host}
		in.offered = func(said altSvc) { c.p.offers.hear(at, said) }
	}
	return in
}

// answered notes an exchange, and what it proves. An answer over a verified channel is the service's own
// also where it does not have the proof: that is no failure of the visit.
func (c chain) answered(x measurements.Observation) bool {
	c.note(x)
	if o, ok := proved(c.ask, x); ok && c.role.control == measurements.T {
		c.note(o)
	}
	return x.OK()
}

// offers is what our hello offers over TCP.
func (c chain) offers() []string {
	if c.protocols != nil {
		return c.protocols
	}
	return alpn
}

// quic makes a QUIC handshake and, with a path, one exchange over it.
func (c chain) quic(ctx context.Context, name, path string, shape measurements.Shape, body int64) bool {
	c.role.conn = c.s.conn()
	sctx, cancel := c.step(ctx, true)
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
	xctx, done := c.step(ctx, true)
	defer done()
	return c.answered(HTTP3(xctx, conn, c.request(HTTPInput{Method: "GET", Host: name, Path: path, Verified: true, MaxBody: body})))
}

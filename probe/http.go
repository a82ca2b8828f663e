package probe

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/app"
)

// UserAgent is an ordinary browser's: Firefox ESR 140 on Windows, which many people share for a
// year. Clear HTTP must not mark the volunteer.
const UserAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"

// Bounds of an answer, so that no server can cost a volunteer more than this. Chosen by us.
const (
	mostBody     = 512 << 10 // whatever MaxBody says
	mostHeader   = 64 << 10  // browsers take 256 KiB, block pages and apps need a few
	mostLocation = 2 << 10   // of a redirect, in the record
	keptOfBody   = 8 << 10   // proof of a block page
)

// HTTPInput says which exchange to make.
type HTTPInput struct {
	Method string // empty: GET
	Host   string // of the Host field, or :authority
	Path   string // with a query, if any; empty: "/"
	// Verified says that the channel is the app's own: its body is then counted and not kept.
	Verified bool
	// Padding is how many bytes a field adds that no server looks at, so that the request needs more than one
	// segment; 0: none.
	Padding int
	// Speaks is measurements.LEGY for a request as LINE's gateways take it; else empty.
	Speaks string
	// ProofHeader is a header of the answer that the app alone sends; empty: none is looked for.
	ProofHeader string
	// Learn, if set, is told of the addresses under which the answer says to see us. They are in no record.
	Learn func(netip.Addr)
	// offered, if set, is told what the answer says of HTTP/3.
	offered func(altSvc)
	// Number, if set, gives the object of a transfer its number, by the hash of how it begins. Only that is in the record.
	Number func(head [sha256.Size]byte) int
	// MaxBody is where reading the body stops, in bytes, and 512 KiB at most. 0: the body is not read.
	MaxBody int64
}

// HTTP measures one exchange on an existing connection: HTTP/1.1 over a *Conn, and over a *tls.Conn
// what ALPN has agreed on. No redirect is followed, nothing is compressed, nothing is sent twice.
//
// Whatever the status, an answer is success. It fails when the connection dies before the header is
// through or inside the body (BodyBytes then tells how far it came), with an alert that follows a TLS
// 1.3 handshake, and with http_request_failed when the answer is cut short or is no HTTP. It closes
// conn. RFC 9110, RFC 9112, RFC 9113; OONI df-001-httpt.
func HTTP(ctx context.Context, conn net.Conn, in HTTPInput) measurements.Observation {
	wire, transport := underneath(&conn)
	s := beginOn(measurements.HTTPExchange, transport, wire, in.Host)
	x := exchange{in: in, scheme: "http", port: wire.endpoint.Port()}
	if transport == "tls" {
		x.scheme = "https"
	}
	err := x.over(ctx, x.shorten(conn, wire))
	s.stop()
	_ = conn.Close()
	o := s.end(wire, ended(ctx, x.cause(err, wire.Traffic().Err)))
	o.HTTP = &x.seen
	return o
}

// cause gives the first error of the connection where net/http has a sentence for what that did. An
// EOF after an answer has begun is no such error: the answer itself is cut short.
func (x *exchange) cause(err, first error) error {
	if first == nil || classify(measurements.HTTPExchange, err) != measurements.HTTPRequestFailed {
		return err
	}
	if _, died := errors.AsType[syscall.Errno](first); died || !x.begun.Load() {
		return first
	}
	return err
}

// underneath finds the recording connection below, or starts a recording.
func underneath(conn *net.Conn) (wire *Conn, transport string) {
	switch c := (*conn).(type) {
	case *Conn:
		return c, "tcp"
	case *app.WebSocket:
		under := c.NetConn()
		return underneath(&under)
	case *tls.Conn:
		if w, ok := c.NetConn().(*Conn); ok {
			return w, "tls"
		}
		return record(c.NetConn(), endpointOf(c), false), "tls"
	}
	wire = record(*conn, endpointOf(*conn), false)
	*conn = wire
	return wire, "tcp"
}

func endpointOf(conn net.Conn) netip.AddrPort {
	ep, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
	return ep
}

// exchange is a request and what is seen of its answer, over any version of HTTP.
type exchange struct {
	in     HTTPInput
	scheme string
	port   uint16
	begun  atomic.Bool // the answer's first byte is here
	seen   measurements.HTTP
	meter  io.Writer // is told of the body as it comes; may be nil
	curt   *curt     // nil: as much is read as is wanted
}

// errSpent ends an attempt to connect once more: a step is one connection.
var errSpent = errors.New("http: the connection is used up")

// over makes the exchange through net/http, which is given this one connection.
func (x *exchange) over(ctx context.Context, conn net.Conn) error {
	var spent atomic.Bool
	handOut := func(context.Context, string, string) (net.Conn, error) {
		if spent.Swap(true) {
			return nil, errSpent
		}
		return conn, nil
	}
	t := &http.Transport{
		DialContext: handOut, DialTLSContext: handOut, ForceAttemptHTTP2: true,
		DisableCompression: true, MaxResponseHeaderBytes: mostHeader,
	}
	if x.in.Speaks == measurements.LEGY { // and no more than is wanted is sent to us (RFC 9113, section 5.2)
		t.ReadBufferSize, t.HTTP2 = 1<<10, &http.HTTP2Config{MaxReceiveBufferPerStream: int(x.in.MaxBody)}
	}
	req, err := x.request(ctx)
	if err != nil {
		return err
	}
	client, err := t.NewClientConn(ctx, x.scheme, net.JoinHostPort(x.in.Host, "0"))
	if err != nil {
		return err
	}
	defer client.Close()
	return x.enough(req, x.answer(client.RoundTrip(req)))
}

// request is what a browser would ask, without its many fields.
func (x *exchange) request(ctx context.Context) (*http.Request, error) {
	method, path := x.in.Method, x.in.Path
	if method == "" {
		method = http.MethodGet
	}
	if path == "" {
		path = "/"
	}
	x.seen.Method, x.seen.Path, x.seen.Verified = method, path, x.in.Verified
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, err
	}
	u.Scheme, u.Host = x.scheme, x.in.Host
	if a, err := netip.ParseAddr(x.in.Host); err == nil && a.Is6() {
		u.Host = "[" + x.in.Host + "]"
	}
	trace := &httptrace.ClientTrace{GotFirstResponseByte: func() { x.begun.Store(true) }}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", UserAgent)
	req.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	req.Header.Set("Accept-Language", "en-US,en;q=0.5")
	if x.in.Speaks == measurements.LEGY {
		req.Header.Set(legyAsks, "1")
	}
	if x.in.Padding > 0 {
		req.Header.Set("Cookie", "pad="+strings.Repeat("0", x.in.Padding))
	}
	return req, nil
}

// answer reads an answer into the record, and closes its body.
func (x *exchange) answer(resp *http.Response, err error) error {
	if err != nil {
		if x.begun.Load() && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
			return fmt.Errorf("%w: %s", errCutShort, err.Error()) // no EOF any more: an answer came, and is none
		}
		return err
	}
	defer resp.Body.Close()
	x.seen.Proto, x.seen.Status = protocol(resp), resp.StatusCode
	location := resp.Header.Get("Location")
	x.seen.Location = location[:min(len(location), mostLocation)]
	offer := readAltSvc(resp.Header.Values("Alt-Svc"), x.in.Host, x.port)
	x.seen.AltSvcH3 = offer.h3 != 0
	if x.in.offered != nil {
		x.in.offered(offer)
	}
	x.seen.AppStatus, x.seen.Proved = proof(x.in, resp.Header)
	if x.in.Learn != nil {
		echoes(resp.Header, x.in.Learn)
	}
	date := resp.Header.Get("Date")
	x.seen.Date = date[:min(len(date), len(http.TimeFormat))]
	return x.body(resp)
}

// errCutShort is an answer that ends before its header does.
var errCutShort = errors.New("http: the answer ends inside its header")

// body reads as much of the body as is wanted, and keeps as much of it as is evidence.
func (x *exchange) body(resp *http.Response) error {
	limit := min(x.in.MaxBody, mostBody)
	var kept head
	if !x.in.Verified {
		kept.room = keptOfBody
	}
	to := io.Writer(&kept)
	if x.meter != nil {
		to = io.MultiWriter(&kept, x.meter)
	}
	n, err := io.Copy(to, io.LimitReader(resp.Body, limit))
	x.seen.BodyBytes, x.seen.Body = n, kept.b
	// At the limit, no further byte is waited for: a length that was promised says whether there is more.
	x.seen.BodyTruncated = err != nil || n == limit && resp.ContentLength != n && resp.Body != http.NoBody
	return err
}

// head keeps the first bytes of what is written to it.
type head struct {
	b    []byte
	room int
}

func (h *head) Write(b []byte) (int, error) {
	h.b = append(h.b, b[:min(len(b), h.room-len(h.b))]...)
	return len(b), nil
}

// protocol names the version of an answer as ALPN does.
func protocol(resp *http.Response) string {
	switch resp.ProtoMajor {
	case 2:
		return "h2"
	case 3:
		return "h3"
	}
	return "http/1.1"
}

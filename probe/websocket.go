package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/app"
)

// WebSocket measures the upgrade of a TLS connection to a WebSocket. ALPN has to have agreed on HTTP/1.1, or
// on nothing.
//
// Whatever the status, an answer is success; the WebSocket comes with 101 alone. It fails like HTTP, and
// with http_request_failed where a 101 does not fit the request. The caller closes the WebSocket; without
// one, conn is closed. RFC 6455, section 4.1.
func WebSocket(ctx context.Context, conn *tls.Conn, in app.UpgradeInput, verified bool) (*app.WebSocket, measurements.Observation) {
	in.UserAgent = UserAgent
	under := net.Conn(conn)
	wire, transport := underneath(&under)
	wire.sip()
	before := wire.Traffic()
	in.Answered = func() { wire.boundFrom(before) } // before it, a record of TLS is read to its end, for it can't be read in part
	s := beginOn(measurements.HTTPExchange, transport, wire, in.Host)
	h := measurements.HTTP{Method: http.MethodGet, Path: in.Path, Verified: verified, Proto: "http/1.1", Status: http.StatusSwitchingProtocols}
	var ws *app.WebSocket
	err := survived(func() (err error) { ws, err = app.Upgrade(ctx, conn, in); return err })
	if other, ok := errors.AsType[*app.NotUpgraded](err); ok {
		h.Status, err = other.Status, nil
	}
	s.stop()
	if err != nil {
		h.Proto, h.Status = "", 0
	}
	if ws == nil {
		_ = conn.Close()
	}
	o := s.end(wire, ended(ctx, err))
	o.HTTP = &h
	return ws, o
}

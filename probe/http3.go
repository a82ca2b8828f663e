package probe

import (
	"context"

	"github.com/quic-go/quic-go/http3"

	"github.com/telltale-probe/telltale/measurements"
)

// HTTP3 measures one exchange over HTTP/3 on an existing QUIC connection, as HTTP does over TCP and
// TLS, and fails in the same ways; the close of a connection by the transport is told by its code. It
// closes conn. RFC 9114.
func HTTP3(ctx context.Context, conn *QUICConn, in HTTPInput) measurements.Observation {
	s := beginOn(measurements.HTTPExchange, "quic", conn.socket, in.Host)
	x := exchange{in: in, scheme: "https", port: conn.socket.endpoint.Port()}
	err := x.overQUIC(ctx, conn)
	s.stop()
	_ = conn.Close()
	o := s.end(conn.socket, ended(ctx, err))
	o.HTTP, o.QUIC = &x.seen, s.quicInfo(conn.socket)
	return o
}

func (x *exchange) overQUIC(ctx context.Context, conn *QUICConn) error {
	req, err := x.request(ctx)
	if err != nil {
		return err
	}
	t := &http3.Transport{DisableCompression: true, MaxResponseHeaderBytes: mostHeader}
	return x.answer(t.NewClientConn(conn.conn).RoundTrip(req))
}

package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/hello"
)

const (
	// initialSize is the payload of our Initial datagrams: the least that QUIC allows, and what every
	// path for QUIC has to carry (RFC 9000, section 14.1). quic-go's 1,280 and its probing for more would
	// make a path with a small MTU look like a block.
	initialSize = 1200
	// quicPatience bounds a handshake where the context has no deadline. Loss of the first datagrams
	// costs seconds, and is not to be read as a block.
	quicPatience = 10 * time.Second
	// noError closes a connection that has done what it was for (RFC 9114, section 8.1, H3_NO_ERROR).
	noError = 0x100
)

// DisableScrambling has quic-go send our ClientHello in one piece and in order. By default it cuts
// the SNI in two and swaps the halves, which evades the very filters that we look for. quic-go knows
// only an environment variable for it, read at each dial: this sets it for the whole process, and also
// the one that keeps it from printing about buffer sizes. To be called once at the start, by main and
// by TestMain, before anything dials.
func DisableScrambling() {
	_ = os.Setenv("QUIC_GO_DISABLE_CLIENTHELLO_SCRAMBLING", "true") // fails only for malformed names
	_ = os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true")
}

// QUICConn is a QUIC connection with all that is below it.
type QUICConn struct {
	conn      *quic.Conn
	transport *quic.Transport
	socket    *Conn
}

// Close says goodbye to the peer and closes the connection and its socket; its goroutines have ended,
// or are about to, when it returns.
func (c *QUICConn) Close() error {
	_ = c.conn.CloseWithError(noError, "")
	return errors.Join(c.transport.Close(), c.socket.Close())
}

// QUIC measures a QUIC v1 handshake over a connected UDP socket, so that ICMP errors are seen. A small
// hello is one Initial datagram, the default one is two. The chain is verified as by TLS.
//
// It fails by silence (timeout), by ICMP (refused, unreachable), by version negotiation, by a close
// (an alert or another code), or when the chain does not verify (ssl_*): what a forger serves over
// QUIC is not asked for. On success the caller closes the connection; on failure it is nil. RFC 9000,
// section 7; RFC 9001.
func (h Host) QUIC(ctx context.Context, ep netip.AddrPort, in TLSInput) (*QUICConn, measurements.Observation) {
	h = h.pinned(in.Roots)
	if len(in.ALPN) == 0 {
		in.ALPN = []string{"h3"}
	}
	s := begin(measurements.QUICHandshake, "quic", ep, in.Name)
	var state shown
	socket, err := h.open(ctx, "udp", ep)
	var conn *QUICConn
	if err == nil {
		conn, err = shake(ctx, socket, in.config(&state, tls.VersionTLS13))
	}
	s.stop() // verifying is our own work, and no part of the time
	t := h.seen(in, &state)
	version := ""
	if err == nil {
		version = conn.conn.ConnectionState().Version.String()
		if err = h.proves(state.get().PeerCertificates, in); err != nil {
			_ = conn.Close()
			conn = nil
			h.tellValidity(t, &state, in.Name)
		}
	}
	t.ChainRoot = h.root(err, in, &state)
	o := s.end(socket, err)
	o.TLS, o.QUIC = t, s.quicInfo(socket)
	o.QUIC.Version = version
	if socket != nil {
		tellDatagrams(t, socket.Traffic(), !o.OK() && !o.Failure.IsCertificate())
	}
	return conn, o
}

// tellDatagrams reads our hello back from what was sent, and shows what came of a failure.
func tellDatagrams(t *measurements.TLS, seen Traffic, failed bool) {
	if message, err := hello.FromDatagrams(seen.DatagramsSent); err == nil {
		t.JA4, _ = hello.JA4(message, true)
	}
	if failed && len(seen.DatagramsReceived) > 0 {
		first := seen.DatagramsReceived[0]
		t.FirstBytes = first[:min(len(first), firstBytes)]
	}
}

// shake makes the handshake. On failure the socket is closed.
func shake(ctx context.Context, socket *Conn, config *tls.Config) (*QUICConn, error) {
	dial, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	transport := &quic.Transport{Conn: &packetSocket{Conn: socket, broken: cancel}}
	conn, err := transport.Dial(dial, socket.RemoteAddr(), config, &quic.Config{
		Versions:                []quic.Version{quic.Version1},
		HandshakeIdleTimeout:    handshakeIdle(ctx),
		InitialPacketSize:       initialSize,
		DisablePathMTUDiscovery: true,
		MaxIncomingStreams:      -1, // HTTP/3 servers open no request streams (RFC 9114, section 6.1)
	})
	if err == nil {
		return &QUICConn{conn: conn, transport: transport, socket: socket}, nil
	}
	if first := socket.Traffic().Err; first != nil {
		err = first // quic-go turns an errno of a write into a sentence
	}
	_ = transport.Close()
	_ = socket.Close()
	return nil, ended(ctx, err)
}

// handshakeIdle is how long silence may last: a little less than what the context leaves, so that
// quic-go's own word for it comes before the context's.
func handshakeIdle(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return quicPatience
	}
	return max(time.Until(deadline)*9/10, time.Millisecond)
}

// packetSocket makes a packet socket of a connected one. quic-go gets neither the descriptor nor
// larger buffers: a page needs none, and a prober shall look alike everywhere.
type packetSocket struct {
	*Conn
	broken context.CancelCauseFunc // ends a handshake at once
}

// SetReadBuffer and SetWriteBuffer are asked for by quic-go.
func (s *packetSocket) SetReadBuffer(int) error  { return nil }
func (s *packetSocket) SetWriteBuffer(int) error { return nil }

// ReadFrom gives the next datagram. What ICMP said ends the handshake, as it does for a browser.
func (s *packetSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := s.Read(b)
	s.check(err)
	return n, s.RemoteAddr(), err
}

// WriteTo sends to the one peer that there is. A pending ICMP error is told to whoever comes first,
// and may come out here.
func (s *packetSocket) WriteTo(b []byte, _ net.Addr) (int, error) {
	n, err := s.Write(b)
	s.check(err)
	return n, err
}

func (s *packetSocket) check(err error) {
	if _, ok := errors.AsType[syscall.Errno](err); ok {
		s.broken(err)
	}
}

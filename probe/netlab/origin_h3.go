package netlab

import (
	"errors"
	"net"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// serveH3 serves the machine's sites over QUIC (RFC 9114): the same sites and certificates as over
// TCP.
func (m *machine) serveH3(c net.PacketConn) error {
	transport := &quic.Transport{Conn: emulatedSocket{c}}
	l, err := transport.ListenEarly(http3.ConfigureTLSConfig(m.tlsConfig()), &quic.Config{})
	if err != nil {
		return errors.Join(err, c.Close())
	}
	server := &http3.Server{Handler: m}
	m.closers = append(m.closers, func() error {
		// The server ends its connections, the transport its goroutines, and the socket is ours.
		return errors.Join(server.Close(), transport.Close(), c.Close())
	})
	m.tasks.Go(func() { _ = server.ServeListener(l) })
	return nil
}

// emulatedSocket says yes where quic-go asks for larger kernel buffers: it would warn otherwise.
type emulatedSocket struct{ net.PacketConn }

func (emulatedSocket) SetReadBuffer(int) error  { return nil }
func (emulatedSocket) SetWriteBuffer(int) error { return nil }

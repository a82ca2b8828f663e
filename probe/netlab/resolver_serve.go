package netlab

import (
	"crypto/tls"
	"net"

	"github.com/miekg/dns"
)

// serveDNS answers on a listener or on a packet socket; the other is nil.
func (m *machine) serveDNS(l net.Listener, c net.PacketConn) {
	started := make(chan struct{})
	server := &dns.Server{Listener: l, PacketConn: c, Handler: m.dns, NotifyStartedFunc: func() { close(started) }}
	m.closers = append(m.closers, server.Shutdown)
	m.tasks.Go(func() { _ = server.ActivateAndServe() })
	<-started // a server that has not started can't be shut down
}

// serveDNSOverTLS is serveDNS behind TLS (RFC 7858 section 3.1).
func (m *machine) serveDNSOverTLS(l net.Listener) {
	m.serveDNS(tls.NewListener(l, m.tlsConfig("dot")), nil)
}

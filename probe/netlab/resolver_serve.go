package netlab

import (
	"crypto/tls"
	"net"
	"time"

	"github.com/miekg/dns"
)

// quietSocket is how long a resolver's packet socket waits before it looks up: by default that is two seconds, which
// makes a week of virtual time a long one.
const quietSocket = 24 * time.Hour

// serveDNS answers on a listener or on a packet socket; the other is nil.
func (m *machine) serveDNS(l net.Listener, c net.PacketConn) {
	started := make(chan struct{})
	server := &dns.Server{Listener: l, PacketConn: c, Handler: m.dns, NotifyStartedFunc: func() { close(started) }}
	if c != nil {
		server.ReadTimeout = quietSocket
	}
	m.closers = append(m.closers, server.Shutdown)
	m.tasks.Go(func() { _ = server.ActivateAndServe() })
	<-started // a server that has not started can't be shut down
}

// serveDNSOverTLS is serveDNS behind TLS (RFC 7858 section 3.1).
func (m *machine) serveDNSOverTLS(l net.Listener) {
	m.serveDNS(tls.NewListener(l, m.tlsConfig("dot")), nil)
}

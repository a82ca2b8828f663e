package netlab

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
)

// sockets is what a machine needs of the wire.
type sockets interface {
	Listen(netip.AddrPort) (net.Listener, error)
	ListenPacket(netip.AddrPort) (net.PacketConn, error)
}

// start opens the machine's ports. What it opened before an error is closed by stop.
func (m *machine) start(wire sockets) error {
	m.gone = make(chan struct{})
	switch {
	case m.trouble.down:
		return nil // nothing at all is at that address: silence
	case m.trouble.refuses:
		// A machine that is up, with none of its services: only maintenance answers.
		return m.serveTCP(wire, 22, silent)
	}
	for _, port := range slices.Sorted(maps.Keys(m.tcp)) {
		if err := m.serveTCP(wire, port, m.tcp[port]); err != nil {
			return err
		}
	}
	for _, port := range slices.Sorted(maps.Keys(m.udp)) {
		if m.udp[port] == overQUIC && m.trouble.noQUIC {
			continue
		}
		if err := m.serveUDP(wire, port, m.udp[port]); err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) serveTCP(wire sockets, port uint16, kind service) error {
	l, err := wire.Listen(netip.AddrPortFrom(m.address, port))
	if err != nil {
		return err
	}
	if m.trouble.mute {
		kind = silent
	}
	if m.trouble.smallHellos {
		l = &pickyListener{Listener: l}
	}
	switch kind {
	case clearHTTP:
		m.serveHTTP(l)
	case overTLS:
		m.serveHTTPS(l)
	case plainDNS:
		m.serveDNS(l, nil)
	case dnsOverTLS:
		m.serveDNSOverTLS(l)
	case mtproto:
		m.serveApp(l, m.speakMTProto)
	case whatsapp:
		m.serveApp(l, m.speakWhatsApp)
	case handedOver:
		handOver(m, m.own.Streams, l)
	default:
		m.swallow(l)
	}
	return nil
}

func (m *machine) serveUDP(wire sockets, port uint16, kind service) error {
	c, err := wire.ListenPacket(netip.AddrPortFrom(m.address, port))
	if err != nil {
		return err
	}
	switch {
	case m.trouble.mute:
		m.closers = append(m.closers, c.Close)
		m.tasks.Go(func() { discardPackets(c) })
	case kind == overQUIC:
		return m.serveH3(c)
	case kind == stun:
		m.serveSTUN(c)
	case kind == handedOver:
		handOver[net.PacketConn](m, m.own.Packets, emulatedSocket{c})
	default:
		m.serveDNS(nil, c)
	}
	return nil
}

// swallow accepts connections, reads what comes and never answers.
func (m *machine) swallow(l net.Listener) {
	m.accept(l, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
}

// accept serves connections until the machine stops.
func (m *machine) accept(l net.Listener, serve func(net.Conn)) {
	ctx, cancel := context.WithCancel(context.Background())
	m.closers = append(m.closers, func() error { cancel(); return l.Close() })
	m.tasks.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { _ = c.Close() })
			m.tasks.Go(func() {
				defer stop()
				serve(c)
				_ = c.Close()
			})
		}
	})
}

func discardPackets(c net.PacketConn) {
	buffer := make([]byte, 2048)
	for {
		if _, _, err := c.ReadFrom(buffer); err != nil {
			return
		}
	}
}

// stop closes everything and waits until nothing of the machine runs.
func (m *machine) stop() error {
	if m.gone != nil {
		close(m.gone)
	}
	var errs []error
	for _, shut := range slices.Backward(m.closers) {
		errs = append(errs, shut())
	}
	m.closers = nil
	m.tasks.Wait()
	return errors.Join(errs...)
}

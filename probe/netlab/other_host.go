package netlab

import (
	"context"
	"net"
	"net/http"

	"github.com/telltale-probe/telltale/probe"
)

// OtherHost is a host outside of the catalogue, and what it answers at a path, over TLS on port 443: a
// reference vantage, say. Faults may name its host.
type OtherHost struct {
	Name, Path string
	Serve      http.HandlerFunc

	// Streams and Packets, if set, have TCP and UDP port 443 for themselves, in the place of Serve, until
	// their context ends: a helper, say. They close what they are handed.
	Streams func(context.Context, net.Listener) error
	Packets func(context.Context, net.PacketConn) error
}

// otherHost puts one on a machine of its own.
func (p *plan) otherHost(h *OtherHost) {
	own := h.Streams != nil && h.Packets != nil
	if !own {
		p.host(h.Name, nil, []uint16{443}, []probe.Probe{probe.ProbeHTTPS}, h.Path)
	} else {
		p.host(h.Name, nil, nil, nil, "")
	}
	for _, a := range p.zone.addresses(h.Name) {
		m := p.machines[a]
		if own {
			m.own, m.tcp[443], m.udp[443] = h, handedOver, handedOver
			continue
		}
		m.site(h.Name).paths[pathOf(h.Path)] = h.Serve
	}
}

// handOver gives port 443 to whom it belongs, until the machine stops.
func handOver[S any](m *machine, serve func(context.Context, S) error, socket S) {
	ctx, cancel := context.WithCancel(context.Background())
	m.closers = append(m.closers, func() error { cancel(); return nil })
	m.tasks.Go(func() { _ = serve(ctx, socket) }) // a socket fails when the network closes: the world's end
}

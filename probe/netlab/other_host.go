package netlab

import (
	"net/http"

	"github.com/telltale-probe/telltale/probe"
)

// OtherHost is a host outside of the catalogue, and what it answers at a path, over TLS on port 443: a
// reference vantage, say. Faults may name its host.
type OtherHost struct {
	Name, Path string
	Serve      http.HandlerFunc
}

// otherHost puts one on a machine of its own.
func (p *plan) otherHost(h *OtherHost) {
	p.host(h.Name, nil, []uint16{443}, []probe.Probe{probe.ProbeHTTPS}, h.Path)
	for _, a := range p.zone.addresses(h.Name) {
		p.machines[a].site(h.Name).paths[pathOf(h.Path)] = h.Serve
	}
}

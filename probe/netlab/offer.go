package netlab

import (
	"strings"
	"time"

	"github.com/telltale-probe/telltale/probe"
)

// Offer is a host that has HTTP/3 on port 443 though no word of the catalogue asks for it, and says so in its Alt-Svc.
type Offer struct {
	Host string `toml:"host"`
	// Record: its HTTPS record says so too (RFC 9460).
	Record bool `toml:"record"`
	// Until is for how long it says so, from the world's start; 0 is for good. What it has, it keeps: a rule takes it away.
	Until Span `toml:"until"`
}

// offers adds them to what the catalogue asks for.
func (p *plan) offers(list []Offer) {
	for _, f := range list {
		p.host(f.Host, nil, []uint16{443}, []probe.Probe{probe.ProbeH3}, "")
		if f.Record {
			p.zone.h3[p.zone.canonical(strings.ToLower(f.Host))] = true
		}
		for _, a := range p.zone.addresses(f.Host) {
			if s := p.machines[a].site(f.Host); f.Until != 0 {
				s.h3Until = time.Now().Add(time.Duration(f.Until))
			}
		}
	}
}

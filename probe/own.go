package probe

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/privacy"
)

// OwnNow reads what tells who and where this machine is. What can't be read is left out; nothing is sent.
func (h Host) OwnNow() privacy.Own { return h.ownOn(h.NetworkNow()) }

// ownOn is OwnNow on a network that was read already.
func (h Host) ownOn(n Network) privacy.Own {
	around := n.own()
	switch {
	case h.Own != nil:
		return around.With(h.Own())
	case h.Dial != nil:
		return around // another internet, which does not say more
	}
	return around.With(ownOfMachine())
}

// own is what a network says of us: our address on the way out, who the next hop is, and resolvers at home.
func (n Network) own() (own privacy.Own) {
	for _, w := range []Way{n.IPv4, n.IPv6} {
		if w.Local.IsValid() {
			own.Addresses = append(own.Addresses, netip.PrefixFrom(w.Local.WithZone(""), w.Local.BitLen()))
		}
		if w.Gateway.IsValid() {
			own.Near = append(own.Near, w.Gateway)
		}
		if len(w.GatewayMAC) > 0 {
			own.MACs = append(own.MACs, w.GatewayMAC)
		}
	}
	for _, r := range n.Resolvers {
		if resolverClass(r) == "home" || sameLink(n.IPv6.Local, r) {
			own.Near = append(own.Near, r)
		}
	}
	return own
}

// ownOfMachine asks the system.
func ownOfMachine() (own privacy.Own) {
	all, _ := net.Interfaces()
	for i := range all {
		if all[i].Flags&net.FlagLoopback != 0 {
			continue // no line leads there: a server keeps its services' addresses on it, and they are what it serves
		}
		own.MACs = append(own.MACs, all[i].HardwareAddr)
		addrs, _ := all[i].Addrs()
		for _, at := range addrs {
			if p, ok := at.(*net.IPNet); ok {
				a, _ := netip.AddrFromSlice(p.IP)
				bits, _ := p.Mask.Size()
				own.Addresses = append(own.Addresses, netip.PrefixFrom(a.Unmap(), bits))
			}
		}
	}
	if name, err := os.Hostname(); err == nil {
		own.Hosts = append(own.Hosts, name)
	}
	own.Domains = searchDomains()
	return own
}

// known is what the configuration names. It is what evidence is about, and stays in it.
func (p *Plan) known() (k privacy.Known) {
	add := func(words ...string) { k.Words = append(k.Words, words...) }
	for _, app := range append(slices.Clone(p.Apps), p.Placebo) {
		add(app.ID)
		for _, t := range app.Targets {
			add(t.ID, t.Neutral, t.Path, t.Group)
			add(t.Hosts...)
			k.Addresses = append(k.Addresses, t.Addresses...)
		}
	}
	for _, c := range p.Controls {
		add(c.Host, c.Operator, c.Scope, c.Country, c.Path)
		k.Addresses = append(k.Addresses, c.Addresses...)
	}
	for _, r := range p.Trusted {
		add(r.URL)
		k.Addresses = append(k.Addresses, r.Addresses...)
		k.Addresses = append(k.Addresses, addressIn(r.URL)...)
	}
	if p.Reference != nil {
		k.Addresses = append(k.Addresses, addressIn(p.Reference.URL)...)
	}
	for _, w := range Probes {
		add(string(w))
	}
	s := p.Software
	add(s.Version, s.Revision, s.Rules, s.Catalogue, s.Roots, p.Vantage.Country, p.Vantage.Label, measurements.ControlApp, measurements.PlaceboApp)
	return k
}

// addressIn is the address that a URL names in place of a host; none where it names a host.
func addressIn(text string) []netip.Addr {
	u, err := url.Parse(text)
	if err != nil {
		return nil
	}
	a, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return nil
	}
	return []netip.Addr{a}
}

package probe

import (
	"context"
	"net/netip"
	"net/url"
	"slices"

	"github.com/telltale-probe/telltale/measurements"
)

// families lists the wanted families that lead anywhere from here. A network without a way out, as a
// laboratory's, leads to what the configuration itself names: an address pinned for a host, or a resolver's.
//
// The system's own resolvers don't count, and of the configured ones none at a private address: routers tell
// their homes a unique local one where there is no IPv6 at all.
func (p *Plan) families() (routed, unrouted []measurements.Family) {
	for i, f := range p.Families {
		if i > 0 && p.Without[measurements.F] {
			break
		}
		if p.Host.LeadsOut(f) || p.leadsToNamed(f) {
			routed = append(routed, f)
		} else {
			unrouted = append(unrouted, f)
		}
	}
	return routed, unrouted
}

// leadsToNamed says whether this machine has a route to an address of the family that the configuration names.
func (p *Plan) leadsToNamed(f measurements.Family) bool {
	leads := func(a netip.Addr) bool { return measurements.FamilyOf(a) == f && p.Host.IsRoutable(a) }
	for c := range slices.Values(p.Controls) {
		if slices.ContainsFunc(c.Addresses, leads) {
			return true
		}
	}
	for _, app := range p.Apps {
		if slices.ContainsFunc(app.Targets, func(t Target) bool { return slices.ContainsFunc(t.Addresses, leads) }) {
			return true
		}
	}
	return slices.ContainsFunc(slices.Concat(p.System, p.Trusted), func(r Resolver) bool {
		return slices.ContainsFunc(r.known(), func(a netip.Addr) bool { return !Bogon(a) && leads(a) })
	})
}

// known are the addresses that the configuration gives a resolver: those pinned for its name, or its URL's own.
func (r Resolver) known() []netip.Addr {
	u, err := url.Parse(r.URL)
	if err != nil || len(r.Addresses) > 0 {
		return r.Addresses
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		return []netip.Addr{a}
	}
	return nil
}

// named gives the addresses that the configuration itself pins for a name.
func (p *Plan) named(name string) (out []netip.Addr) {
	for _, c := range p.Controls {
		if c.Host == name {
			out = append(out, c.Addresses...)
		}
	}
	for _, app := range append(slices.Clone(p.Apps), p.Placebo) {
		for _, t := range app.Targets {
			if slices.Contains(t.Hosts, name) {
				out = append(out, t.Addresses...)
			}
		}
	}
	return out
}

// resolve asks one resolver within the time of a step. An answer of addresses that no public server has is
// none to complain of where the configuration names them all: it is a laboratory's, or a service of the house.
func (p *Plan) resolve(ctx context.Context, r Resolver, name string, f measurements.Family) measurements.Observation {
	sctx, cancel := p.step(ctx)
	defer cancel()
	o := p.Host.Resolve(sctx, r, name, f)
	if o.Failure == measurements.DNSBogon {
		named := p.named(name)
		foreign := func(a netip.Addr) bool { return (a.Is4In6() || Bogon(a)) && !slices.Contains(named, a) }
		if !slices.ContainsFunc(o.DNS.Addresses, foreign) {
			o.Failure, o.Error = "", ""
		}
	}
	return o
}

// vouched keeps the private addresses (RFC 1918, RFC 4193) that the resolver under test gave and a trusted one
// gives too: a house may have its own. One resolver's word alone leads nobody into his own network, nor does
// that of two over UDP, where one forger answers for both.
func vouched(trusted measurements.Observation, given []netip.Addr) (out []netip.Addr) {
	if trusted.Failure != measurements.DNSBogon || trusted.DNS.Transport == "udp" {
		return nil
	}
	for _, a := range trusted.DNS.Addresses {
		if a.IsPrivate() && slices.Contains(given, a) {
			out = append(out, a)
		}
	}
	return out
}

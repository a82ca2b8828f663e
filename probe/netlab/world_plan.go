package netlab

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/telltale-probe/telltale/probe"
)

// plan is a world on paper: every machine and every name, before a socket is open. Faults are
// written into it.
type plan struct {
	book     *addressBook
	zone     *authority
	machines map[netip.Addr]*machine
	trust    *certifier // issues what everybody trusts
	forger   *certifier // issues what nobody trusts
	newcomer *certifier // issues what everybody will trust one day
	private  *certifier // issues for the apps that trust nobody else; nil: there are none
	clock    time.Duration
	heard    func(*http.Request)
	inside   func([]byte, int)
}

// newPlan lays out what the options name. Nothing in it knows an app: the words of the catalogue
// are all there is to go by.
func newPlan(o Options, trust, forger, newcomer, private *certifier) *plan {
	p := &plan{
		book:     newAddressBook(o.given()),
		zone:     newAuthority(),
		machines: make(map[netip.Addr]*machine),
		trust:    trust,
		forger:   forger,
		newcomer: newcomer,
		private:  private,
		clock:    o.Clock,
		heard:    o.Heard,
		inside:   o.HeardInside,
	}
	for _, app := range o.Apps {
		for i := range app.Targets {
			p.target(&app.Targets[i])
		}
	}
	for i := range o.Controls {
		p.control(&o.Controls[i])
	}
	// The registry's own example is there whatever the catalogue says: random labels under it are
	// what control N asks for, and they don't exist.
	p.host("example.com", nil, []uint16{443}, []probe.Probe{probe.ProbeHTTPS}, "/")
	p.host("www.example.com", nil, []uint16{443}, []probe.Probe{probe.ProbeHTTPS}, "/")
	for i := range o.OtherHosts {
		p.otherHost(&o.OtherHosts[i])
	}
	p.offers(o.Offers)
	p.resolvers(o)
	p.blockPages()
	p.zone.settle()
	return p
}

// given lists the addresses that the catalogue and the configuration pin.
func (o *Options) given() []netip.Addr {
	var all []netip.Addr
	for _, app := range o.Apps {
		for i := range app.Targets {
			all = append(all, app.Targets[i].Addresses...)
		}
	}
	for i := range o.Controls {
		all = append(all, o.Controls[i].Addresses...)
	}
	for _, r := range o.Trusted {
		all = append(all, r.Addresses...)
	}
	for i := range all {
		all[i] = all[i].Unmap()
	}
	return all
}

// target puts the hosts of a target on their machines; data centres are machines without names.
func (p *plan) target(t *probe.Target) {
	for _, host := range t.Hosts {
		p.host(host, t.Addresses, t.Ports, t.Probes, t.Path)
		if len(t.Roots) > 0 {
			for _, a := range p.zone.addresses(host) {
				p.machine(a, "").site(host).issuer = p.private
			}
		}
		if t.Neutral == "" {
			continue
		}
		if slices.Equal(t.Probes, []probe.Probe{probe.ProbeSTUN}) {
			p.host(t.Neutral, nil, t.Ports, t.Probes, "") // no edge that two share
			continue
		}
		// The same edge serves the neutral name; in DNS it leads there too, unless it has a place
		// of its own already.
		at := p.zone.addresses(host)
		p.zone.offer(t.Neutral, at)
		for _, a := range at {
			p.machine(a, operatorOf(host)).site(t.Neutral).serve("/")
		}
	}
	p.proofs(t)
	if len(t.Hosts) == 0 {
		for _, a := range t.Addresses {
			p.machine(a.Unmap(), "").open(t.Ports, t.Probes)
		}
	}
}

func (p *plan) control(c *probe.Control) {
	for _, word := range c.Probes {
		port := uint16(443)
		if word == probe.ProbeHTTP {
			port = 80
		}
		p.host(c.Host, c.Addresses, []uint16{port}, []probe.Probe{word}, c.Path)
	}
}

// host puts a name on its machines and opens what the probes ask for. A name that several targets
// share keeps the addresses it got first; each adds its ports and paths.
func (p *plan) host(name string, given []netip.Addr, ports []uint16, probes []probe.Probe, path string) {
	name = strings.ToLower(name)
	at := p.zone.addresses(name)
	if at == nil {
		at = p.book.addresses(name, given)
		p.zone.put(name, at)
	}
	for _, a := range at {
		m := p.machine(a, operatorOf(name))
		m.open(ports, probes)
		s := m.site(name)
		s.serve(pathOf(path))
		if slices.Contains(probes, probe.ProbeH3) {
			s.h3 = quicPort(ports)
		}
	}
}

// machine gives the machine at an address, and puts one there if there is none. The first operator
// named there owns it.
func (p *plan) machine(a netip.Addr, operator string) *machine {
	m := p.machines[a]
	if m == nil {
		m = &machine{
			address:  a,
			issuer:   p.trust,
			newcomer: p.newcomer,
			clock:    p.clock,
			heard:    p.heard,
			inside:   p.inside,
			sites:    make(map[string]*site),
			tcp:      make(map[uint16]service),
			udp:      make(map[uint16]service),
		}
		p.machines[a] = m
	}
	if m.operator == "" {
		m.operator = operator
	}
	return m
}

// resolvers puts the ISP's resolver, the home router and the trusted resolvers on their addresses.
func (p *plan) resolvers(o Options) {
	isp := p.machine(o.Resolver, "")
	isp.near = true
	isp.answerDNS(&resolver{zone: p.zone, identity: "resolver.isp.example", dns64: o.NAT64})
	if o.HomeRouter {
		// It forwards: what answers is set when the wire is there.
		router := p.machine(homeRouter, "")
		router.near = true
		router.answerDNS(&resolver{zone: p.zone, identity: "dnsmasq-2.90"})
	}
	for i := range o.Trusted {
		p.trusted(&o.Trusted[i])
	}
}

// trusted puts a public resolver where the configuration says, with every transport that one has:
// UDP, TCP, TLS (RFC 7858) and HTTPS (RFC 8484).
func (p *plan) trusted(r *probe.Resolver) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Hostname() == "" {
		return // the configuration refuses it long before
	}
	name, given := strings.ToLower(u.Hostname()), r.Addresses
	if a, err := netip.ParseAddr(name); err == nil {
		// An address as a name: its certificate holds the address, and DNS knows nothing of it.
		given = append([]netip.Addr{a.Unmap()}, given...)
		name = ""
	}
	at := given
	if name != "" {
		if at = p.zone.addresses(name); at == nil {
			if at = given; len(at) == 0 {
				at = p.book.addresses(name, nil)
			}
			p.zone.put(name, at)
		}
	}
	for _, a := range at {
		m := p.machine(a.Unmap(), operatorOf(name))
		if m.dns == nil {
			m.answerDNS(&resolver{zone: p.zone, identity: strings.TrimPrefix(name+" at "+a.String(), " at ")})
		}
		m.answerEncryptedDNS(name, u)
	}
}

// pathOf is the path alone: a query is the origin's own business.
func pathOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	if path == "" {
		return "/"
	}
	return path
}

// portOf is the port that a URL names, or the one that it means.
func portOf(u *url.URL, otherwise uint16) uint16 {
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(n)
	}
	return otherwise
}

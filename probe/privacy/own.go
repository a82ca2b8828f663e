package privacy

import (
	"net"
	"net/netip"
	"slices"

	"github.com/telltale-probe/telltale/measurements"
)

// Own is what this machine knows of itself and of the home around it. The zero value knows nothing.
type Own struct {
	// Addresses are those of all interfaces, each with the length of its prefix.
	Addresses []netip.Prefix
	// Near are gateways, and resolvers inside the home.
	Near []netip.Addr
	// MACs are those of all interfaces, and of the gateways.
	MACs []net.HardwareAddr
	// Hosts are the machine's own names, with or without a domain.
	Hosts []string
	// Domains are those in which short names are looked for (resolv.conf(5), search).
	Domains []string
	// Boxes are names that boxes at home were heard to give themselves.
	Boxes []string
}

// With is both together.
func (o Own) With(p Own) Own {
	return Own{
		Addresses: slices.Concat(o.Addresses, p.Addresses), Near: slices.Concat(o.Near, p.Near),
		MACs: slices.Concat(o.MACs, p.MACs), Hosts: slices.Concat(o.Hosts, p.Hosts), Domains: slices.Concat(o.Domains, p.Domains),
		Boxes: slices.Concat(o.Boxes, p.Boxes),
	}
}

// Known is what the configuration names: apps, targets, hosts, resolvers and their addresses. It is no secret of
// the home's, even where a laboratory has its servers on this very machine.
type Known struct {
	Words     []string
	Addresses []netip.Addr
}

// addresses says which addresses are ours.
type addresses struct {
	exact map[netip.Addr]bool
	homes []netip.Prefix // of IPv6: who knows the network knows the home
	links []netip.Prefix // private networks that this machine is on
	near  map[netip.Addr]bool
	eui   map[[8]byte]bool // interface identifiers that are made of our MACs
	known map[netip.Addr]bool
}

// homeBits is the network of IPv6 that one link has (RFC 4291, section 2.5.1): whatever is in it is of this home.
const homeBits = 64

// leastLink is the shortest prefix of a private network that is believed to be one link. Chosen by us: a larger one
// is a provider's.
const leastLink = 16

func newAddresses(own Own, known []netip.Addr) *addresses {
	a := &addresses{exact: map[netip.Addr]bool{}, near: map[netip.Addr]bool{}, eui: map[[8]byte]bool{}, known: map[netip.Addr]bool{}}
	for _, k := range known {
		a.known[plain(k)] = true
	}
	for _, p := range own.Addresses {
		a.add(p)
	}
	for _, n := range own.Near {
		if n = plain(n); a.may(n) {
			a.exact[n], a.near[n] = true, true
		}
	}
	for _, m := range own.MACs {
		if id, ok := eui64(m); ok {
			a.eui[id] = true
		}
	}
	return a
}

func (a *addresses) add(p netip.Prefix) {
	at := plain(p.Addr())
	if !a.may(at) {
		return
	}
	a.exact[at] = true
	switch {
	case at.Is6() && !at.IsLinkLocalUnicast():
		home, _ := at.Prefix(homeBits)
		a.homes = append(a.homes, home)
	case at.Is4() && at.IsPrivate() && p.Bits() >= leastLink && p.Bits() < at.BitLen():
		a.links = append(a.links, netip.PrefixFrom(at, p.Bits()).Masked())
	}
}

// may says whether an address may be ours: it is neither everybody's, nor the configuration's, nor one at which only
// block pages live, which is proof in hand.
func (a *addresses) may(x netip.Addr) bool {
	return somebodys(x) && !a.known[x] && !measurements.BlockAddress(x)
}

// has says whether an address is ours: an interface's, a gateway's, one in the home's network of IPv6, one that
// is made of a MAC of ours, or one of IPv6 that holds an IPv4 address of ours.
func (a *addresses) has(x netip.Addr) bool {
	x = plain(x)
	if !a.may(x) {
		return false
	}
	if a.exact[x] || slices.ContainsFunc(a.homes, func(p netip.Prefix) bool { return p.Contains(x) }) {
		return true
	}
	if x.Is4() {
		return false
	}
	b := x.As16()
	if a.eui[[8]byte(b[8:])] {
		return true
	}
	four, ok := inside(x)
	return ok && a.exact[four]
}

// atHome says whether an address is of a machine at home.
func (a *addresses) atHome(x netip.Addr) bool {
	x = plain(x)
	return a.has(x) || slices.ContainsFunc(a.links, func(p netip.Prefix) bool { return p.Contains(x) })
}

var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052, section 2.1
	sixToFour = netip.MustParsePrefix("2002::/16")    // RFC 3056, section 2
)

// inside gives the IPv4 address in one of IPv6.
func inside(x netip.Addr) (netip.Addr, bool) {
	b := x.As16()
	switch {
	case nat64.Contains(x):
		return netip.AddrFrom4([4]byte(b[12:])), true
	case sixToFour.Contains(x):
		return netip.AddrFrom4([4]byte(b[2:])), true
	}
	return netip.Addr{}, false
}

// plain is an address in the one form that compares.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// somebodys says whether an address can tell anything of anybody.
func somebodys(a netip.Addr) bool {
	return a.IsValid() && !a.IsLoopback() && !a.IsUnspecified() && !a.IsMulticast()
}

// eui64 is the interface identifier that is made of a MAC (RFC 4291, appendix A).
func eui64(m net.HardwareAddr) (id [8]byte, ok bool) {
	if len(m) != 6 || isNobodys(m) {
		return id, false
	}
	return [8]byte{m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]}, true
}

// isNobodys says whether a MAC is that of interfaces without one.
func isNobodys(m net.HardwareAddr) bool {
	return !slices.ContainsFunc(m, func(b byte) bool { return b != 0 })
}

package probe

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
)

// mostResolvers of the system are used: resolvers behind the third are asked by nobody (MAXNS of glibc,
// resolv.conf(5)).
const mostResolvers = 3

var errNoResolvers = errors.New("probe: the system has no resolver configured; name one in [network] resolver")

// ResolversOfSystem gives the resolvers that the machine's own programs use, three at most, in their
// order, to be asked over UDP. It fails where the system's configuration can't be read, or names none.
// Nothing is sent.
func (h Host) ResolversOfSystem() ([]Resolver, error) {
	read := h.SystemResolvers
	if read == nil {
		read = systemResolvers
	}
	configured, err := read()
	if err != nil {
		return nil, fmt.Errorf("probe: reading the system's resolvers: %w", err)
	}
	var out []Resolver
	for _, ep := range configured {
		ep = netip.AddrPortFrom(ep.Addr().Unmap(), ep.Port())
		r := Resolver{URL: (&url.URL{Scheme: "udp", Host: ep.String()}).String(), Addresses: []netip.Addr{ep.Addr()}}
		known := slices.ContainsFunc(out, func(o Resolver) bool { return o.URL == r.URL })
		if ep.IsValid() && !known && len(out) < mostResolvers {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, errNoResolvers
	}
	return out, nil
}

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
	out, err := asResolvers(read())
	if err != nil {
		return nil, fmt.Errorf("probe: reading the system's resolvers: %w", err)
	}
	if len(out) == 0 {
		return nil, errNoResolvers
	}
	return out, nil
}

// ResolversBehindStub gives the resolvers that a stub on this machine asks in turn, three at most: it
// passes the first answer on, and what else came is seen only where they are asked directly. None is no
// error: there is no stub, or it does not say. Nothing is sent.
//
// Only systemd-resolved says whom it asks. dnsmasq, unbound and dnscrypt-proxy on this machine keep it in
// configurations of many forms, or are told over D-Bus, and one that encrypts asks in a way that nobody
// on the path could answer; a forwarder on the router can't be asked at all.
func (h Host) ResolversBehindStub() ([]Resolver, error) {
	read := h.StubUpstreams
	if read == nil && h.SystemResolvers == nil {
		read = stubUpstreams
	}
	if read == nil {
		return nil, nil
	}
	return asResolvers(read())
}

// asResolvers makes resolvers of addresses, to be asked over UDP: each once, and no more than are used.
func asResolvers(configured []netip.AddrPort, err error) ([]Resolver, error) {
	if err != nil {
		return nil, err
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
	return out, nil
}

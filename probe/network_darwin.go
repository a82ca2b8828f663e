package probe

import (
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/route"
)

// gatewayOf reads the kernel's routes, and its table of neighbours, which on macOS are routes as well.
func gatewayOf(i *net.Interface, six bool) (gateway netip.Addr, mac net.HardwareAddr) {
	family := syscall.AF_INET
	if six {
		family = syscall.AF_INET6
	}
	for dst, m := range routes(family, route.RIBTypeRoute, 0) {
		if m.Index == i.Index && m.Flags&syscall.RTF_GATEWAY != 0 && dst.IsUnspecified() && unmasked(m) {
			gateway = routeAddress(m.Addrs[syscall.RTAX_GATEWAY])
			break
		}
	}
	for dst, m := range routes(family, route.RIBType(syscall.NET_RT_FLAGS), syscall.RTF_LLINFO) {
		link, ok := m.Addrs[syscall.RTAX_GATEWAY].(*route.LinkAddr)
		if ok && m.Index == i.Index && dst == gateway && len(link.Addr) > 0 {
			return gateway, net.HardwareAddr(link.Addr)
		}
	}
	return gateway, nil
}

// routes gives the routes that have a destination and a gateway, by destination.
func routes(family int, kind route.RIBType, arg int) func(yield func(netip.Addr, *route.RouteMessage) bool) {
	return func(yield func(netip.Addr, *route.RouteMessage) bool) {
		b, err := route.FetchRIB(family, kind, arg)
		if err != nil {
			return
		}
		all, err := route.ParseRIB(kind, b)
		if err != nil {
			return
		}
		for _, m := range all {
			r, ok := m.(*route.RouteMessage)
			if !ok || len(r.Addrs) <= syscall.RTAX_NETMASK {
				continue
			}
			if dst := routeAddress(r.Addrs[syscall.RTAX_DST]); dst.IsValid() && !yield(dst, r) {
				return
			}
		}
	}
}

// unmasked says whether a route is for all addresses: a half of them has a mask of one bit.
func unmasked(m *route.RouteMessage) bool {
	mask := routeAddress(m.Addrs[syscall.RTAX_NETMASK])
	return !mask.IsValid() || mask.IsUnspecified()
}

// routeAddress gives an address without its zone; invalid where it is none.
func routeAddress(a route.Addr) netip.Addr {
	switch a := a.(type) {
	case *route.Inet4Addr:
		return netip.AddrFrom4(a.IP)
	case *route.Inet6Addr:
		return netip.AddrFrom16(a.IP)
	}
	return netip.Addr{}
}

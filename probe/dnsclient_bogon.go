package probe

import "net/netip"

// Bogon says whether no public server can have an address: it is private, local, shared, reserved,
// multicast or for benchmarks. An address that is not valid is one too.
//
// The documentation ranges (192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24: RFC 5737; 2001:db8::/32:
// RFC 3849; 3fff::/20: RFC 9637) are reserved alike and left out on purpose: in our tests and
// laboratories public servers live there. Inside NAT64's well-known prefix and 6to4 the IPv4 address
// counts: networks without IPv4 give their clients such answers for every name (RFC 6147). IANA
// special-purpose address registries (RFC 6890).
func Bogon(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() {
		return true
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return true
		}
	}
	b := a.As16()
	switch {
	case a.Is4():
		return false
	case nat64.Contains(a):
		return Bogon(netip.AddrFrom4([4]byte(b[12:])))
	case sixToFour.Contains(a):
		return Bogon(netip.AddrFrom4([4]byte(b[2:])))
	}
	return !globalUnicast.Contains(a)
}

var (
	// globalUnicast is all of IPv6 that IANA hands out (RFC 4291, section 2.4); the d0::11 of Iran's
	// block pages (ooni/backend#543) lies outside.
	globalUnicast = netip.MustParsePrefix("2000::/3")

	sharedSpace = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	nat64       = netip.MustParsePrefix("64:ff9b::/96")  // RFC 6052, section 2.1
	sixToFour   = netip.MustParsePrefix("2002::/16")     // RFC 3056, section 2

	reserved = []netip.Prefix{
		sharedSpace,
		netip.MustParsePrefix("0.0.0.0/8"),     // this network: RFC 791, section 3.2
		netip.MustParsePrefix("192.0.0.0/24"),  // protocol assignments: RFC 6890, section 2.1
		netip.MustParsePrefix("198.18.0.0/15"), // benchmarks: RFC 2544
		netip.MustParsePrefix("240.0.0.0/4"),   // reserved, and the broadcast address: RFC 1112, section 4

		netip.MustParsePrefix("100::/64"),     // discard: RFC 6666
		netip.MustParsePrefix("2001::/32"),    // Teredo clients, no servers; China's injector answers with them (Hoang et al., USENIX Security 2021)
		netip.MustParsePrefix("2001:2::/48"),  // benchmarks: RFC 5180
		netip.MustParsePrefix("2001:10::/28"), // ORCHID: RFC 4843
		netip.MustParsePrefix("2001:20::/28"), // ORCHIDv2: RFC 7343
		netip.MustParsePrefix("fec0::/10"),    // site-local, deprecated: RFC 3879
		netip.MustParsePrefix("::/96"),        // IPv4-compatible, deprecated: RFC 4291, section 2.5.5.1
	}
)

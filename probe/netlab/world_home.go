package netlab

import (
	"net"
	"net/netip"

	"github.com/telltale-probe/telltale/probe/privacy"
)

// Home is what tells who the volunteer of every world is, as a real machine would say it: none of it may be found in
// a record. The addresses are those under which servers see the vantage, one behind a router, and one that is
// made of a MAC.
func Home() privacy.Own {
	return privacy.Own{
		Addresses: []netip.Prefix{
			netip.PrefixFrom(vantage4, 32), netip.PrefixFrom(vantage6, 64),
			netip.MustParsePrefix("192.168.1.77/24"), netip.MustParsePrefix("fe80::ff:fe00:77/64"),
		},
		Near:    []netip.Addr{homeRouter},
		MACs:    []net.HardwareAddr{{2, 0, 0, 0, 0, 0x77}},
		Hosts:   []string{"volunteers-laptop"},
		Domains: []string{"volunteer.home.arpa"},
	}
}

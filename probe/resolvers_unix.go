//go:build !windows

package probe

import (
	"io"
	"net/netip"
	"os"

	"github.com/miekg/dns"
)

const (
	resolvConf = "/etc/resolv.conf"
	// resolvConfBytes are read of it; real ones have a few lines. Chosen by us.
	resolvConfBytes = 64 << 10
	portDNS         = 53
)

// systemResolvers reads resolv.conf(5). The file of macOS is one for such readers too.
func systemResolvers() ([]netip.AddrPort, error) {
	f, err := os.Open(resolvConf)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readResolvConf(f)
}

// readResolvConf takes the nameservers that are addresses; there are no others.
func readResolvConf(r io.Reader) ([]netip.AddrPort, error) {
	c, err := dns.ClientConfigFromReader(io.LimitReader(r, resolvConfBytes))
	if err != nil {
		return nil, err
	}
	var out []netip.AddrPort
	for _, s := range c.Servers {
		if a, err := netip.ParseAddr(s); err == nil {
			out = append(out, netip.AddrPortFrom(a, portDNS))
		}
	}
	return out, nil
}

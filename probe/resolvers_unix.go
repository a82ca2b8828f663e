//go:build !windows

package probe

import (
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/miekg/dns"
)

const (
	resolvConf = "etc/resolv.conf"
	// resolvedConf is where systemd-resolved writes the resolvers that it asks (systemd-resolved(8)).
	resolvedConf = "run/systemd/resolve/resolv.conf"
	// resolvConfBytes are read of it; real ones have a few lines. Chosen by us.
	resolvConfBytes = 64 << 10
	portDNS         = 53
)

// resolvedStubs are the addresses at which systemd-resolved listens (systemd-resolved(8)).
var resolvedStubs = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 53}), netip.AddrFrom4([4]byte{127, 0, 0, 54})}

// systemResolvers reads resolv.conf(5). The file of macOS is one for such readers too.
func systemResolvers() ([]netip.AddrPort, error) { return resolversIn("/", resolvConf) }

// stubUpstreams gives those that are reached as everything else is. One behind a tunnel that is not the
// default route is a company's own, which resolves its names alone, and is asked for no others.
func stubUpstreams() ([]netip.AddrPort, error) {
	behind, err := stubUpstreamsIn("/")
	if len(behind) == 0 {
		return nil, err
	}
	four, six := wayTo(abroad4), wayTo(nobody6)
	return slices.DeleteFunc(behind, func(ep netip.AddrPort) bool {
		w := wayTo(ep.Addr())
		return !w.exists() || w.Interface != four.Interface && w.Interface != six.Interface
	}), nil
}

// stubUpstreamsIn reads the resolvers behind systemd-resolved, where programs use its stub. Global ones
// come first in its file, then those of every link. resolved may speak TLS to them, which its file does not say.
func stubUpstreamsIn(root string) ([]netip.AddrPort, error) {
	configured, err := resolversIn(root, resolvConf)
	if err != nil || !slices.ContainsFunc(configured, func(ep netip.AddrPort) bool { return slices.Contains(resolvedStubs, ep.Addr()) }) {
		return nil, err
	}
	behind, err := resolversIn(root, resolvedConf)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // another program at the stub's address
	}
	return slices.DeleteFunc(behind, func(ep netip.AddrPort) bool { return ep.Addr().IsLoopback() }), err
}

func resolversIn(root, file string) ([]netip.AddrPort, error) {
	f, err := os.Open(filepath.Join(root, file))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
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

// searchDomains are those that resolv.conf(5) says, and systemd-resolved's file.
func searchDomains() (out []string) {
	for _, file := range []string{resolvConf, resolvedConf} {
		f, err := os.Open(filepath.Join("/", file))
		if err != nil {
			continue
		}
		if c, err := dns.ClientConfigFromReader(io.LimitReader(f, resolvConfBytes)); err == nil {
			out = append(out, c.Search...)
		}
		_ = f.Close()
	}
	return out
}

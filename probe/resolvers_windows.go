package probe

import (
	"errors"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

const (
	portDNS = 53
	// adapterBytes is what Microsoft recommends to begin with, and mostAdapterBytes bounds the growth
	// (GetAdaptersAddresses, remarks; the bound is chosen by us).
	adapterBytes     = 15 << 10
	mostAdapterBytes = 1 << 20
)

// siteLocal holds the addresses that Windows puts where no IPv6 resolver is configured; nobody answers
// there (RFC 3879).
var siteLocal = netip.MustParsePrefix("fec0::/10")

// systemResolvers reads the resolvers of the adapters that are up and have a gateway, as Go's own
// resolver does.
func systemResolvers() ([]netip.AddrPort, error) {
	first, err := adapters()
	if err != nil {
		return nil, err
	}
	var out []netip.AddrPort
	for a := first; a != nil; a = a.Next {
		if a.OperStatus != windows.IfOperStatusUp || a.FirstGatewayAddress == nil {
			continue
		}
		for d := a.FirstDnsServerAddress; d != nil; d = d.Next {
			if addr := addressOf(d); addr.IsValid() && !siteLocal.Contains(addr.WithZone("")) {
				out = append(out, netip.AddrPortFrom(addr, portDNS))
			}
		}
	}
	return out, nil
}

// stubUpstreams gives none: the resolvers of adapters are the real ones.
func stubUpstreams() ([]netip.AddrPort, error) { return nil, nil }

// adapters gives the list of adapters, nil where there is none.
func adapters() (*windows.IpAdapterAddresses, error) {
	for size := uint32(adapterBytes); size <= mostAdapterBytes; {
		b := make([]byte, size)
		list := (*windows.IpAdapterAddresses)(unsafe.Pointer(&b[0]))
		err := windows.GetAdaptersAddresses(windows.AF_UNSPEC, windows.GAA_FLAG_INCLUDE_GATEWAYS, 0, list, &size)
		switch {
		case err == nil && size == 0, errors.Is(err, windows.ERROR_NO_DATA):
			return nil, nil
		case err == nil:
			return list, nil
		case !errors.Is(err, windows.ERROR_BUFFER_OVERFLOW) || size <= uint32(len(b)):
			return nil, os.NewSyscallError("getadaptersaddresses", err)
		}
	}
	return nil, windows.ERROR_BUFFER_OVERFLOW
}

// addressOf reads a socket address; the zone of a link-local one is the adapter's index.
func addressOf(d *windows.IpAdapterDnsServerAdapter) netip.Addr {
	sa, err := d.Address.Sockaddr.Sockaddr()
	if err != nil {
		return netip.Addr{}
	}
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrFrom4(sa.Addr)
	case *syscall.SockaddrInet6:
		a := netip.AddrFrom16(sa.Addr).Unmap()
		if a.IsLinkLocalUnicast() && sa.ZoneId != 0 {
			a = a.WithZone(strconv.FormatUint(uint64(sa.ZoneId), 10))
		}
		return a
	}
	return netip.Addr{}
}

// searchDomains are those of the adapters that are up.
func searchDomains() (out []string) {
	first, err := adapters()
	if err != nil {
		return nil
	}
	for a := first; a != nil; a = a.Next {
		if a.OperStatus == windows.IfOperStatusUp && a.DnsSuffix != nil {
			out = append(out, windows.UTF16PtrToString(a.DnsSuffix))
		}
	}
	return out
}

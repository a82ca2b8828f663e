package probe

import (
	"net"
	"net/netip"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Types of adapters (ipifcons.h; the last is IANA's propVirtual, which Wintun takes).
const (
	ifTypePPP     = 23
	ifTypeVirtual = 53
	ifTypeTunnel  = 131
	ifTypeWWAN    = 243
	ifTypeWWAN2   = 244
)

// tunnelDrivers stand in the descriptions of adapters that say they are Ethernet.
var tunnelDrivers = []string{"tap-", "wintun", "wireguard", "openvpn", "zerotier", "vpn"}

// adapterOf finds an adapter; nil where there is none.
func adapterOf(i *net.Interface) *windows.IpAdapterAddresses {
	first, err := adapters()
	if err != nil {
		return nil
	}
	for a := first; a != nil; a = a.Next {
		if a.IfIndex == uint32(i.Index) || a.Ipv6IfIndex == uint32(i.Index) {
			return a
		}
	}
	return nil
}

// kindOf goes by the adapter's type, and by its driver's name. The VPN that is built into Windows speaks
// PPP, as DSL does: that is not told.
func kindOf(i *net.Interface) Kind {
	a := adapterOf(i)
	if a == nil {
		return Link
	}
	driver := strings.ToLower(windows.UTF16PtrToString(a.Description))
	for _, name := range tunnelDrivers {
		if strings.Contains(driver, name) {
			return Tunnel
		}
	}
	switch a.IfType {
	case ifTypeTunnel, ifTypeVirtual:
		return Tunnel
	case ifTypePPP:
		return PPP
	case ifTypeWWAN, ifTypeWWAN2:
		return Mobile
	}
	return Link
}

func gatewayOf(i *net.Interface, six bool) (netip.Addr, net.HardwareAddr) {
	a := adapterOf(i)
	if a == nil {
		return netip.Addr{}, nil
	}
	for g := a.FirstGatewayAddress; g != nil; g = g.Next {
		ip, ok := netip.AddrFromSlice(g.Address.IP())
		if ip = ip.Unmap(); ok && ip.Is6() == six {
			return ip, neighbour(ip)
		}
	}
	return netip.Addr{}, nil
}

var getIPNetTable = windows.NewLazySystemDLL("iphlpapi.dll").NewProc("GetIpNetTable")

// neighbourRow is a MIB_IPNETROW (ipmib.h).
type neighbourRow struct {
	index, macLength uint32
	mac              [8]byte
	address          [4]byte
	kind             uint32
}

// neighbour is the MAC of an IPv4 address, where Windows knows it; nil otherwise. A gateway of IPv6 is
// named by its link-local address, which says as much as a rule.
func neighbour(a netip.Addr) net.HardwareAddr {
	const invalid = 2 // MIB_IPNET_TYPE_INVALID
	if !a.Is4() || getIPNetTable.Find() != nil {
		return nil
	}
	b := make([]byte, mostAdapterBytes)
	size := uint32(len(b))
	if code, _, _ := getIPNetTable.Call(uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&size)), 0); code != 0 {
		return nil
	}
	count := *(*uint32)(unsafe.Pointer(&b[0]))
	room := (len(b) - 4) / int(unsafe.Sizeof(neighbourRow{}))
	for _, r := range unsafe.Slice((*neighbourRow)(unsafe.Pointer(&b[4])), min(int(count), room)) {
		if netip.AddrFrom4(r.address) == a && r.kind != invalid && r.macLength == 6 {
			return net.HardwareAddr(r.mac[:6:6])
		}
	}
	return nil
}

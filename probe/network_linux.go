package probe

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// kernelFiles is the folder of the kernel's files about the network.
type kernelFiles string

// netFiles are those of the namespace in which the thread is. A unit that hides the rest of /proc
// (ProcSubset=pid) leaves them.
const netFiles kernelFiles = "/proc/thread-self/net"

func gatewayOf(i *net.Interface, six bool) (netip.Addr, net.HardwareAddr) {
	if six {
		// The neighbours of IPv6 are in no file, and the gateway's link-local address, which is made of
		// its MAC as a rule, says as much.
		return netFiles.gateway6(i.Name), nil
	}
	gateway := netFiles.gateway4(i.Name)
	return gateway, netFiles.neighbour(i.Name, gateway)
}

// read gives a file, cut off where it is beyond all reason: a router with a full table has a million routes.
func (root kernelFiles) read(name string) []byte {
	f, err := os.Open(filepath.Join(string(root), name))
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, resolvConfBytes)
	n := 0
	for n < len(b) {
		m, err := f.Read(b[n:]) // files of /proc come in parts
		n += m
		if err != nil {
			break
		}
	}
	return b[:n]
}

// Flags of routes (linux/route.h).
const (
	rtfUp      = 0x1
	rtfGateway = 0x2
	rtfReject  = 0x200
)

// gateway4 is the next hop of the default route of least metric through an interface.
func (root kernelFiles) gateway4(name string) (gateway netip.Addr) {
	least := uint64(1 << 32)
	for f := range root.lines("route") {
		// Iface Destination Gateway Flags RefCnt Use Metric Mask …, addresses as the machine stores them.
		if len(f) < 8 || f[0] != name || f[1] != "00000000" || f[7] != "00000000" {
			continue
		}
		next, err := hex.DecodeString(f[2])
		flags, _ := strconv.ParseUint(f[3], 16, 32)
		metric, _ := strconv.ParseUint(f[6], 10, 32)
		if err == nil && len(next) == 4 && flags&(rtfUp|rtfGateway|rtfReject) == rtfUp|rtfGateway && metric < least {
			var b [4]byte
			binary.NativeEndian.PutUint32(b[:], binary.BigEndian.Uint32(next))
			gateway, least = netip.AddrFrom4(b), metric
		}
	}
	return gateway
}

// gateway6 is gateway4 for IPv6.
func (root kernelFiles) gateway6(name string) (gateway netip.Addr) {
	least := uint64(1 << 32)
	for f := range root.lines("ipv6_route") {
		// Destination and its length, source and its length, next hop, metric, RefCnt, Use, flags, Iface.
		if len(f) < 10 || f[9] != name || f[1] != "00" {
			continue
		}
		next, err := hex.DecodeString(f[4])
		metric, _ := strconv.ParseUint(f[5], 16, 32)
		flags, _ := strconv.ParseUint(f[8], 16, 32)
		if err == nil && len(next) == 16 && flags&(rtfUp|rtfGateway|rtfReject) == rtfUp|rtfGateway && metric < least {
			gateway, least = netip.AddrFrom16([16]byte(next)), metric
		}
	}
	return gateway
}

// neighbour is the MAC of an IPv4 address, where the kernel knows it; nil otherwise.
func (root kernelFiles) neighbour(name string, a netip.Addr) net.HardwareAddr {
	const complete = 0x2 // ATF_COM, linux/if_arp.h
	for f := range root.lines("arp") {
		// IP address, HW type, Flags, HW address, Mask, Device.
		if len(f) < 6 || f[5] != name || f[0] != a.String() {
			continue
		}
		flags, _ := strconv.ParseUint(strings.TrimPrefix(f[2], "0x"), 16, 32)
		mac, err := net.ParseMAC(f[3])
		if err == nil && flags&complete != 0 {
			return mac
		}
	}
	return nil
}

// lines gives the fields of each line of a file.
func (root kernelFiles) lines(name string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for s := bufio.NewScanner(bytes.NewReader(root.read(name))); s.Scan(); {
			if !yield(strings.Fields(s.Text())) {
				return
			}
		}
	}
}

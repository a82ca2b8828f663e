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

// kernelFiles is where the kernel's own files are: "/", and elsewhere in tests.
type kernelFiles string

func kindOf(i *net.Interface) Kind { return kernelFiles("/").kind(i.Name) }

func gatewayOf(i *net.Interface, six bool) (netip.Addr, net.HardwareAddr) {
	if six {
		// The neighbours of IPv6 are in no file, and the gateway's link-local address, which is made of
		// its MAC as a rule, says as much.
		return kernelFiles("/").gateway6(i.Name), nil
	}
	gateway := kernelFiles("/").gateway4(i.Name)
	return gateway, kernelFiles("/").neighbour(i.Name, gateway)
}

// read gives a file, cut off where it is beyond all reason: a router with a full table has a million routes.
func (root kernelFiles) read(path ...string) []byte {
	f, err := os.Open(filepath.Join(append([]string{string(root)}, path...)...))
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

func (root kernelFiles) has(path ...string) bool {
	_, err := os.Stat(filepath.Join(append([]string{string(root)}, path...)...))
	return err == nil
}

// Types of interfaces (linux/if_arp.h).
const (
	arphrdPPP    = 512
	arphrdRawIP  = 519 // modems
	arphrdIPIP   = 768
	arphrdIP6IP6 = 769
	arphrdSIT    = 776 // IPv6 in IPv4
	arphrdGRE    = 778
	arphrdGRE6   = 823
	arphrdNone   = 65534 // tun, WireGuard, XFRM; some modems, too
)

// tunTap is the bit of tun_flags that tells Ethernet frames from IP packets (IFF_TAP, linux/if_tun.h).
const tunTap = 0x2

// kind reads what an interface is from what its driver says. An interface that carries a default route
// and has neither a driver nor a device behind it is a tunnel. One with frames (tap) needs something to
// ride on: as the only interface, it is the network of a container (slirp4netns, pasta).
func (root kernelFiles) kind(name string) Kind {
	dir := []string{"sys", "class", "net", name}
	in := func(file string) []string { return append(dir[:4:4], file) }
	hardware, _ := strconv.Atoi(string(bytes.TrimSpace(root.read(in("type")...))))
	made := ""
	for line := range strings.Lines(string(root.read(in("uevent")...))) {
		if kind, ok := strings.CutPrefix(strings.TrimSpace(line), "DEVTYPE="); ok {
			made = kind
		}
	}
	flags, err := strconv.ParseUint(strings.TrimPrefix(string(bytes.TrimSpace(root.read(in("tun_flags")...))), "0x"), 16, 32)
	switch {
	case err == nil && flags&tunTap == 0, made == "wireguard":
		return Tunnel
	case err == nil:
		if root.alone(name) {
			return Link
		}
		return Tunnel
	case made == "wwan", hardware == arphrdRawIP:
		return Mobile
	case hardware == arphrdPPP:
		return PPP
	case hardware == arphrdIPIP, hardware == arphrdIP6IP6, hardware == arphrdSIT, hardware == arphrdGRE, hardware == arphrdGRE6:
		return Tunnel
	case hardware == arphrdNone && root.has(in("device")...):
		return Mobile
	case hardware == arphrdNone:
		return Tunnel
	}
	return Link
}

// alone says whether no other interface that is up could carry anything.
func (root kernelFiles) alone(name string) bool {
	entries, err := os.ReadDir(filepath.Join(string(root), "sys", "class", "net"))
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.Name() != name && e.Name() != "lo" && string(bytes.TrimSpace(root.read("sys", "class", "net", e.Name(), "operstate"))) == "up" {
			return false
		}
	}
	return true
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
	for f := range root.lines("proc", "net", "route") {
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
	for f := range root.lines("proc", "net", "ipv6_route") {
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
	for f := range root.lines("proc", "net", "arp") {
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
func (root kernelFiles) lines(path ...string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for s := bufio.NewScanner(bytes.NewReader(root.read(path...))); s.Scan(); {
			if !yield(strings.Fields(s.Text())) {
				return
			}
		}
	}
}

package probe

import (
	"net"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// device is what the kernel says of an interface's make.
type device struct {
	hardware uint16 // ARPHRD_…, linux/if_arp.h
	flags    uint32 // IFF_…, linux/if.h
	// made is the kind that whoever made the interface named (IFLA_INFO_KIND): "tun", "wireguard", "veth".
	// What a driver of hardware made has none.
	made string
}

// arphrdRawIP is the hardware of modems (ARPHRD_RAWIP), which x/sys does not have.
const arphrdRawIP = 519

// kindOf asks the kernel by netlink, which needs no right, and no file that a container may not have.
func kindOf(i *net.Interface) Kind {
	d, ok := deviceOf(i.Index)
	if !ok {
		return Link
	}
	return d.kind(func() bool { return aloneHere(i.Index) })
}

// kind says what an interface is for. What carries IP packets in something else is a tunnel; a modem may
// have the same hardware type (ARPHRD_NONE), but is made by a driver. A tap, which carries frames, needs
// something to ride on: as the only interface it is the network of a container (slirp4netns, pasta).
func (d device) kind(alone func() bool) Kind {
	switch d.hardware {
	case unix.ARPHRD_PPP:
		return PPP
	case arphrdRawIP:
		return Mobile
	case unix.ARPHRD_TUNNEL, unix.ARPHRD_TUNNEL6, unix.ARPHRD_SIT, unix.ARPHRD_IPGRE, unix.ARPHRD_IP6GRE:
		return Tunnel
	case unix.ARPHRD_NONE:
		if d.made == "" || d.made == "wwan" {
			return Mobile
		}
		return Tunnel
	}
	switch {
	case d.made == "tun" && !alone(), d.made == "gretap", d.made == "ip6gretap":
		return Tunnel
	case d.made == "wwan", d.made == "" && d.flags&unix.IFF_NOARP != 0:
		return Mobile
	}
	return Link
}

// aloneHere says whether no other interface could carry anything.
func aloneHere(index int) bool {
	all, err := net.Interfaces()
	if err != nil {
		return false
	}
	for i := range all {
		if all[i].Index != index && all[i].Flags&net.FlagLoopback == 0 && all[i].Flags&net.FlagUp != 0 && all[i].Flags&net.FlagRunning != 0 {
			return false
		}
	}
	return true
}

// deviceOf finds an interface in the kernel's list.
func deviceOf(index int) (device, bool) {
	b, err := syscall.NetlinkRIB(syscall.RTM_GETLINK, syscall.AF_UNSPEC)
	if err != nil {
		return device{}, false
	}
	messages, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return device{}, false
	}
	for i := range messages {
		m := &messages[i]
		if m.Header.Type != syscall.RTM_NEWLINK || len(m.Data) < syscall.SizeofIfInfomsg {
			continue
		}
		info := (*syscall.IfInfomsg)(unsafe.Pointer(&m.Data[0]))
		if int(info.Index) != index {
			continue
		}
		d := device{hardware: info.Type, flags: info.Flags}
		attributes, err := syscall.ParseNetlinkRouteAttr(m)
		if err != nil {
			return d, true
		}
		for _, a := range attributes {
			if a.Attr.Type == unix.IFLA_LINKINFO {
				d.made = madeBy(a.Value)
			}
		}
		return d, true
	}
	return device{}, false
}

// madeBy reads the kind out of the nested attributes of IFLA_LINKINFO: each has its length, itself
// included, and its type, two bytes each, and is filled up to four bytes (netlink(7)).
func madeBy(b []byte) string {
	for len(b) >= syscall.SizeofRtAttr {
		a := (*syscall.RtAttr)(unsafe.Pointer(&b[0]))
		if int(a.Len) < syscall.SizeofRtAttr || int(a.Len) > len(b) {
			return ""
		}
		if a.Type == unix.IFLA_INFO_KIND {
			return strings.TrimRight(string(b[syscall.SizeofRtAttr:a.Len]), "\x00")
		}
		b = b[min((int(a.Len)+syscall.RTA_ALIGNTO-1)&^(syscall.RTA_ALIGNTO-1), len(b)):]
	}
	return ""
}

//go:build !linux && !windows

package probe

import (
	"net"
	"strings"
)

// tunnelNames begin the names that the BSDs and macOS give to tunnels. Apple's utun carries all VPNs of
// its own framework.
var tunnelNames = []string{"utun", "tun", "tap", "wg", "ipsec", "gif", "gre", "stf"}

// kindOf goes by the name: nothing else tells here. A tap is Ethernet to all who ask and so is no
// point-to-point interface, but carries a name of the list.
func kindOf(i *net.Interface) Kind {
	for _, name := range tunnelNames {
		if strings.HasPrefix(i.Name, name) && (i.Flags&net.FlagPointToPoint != 0 || name == "tap" || name == "stf") {
			return Tunnel
		}
	}
	if i.Flags&net.FlagPointToPoint != 0 {
		return PPP
	}
	return Link
}

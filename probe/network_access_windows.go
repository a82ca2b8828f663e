package probe

import (
	"net"

	"github.com/telltale-probe/telltale/measurements"
)

// Types of interfaces (ipifcons.h), which x/sys has under no name of ours.
const (
	ifTypeEthernet = 6
	ifTypeWiFi     = 71
)

// accessOf asks Windows for the interface's type.
func accessOf(i *net.Interface) measurements.Access {
	if a := adapterOf(i); a != nil {
		switch a.IfType {
		case ifTypeEthernet:
			return measurements.AccessWired
		case ifTypeWiFi:
			return measurements.AccessWiFi
		}
	}
	return measurements.AccessUnknown
}

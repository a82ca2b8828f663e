package ooni

import "github.com/telltale-probe/telltale/measurements"

// networkType is the annotation network_type; "" where the access is not known. OONI's words are wifi, mobile
// and vpn (ooni/probe#1901); it has none for a cable.
func networkType(a measurements.Access) string {
	if a == measurements.AccessTunnel {
		return "vpn"
	}
	return string(a)
}

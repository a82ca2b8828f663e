package probe

import (
	"net/netip"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/kerneltest"
)

// The kernel tells the first router's refusal from the server's own, and its silence from that of what is behind it.
func TestKernelNearPing(t *testing.T) {
	for what, test := range map[string]struct {
		rule    []string
		first   bool
		farther bool
		failure measurements.Failure
	}{
		"the first router refuses":   {[]string{"-A", "FORWARD", "-p", "udp", "--dport", "443", "-j", "REJECT"}, true, false, measurements.ConnectionRefused},
		"the server refuses":         {nil, false, true, measurements.ConnectionRefused},
		"the first router drops":     {[]string{"-A", "FORWARD", "-p", "udp", "--dport", "443", "-j", "DROP"}, true, false, measurements.Timeout},
		"the first router drops all": {[]string{"-A", "FORWARD", "-p", "udp", "-j", "DROP"}, false, false, measurements.Timeout},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			lab := kerneltest.New(t)
			if test.rule != nil {
				lab.IPTables(test.rule...)
			}
			var o measurements.Observation
			lab.Do(kerneltest.Client, func() { o = Host{}.NearPing(t.Context(), netip.AddrPortFrom(lab.ServerAddr(0), 443)) })
			if o.QUIC.FirstHop != test.first || o.QUIC.Farther != test.farther || o.Failure != test.failure || o.Operation != measurements.QUICVersion {
				t.Errorf("first hop %v, farther %v, %s", o.QUIC.FirstHop, o.QUIC.Farther, o.Failure)
			}
		})
	}
}

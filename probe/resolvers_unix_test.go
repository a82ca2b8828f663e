//go:build !windows

package probe

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// What is no address is passed over, and so is all that is no nameserver.
func TestReadResolvConf(t *testing.T) {
	t.Parallel()
	const conf = "# comment\nsearch home.example\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\nnameserver\nnameserver resolver.example\noptions edns0\n"
	got, err := readResolvConf(strings.NewReader(conf))
	want := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53"), netip.MustParseAddrPort("[fe80::1%eth0]:53")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if got, err := readResolvConf(strings.NewReader(strings.Repeat("nameserver 192.0.2.53\n", 1<<14))); err != nil || len(got) > resolvConfBytes/20 {
		t.Errorf("%d resolvers, %v", len(got), err)
	}
}

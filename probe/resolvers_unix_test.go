//go:build !windows

package probe

import (
	"net/netip"
	"os"
	"path/filepath"
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

// The resolvers behind systemd-resolved are found where programs use its stub, and nowhere else.
func TestStubUpstreams(t *testing.T) {
	t.Parallel()
	const real = "nameserver 192.168.1.1\nnameserver 127.0.0.1\nnameserver 2001:db8::53\n"
	for _, test := range []struct {
		name, programs, resolved string
		want                     int
	}{
		{"the stub", "nameserver 127.0.0.53\noptions edns0 trust-ad\n", real, 2},
		{"the stub that only forwards", "nameserver 127.0.0.54\n", real, 2},
		{"programs ask the real ones", real, real, 0},
		{"dnsmasq", "nameserver 127.0.0.1\n", real, 0},
		{"another program at the address", "nameserver 127.0.0.53\n", "", 0},
	} {
		root := t.TempDir()
		for file, text := range map[string]string{resolvConf: test.programs, resolvedConf: test.resolved} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o755); err != nil {
				t.Fatal(err)
			}
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(root, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := stubUpstreamsIn(root)
		if err != nil || len(got) != test.want {
			t.Errorf("%s: got %v, %v, want %d", test.name, got, err, test.want)
		}
		if test.want > 0 && got[0].String() != "192.168.1.1:53" {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
	if _, err := stubUpstreamsIn(t.TempDir()); err == nil {
		t.Error("no resolv.conf, and no error")
	}
}

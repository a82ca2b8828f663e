package probe

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

// kernelOf writes files as the kernel has them.
func kernelOf(t *testing.T, files map[string]string) kernelFiles {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return kernelFiles(root)
}

// Kinds by what drivers write in sysfs, as read on Linux 6.x.
func TestKindOfInterface(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		files map[string]string
		want  Kind
	}{
		{"Ethernet", map[string]string{"type": "1\n", "device/vendor": "0x8086\n"}, Link},
		{"Wi-Fi", map[string]string{"type": "1\n", "uevent": "DEVTYPE=wlan\nINTERFACE=x\n"}, Link},
		{"a container's end of a veth", map[string]string{"type": "1\n", "uevent": "INTERFACE=x\n"}, Link},
		{"PPPoE", map[string]string{"type": "512\n", "uevent": "DEVTYPE=ppp\n"}, PPP},
		{"a modem with a header of its own", map[string]string{"type": "1\n", "uevent": "DEVTYPE=wwan\n"}, Mobile},
		{"a modem without a header (qmi_wwan, raw-ip)", map[string]string{"type": "65534\n", "device/vendor": "x\n", "uevent": "DEVTYPE=wwan\n"}, Mobile},
		{"a modem without a header whose driver does not say", map[string]string{"type": "65534\n", "device/vendor": "x\n"}, Mobile},
		{"rmnet", map[string]string{"type": "519\n"}, Mobile},
		{"tun", map[string]string{"type": "65534\n", "tun_flags": "0x1001\n"}, Tunnel},
		{"WireGuard", map[string]string{"type": "65534\n", "uevent": "DEVTYPE=wireguard\n"}, Tunnel},
		{"XFRM", map[string]string{"type": "65534\n"}, Tunnel},
		{"IPv4 in IPv4", map[string]string{"type": "768\n"}, Tunnel},
		{"IPv6 in IPv4", map[string]string{"type": "776\n"}, Tunnel},
		{"GRE", map[string]string{"type": "778\n"}, Tunnel},
		{"tap beside an Ethernet", map[string]string{"type": "1\n", "tun_flags": "0x1002\n", "../eth0/operstate": "up\n"}, Tunnel},
		{"tap beside an Ethernet without a cable", map[string]string{"type": "1\n", "tun_flags": "0x1002\n", "../eth0/operstate": "down\n"}, Link},
		{"a container's only interface (slirp4netns)", map[string]string{"type": "1\n", "tun_flags": "0x1002\n", "../lo/operstate": "unknown\n"}, Link},
	} {
		files := map[string]string{}
		for name, text := range test.files {
			files["sys/class/net/x/"+name] = text
		}
		if got := kernelOf(t, files).kind("x"); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestGateway(t *testing.T) {
	t.Parallel()
	k := kernelOf(t, map[string]string{
		"proc/net/route": "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" +
			"wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n" +
			"eth0\t00000000\tFE01A8C0\t0003\t0\t0\t200\t00000000\t0\t0\t0\n" +
			"eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n" +
			"eth0\t0000000A\t6401A8C0\t0003\t0\t0\t0\t000000FF\t0\t0\t0\n" +
			"tun0\t00000000\t0100080A\t0003\t0\t0\t0\t00000080\t0\t0\t0\n" +
			"ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n",
		"proc/net/ipv6_route": "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000003 00000000 00000003     eth0\n" +
			"00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n",
		"proc/net/arp": "IP address       HW type     Flags       HW address            Mask     Device\n" +
			"192.168.1.1      0x1         0x0         00:00:00:00:00:00     *        wlan0\n" +
			"192.168.1.1      0x1         0x2         02:00:5e:00:00:01     *        eth0\n",
	})
	for name, want := range map[string]string{"eth0": "192.168.1.1", "wlan0": "192.168.1.1", "tun0": "invalid IP", "ppp0": "invalid IP", "nope": "invalid IP"} {
		if got := k.gateway4(name).String(); got != want {
			t.Errorf("%s: gateway %s, want %s", name, got, want)
		}
	}
	if got := k.gateway6("eth0").String(); got != "fe80::1" {
		t.Errorf("gateway of IPv6: %s", got)
	}
	if got := k.gateway6("lo"); got.IsValid() {
		t.Errorf("the route that refuses all has a gateway: %s", got)
	}
	gateway := netip.MustParseAddr("192.168.1.1")
	if got := k.neighbour("eth0", gateway).String(); got != "02:00:5e:00:00:01" {
		t.Errorf("neighbour %q", got)
	}
	if got := k.neighbour("wlan0", gateway); got != nil {
		t.Errorf("an entry that is not complete: %s", got)
	}
}

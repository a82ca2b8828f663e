package probe

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/kerneltest"
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

// Kinds by what Linux 6.x says of interfaces.
func TestKindOfInterface(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		d     device
		alone bool
		want  Kind
	}{
		{"Ethernet, Wi-Fi", device{hardware: 1}, false, Link},
		{"a container's end of a veth", device{hardware: 1, made: "veth"}, true, Link},
		{"a bridge", device{hardware: 1, made: "bridge"}, false, Link},
		{"PPPoE", device{hardware: 512, made: "ppp"}, false, PPP},
		{"a modem with frames (cdc_mbim)", device{hardware: 1, flags: unix.IFF_NOARP}, false, Mobile},
		{"a modem with packets (qmi_wwan, raw-ip)", device{hardware: 65534, flags: unix.IFF_NOARP | unix.IFF_POINTOPOINT}, false, Mobile},
		{"a modem of the kernel's WWAN framework", device{hardware: 65534, made: "wwan"}, false, Mobile},
		{"rmnet", device{hardware: 519, made: "rmnet"}, false, Mobile},
		{"tun", device{hardware: 65534, made: "tun"}, false, Tunnel},
		{"tun, alone in its namespace", device{hardware: 65534, made: "tun"}, true, Tunnel},
		{"WireGuard", device{hardware: 65534, made: "wireguard"}, true, Tunnel},
		{"XFRM", device{hardware: 65534, made: "xfrm"}, false, Tunnel},
		{"IPv4 in IPv4", device{hardware: 768, made: "ipip"}, false, Tunnel},
		{"IPv6 in IPv4", device{hardware: 776, made: "sit"}, false, Tunnel},
		{"GRE", device{hardware: 778, made: "gre"}, false, Tunnel},
		{"tap beside another interface", device{hardware: 1, made: "tun"}, false, Tunnel},
		{"a container's only interface (slirp4netns)", device{hardware: 1, made: "tun"}, true, Link},
	} {
		if got := test.d.kind(func() bool { return test.alone }); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// A tunnel counts where public addresses are reached through it: by a split default route, as OpenVPN
// makes it, and by a rule and a table of its own, as wg-quick does; not by being there.
func TestKernelTunnel(t *testing.T) {
	t.Parallel()
	lab := kerneltest.New(t)
	network := func() (n Network) {
		lab.Do(kerneltest.Client, func() { n = Host{}.NetworkNow() })
		return n
	}
	home := network()
	if home.Tunnel() || home.IPv4.Kind != Link || !home.IPv4.Gateway.IsValid() {
		t.Fatalf("at home: %+v", home)
	}
	lab.RunClient("ip", "tuntap", "add", "dev", "tun0", "mode", "tun")
	lab.RunClient("ip", "addr", "add", "10.8.0.2/24", "dev", "tun0")
	lab.RunClient("ip", "link", "set", "tun0", "up")
	if n := network(); n.Tunnel() || !n.Same(home) {
		t.Errorf("a tunnel that nothing goes through: %+v", n)
	}
	halves := []string{"0.0.0.0/1", "128.0.0.0/1"}
	for _, half := range halves {
		lab.RunClient("ip", "route", "add", half, "dev", "tun0")
	}
	if n := network(); !n.Tunnel() || n.IPv4.Interface != "tun0" || n.Same(home) || n.Epoch(homeKey) == home.Epoch(homeKey) {
		t.Errorf("a default route in two halves: %+v", n)
	}
	for _, half := range halves {
		lab.RunClient("ip", "route", "del", half)
	}
	lab.RunClient("ip", "route", "add", "default", "dev", "tun0", "table", "51820")
	lab.RunClient("ip", "rule", "add", "not", "fwmark", "51820", "table", "51820")
	if n := network(); !n.Tunnel() {
		t.Errorf("a rule of policy routing: %+v", n)
	}
	lab.RunClient("ip", "rule", "del", "not", "fwmark", "51820", "table", "51820")
	if n := network(); n.Epoch(homeKey) != home.Epoch(homeKey) {
		t.Errorf("home again: %+v, was %+v", n, home)
	}
}

func TestGateway(t *testing.T) {
	t.Parallel()
	k := kernelOf(t, map[string]string{
		"route": "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" +
			"wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n" +
			"eth0\t00000000\tFE01A8C0\t0003\t0\t0\t200\t00000000\t0\t0\t0\n" +
			"eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n" +
			"eth0\t0000000A\t6401A8C0\t0003\t0\t0\t0\t000000FF\t0\t0\t0\n" +
			"tun0\t00000000\t0100080A\t0003\t0\t0\t0\t00000080\t0\t0\t0\n" +
			"ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n",
		"ipv6_route": "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000003 00000000 00000003     eth0\n" +
			"00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n",
		"arp": "IP address       HW type     Flags       HW address            Mask     Device\n" +
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

// Access by what Linux 6.x has of interfaces in sysfs; names say nothing.
func TestAccessOfInterface(t *testing.T) {
	t.Parallel()
	root := kernelOf(t, map[string]string{
		"a/uevent": "DEVTYPE=wlan\nINTERFACE=a\nIFINDEX=3\n", "a/device/x": "", "a/type": "1\n", "a/phy80211/name": "phy0\n",
		"b/uevent": "INTERFACE=b\n", "b/wireless/status": "0\n", "b/device/x": "", "b/type": "1\n",
		"c/uevent": "INTERFACE=c\nIFINDEX=2\n", "c/device/x": "", "c/type": "1\n",
		"d/uevent": "DEVTYPE=wwan\nINTERFACE=d\n", "d/device/x": "", "d/type": "1\n",
		"e/uevent": "DEVTYPE=bridge\nINTERFACE=e\n", "e/type": "1\n",
		"eth0/uevent": "INTERFACE=eth0\n", "eth0/type": "1\n",
		"g/uevent": "DEVTYPE=bond\nINTERFACE=g\n", "g/device/x": "", "g/type": "1\n",
		"h/uevent": "INTERFACE=h\n", "h/device/x": "", "h/type": "32\n",
	})
	for name, want := range map[string]measurements.Access{
		"a": measurements.AccessWiFi, "b": measurements.AccessWiFi, "c": measurements.AccessWired, "d": measurements.AccessMobile,
		"e": "", "eth0": "", "g": "", "h": "", "gone": "",
	} {
		if got := root.access(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

package probe

import (
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/telltale-probe/telltale/measurements"
)

// netClass is the kernel's folder of interfaces (sysfs; Documentation/ABI/testing/sysfs-class-net).
const netClass kernelFiles = "/sys/class/net"

// accessOf asks the kernel what an interface that looks like Ethernet is made of.
func accessOf(i *net.Interface) measurements.Access { return netClass.access(i.Name) }

// access goes by the type that the driver gave its device. Ethernet has none, and a device of hardware under
// it; bridges, bonds and a container's pairs have no device.
func (root kernelFiles) access(name string) measurements.Access {
	is := func(part string) bool {
		_, err := os.Stat(filepath.Join(string(root), name, part))
		return err == nil
	}
	made := ""
	for f := range root.lines(filepath.Join(name, "uevent")) {
		if len(f) > 0 && strings.HasPrefix(f[0], "DEVTYPE=") {
			made = strings.TrimPrefix(f[0], "DEVTYPE=")
		}
	}
	switch {
	case made == "wlan", is("phy80211"), is("wireless"): // the last is of drivers without cfg80211
		return measurements.AccessWiFi
	case made == "wwan":
		return measurements.AccessMobile
	case made == "" && is("device") && strings.TrimSpace(string(root.read(filepath.Join(name, "type")))) == "1": // ARPHRD_ETHER
		return measurements.AccessWired
	}
	return measurements.AccessUnknown
}

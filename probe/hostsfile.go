package probe

import (
	"bufio"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/telltale-probe/telltale/measurements"
)

// hostsBytes are read of a hosts file. Blocking lists of a hundred thousand names have about 3 MB; what
// stands behind that is not looked at. Chosen by us.
const hostsBytes = 8 << 20

// hostsFile is the platform's (hosts(5); on Windows below the system's own folder).
func hostsFile() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("SystemRoot"), "System32", "drivers", "etc", "hosts")
	}
	return "/etc/hosts"
}

// inHostsFile gives the addresses of a name in the hosts file; none where the file can't be read.
func (h Host) inHostsFile(name string) []netip.Addr {
	if h.Pinned != nil {
		return h.Pinned(name)
	}
	if h.Dial != nil {
		return nil // another internet has no file of ours
	}
	f, err := os.Open(hostsFile())
	if err != nil {
		return nil
	}
	defer f.Close()
	return readHosts(f, name)
}

// readHosts looks a name up in a hosts file: an address, then names, and # before what is for people.
func readHosts(r io.Reader, name string) (out []netip.Addr) {
	lines := bufio.NewScanner(io.LimitReader(r, hostsBytes))
	for lines.Scan() && len(out) < mostAddresses {
		line, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		a, err := netip.ParseAddr(fields[0])
		if err != nil {
			continue
		}
		for _, n := range fields[1:] {
			if strings.EqualFold(strings.TrimSuffix(n, "."), name) {
				out = append(out, a.Unmap())
				break
			}
		}
	}
	return out
}

// pinWord is DNS.Pinned for the addresses of one family. A pin in one family alone leaves the other to the
// resolver.
func pinWord(addrs []netip.Addr, f measurements.Family) string {
	for _, a := range addrs {
		switch {
		case measurements.FamilyOf(a) != f:
		case a.IsLoopback() || a.IsUnspecified():
			return "loopback"
		case a.IsPrivate() || a.IsLinkLocalUnicast():
			return "private"
		default:
			return "public"
		}
	}
	return ""
}

package probe

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
)

// A hosts file is read as the system reads it, and only a word of what it says is kept.
func TestHostsFile(t *testing.T) {
	const file = "127.0.0.1 localhost\n::1\tlocalhost ip6-localhost\n# 192.0.2.1 chat.example.net\n" +
		"0.0.0.0 ads.example.net\tCHAT.example.net. # by the family\nfd00::7 chat.example.net\nbad line\n300.1.1.1 x.example.net\n203.0.113.9 web.example.net other.example.net\n"
	for name, want := range map[string]string{
		"chat.example.net": "[0.0.0.0 fd00::7] loopback private", "web.example.net": "[203.0.113.9] public ", "other.example.net": "[203.0.113.9] public ",
		"x.example.net": "[]  ", "example.net": "[]  ", "localhost": "[127.0.0.1 ::1] loopback loopback",
	} {
		got := readHosts(strings.NewReader(file), name)
		if said := fmt.Sprintf("%v %s %s", got, pinWord(got, measurements.IPv4), pinWord(got, measurements.IPv6)); said != want {
			t.Errorf("%s: %q, want %q", name, said, want)
		}
	}
	long := strings.Repeat("x", 1<<20) + "\n192.0.2.9 chat.example.net\n"
	if got := readHosts(strings.NewReader(long), "chat.example.net"); len(got) > 0 {
		t.Errorf("behind a line that is none: %v", got) // the scanner gives up there, and so do we
	}
	many := strings.Repeat("192.0.2.9 chat.example.net\n", 1000)
	if got := readHosts(strings.NewReader(many), "chat.example.net"); len(got) != mostAddresses {
		t.Errorf("%d addresses are kept", len(got))
	}
	h := Host{Pinned: func(string) []netip.Addr { return []netip.Addr{netip.MustParseAddr("192.0.2.1")} }}
	if got := h.inHostsFile("a"); len(got) != 1 {
		t.Errorf("the host's own: %v", got)
	}
}

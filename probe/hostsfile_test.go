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

// A hosts file is anybody's on the machine: what is kept of it is bounded, and is what a line of it says.
func FuzzHosts(f *testing.F) {
	f.Add("127.0.0.1 localhost\n0.0.0.0 ads.example.net\tCHAT.example.net. # x\n", "chat.example.net")
	f.Add("::ffff:192.0.2.1 a\nfe80::1%eth0 a", "a")
	f.Add("#192.0.2.1 a\n 192.0.2.1\u00a0a", "a")
	f.Fuzz(func(t *testing.T, file, name string) {
		got := readHosts(strings.NewReader(file), name)
		if len(got) > mostAddresses || len(got) > strings.Count(file, "\n")+1 {
			t.Fatalf("%d addresses", len(got))
		}
		for _, a := range got {
			if !a.IsValid() || a.Is4In6() || !strings.Contains(strings.ToLower(file), strings.ToLower(name)) && name == strings.ToValidUTF8(name, "") && isASCII(name) {
				t.Errorf("%v for %q", a, name)
			}
		}
		for _, family := range []measurements.Family{measurements.IPv4, measurements.IPv6} {
			if word := pinWord(got, family); word != "" && len(got) == 0 {
				t.Errorf("%q of nothing", word)
			}
		}
	})
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7f })
}

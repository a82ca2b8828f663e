package probe

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestScrub(t *testing.T) {
	t.Parallel()
	local := &net.TCPAddr{IP: net.ParseIP("192.168.1.7"), Port: 4000}
	six := &net.TCPAddr{IP: net.ParseIP("2001:db8:aaaa::7"), Port: 4000}
	for _, c := range []struct {
		text  string
		local net.Addr
		want  string
	}{
		{"read tcp 192.168.1.7:4000->198.51.100.1:443: read: connection reset by peer", nil, "read tcp [scrubbed]->198.51.100.1:443: read: connection reset by peer"},
		{"read tcp [2001:db8:aaaa::7]:4000->[2001:db8::1]:443: i/o timeout", six, "read tcp [scrubbed]->[2001:db8::1]:443: i/o timeout"},
		{"read udp [fe80::1%eth0]:4000->[2001:db8::1]:443: i/o timeout", nil, "read udp [scrubbed]->[2001:db8::1]:443: i/o timeout"},
		{"bind 192.168.1.7: in use", local, "bind [scrubbed]: in use"},
		{"from 192.168.1.7:4000, ::ffff:192.168.1.7 and 192.168.1.77", local, "from [scrubbed]:4000, [scrubbed] and 192.168.1.77"},
		{"peer 2001:0db8:AAAA:0:0::7 says no", six, "peer [scrubbed] says no"},
		{"x509: certificate has expired: current time 2026-11-23T10:00:00Z is after 2026-11-22T10:00:00Z", local, "x509: certificate has expired: current time 2026-11-23T10:00:00Z is after 2026-11-22T10:00:00Z"},
		{"refused:192.168.1.7:4000", local, "refused:[scrubbed]:4000"},
		{"", local, ""},
	} {
		if got := scrub(c.text, c.local); got != c.want {
			t.Errorf("\n got %q\nwant %q", got, c.want)
		}
	}
}

// A peer may write into its close under which address it sees us.
func TestScrubExcept(t *testing.T) {
	t.Parallel()
	got := scrubExcept("no service for 203.0.113.9 at 198.51.100.1:443", netip.MustParseAddr("198.51.100.1"))
	if want := "no service for [scrubbed] at 198.51.100.1:443"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// BenchmarkScrub takes texts that a peer may write to keep us busy.
func BenchmarkScrub(b *testing.B) {
	for _, s := range []string{":", ".", "1.", "a:", "1:2.", "->"} {
		b.Run(s, func(b *testing.B) {
			for b.Loop() {
				scrubExcept(scrub(strings.Repeat(s, 20_000), nil), netip.Addr{})
			}
		})
	}
}

func FuzzScrub(f *testing.F) {
	f.Add("read tcp 192.168.1.7:4000->198.51.100.1:443: reset")
	f.Add("::ffff:192.168.1.7%x 192.168.1.7")
	f.Add("::ffff:192.168.1.7%192.168.1.7") // an address in another one's zone
	f.Fuzz(func(t *testing.T, text string) {
		local := &net.UDPAddr{IP: net.ParseIP("192.168.1.7"), Port: 4000}
		got := scrub("from "+strings.ToValidUTF8(text, "?")+" at 192.168.1.7: over", local)
		if strings.HasSuffix(got, "192.168.1.7: over") {
			t.Errorf("kept in %q", got)
		}
	})
}

package probe

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/google/go-cmp/cmp"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/hello"
	"github.com/telltale-probe/telltale/probe/kerneltest"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// A filter of the kernel's at known hops: the router forwards only what has not expired, and so its
// FORWARD chain shows at hop 2; what it drops before routing shows at hop 1. The server is hop 2.
func TestKernelHops(t *testing.T) {
	const name, neutral = "chat.alpha.example.net", "gate1.example.org"
	byName := []string{"-p", "tcp", "--dport", "443", "-m", "string", "--algo", "bm", "--string", name, "-j"}
	for what, test := range map[string]struct {
		rule []string
		want measurements.HopScan
	}{
		"nobody filters":        {nil, measurements.HopScan{Server: 2}},
		"reset when forwarding": {append([]string{"-A", "FORWARD"}, append(byName, "REJECT", "--reject-with", "tcp-reset")...), measurements.HopScan{Server: 2, Dies: 2, Failure: measurements.ConnectionReset}},
		"drop when forwarding":  {append([]string{"-A", "FORWARD"}, append(byName, "DROP")...), measurements.HopScan{Server: 2, Dies: 2, Failure: measurements.Timeout}},
		"drop before routing":   {append([]string{"-t", "mangle", "-A", "PREROUTING"}, append(byName, "DROP")...), measurements.HopScan{Dies: 1, Failure: measurements.Timeout}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			lab := kerneltest.New(t)
			// The router has a private address towards the home, as a household's has.
			lab.Run(kerneltest.Router, "ip", "addr", "add", "192.168.7.1/24", "dev", "client")
			lab.RunClient("ip", "addr", "add", "192.168.7.2/24", "dev", "uplink")
			lab.RunClient("ip", "route", "replace", "default", "via", "192.168.7.1", "src", "192.168.7.2")
			lab.Run(kerneltest.Server, "ip", "route", "replace", "192.168.7.0/24", "via", "203.0.113.1")
			ep := netip.AddrPortFrom(lab.ServerAddr(0), 443)
			serveNothing(t, lab, ep)
			if test.rule != nil {
				lab.IPTables(test.rule...)
			}
			var got measurements.HopScan
			lab.Do(kerneltest.Client, func() { got = Host{}.Hops(t.Context(), ep, name, neutral) })
			test.want.Endpoint, test.want.Family, test.want.Name, test.want.Home = ep.String(), measurements.IPv4, name, 1
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What a hop scan sends is what the list of a target says: to the name that died, whatever is spoken behind it, and to a
// neutral one in its place. Behind its SYNs with a hop limit there is nothing.
func TestHopsSendWhatIsListed(t *testing.T) {
	t.Parallel()
	form := func(records []byte) string {
		message, whole, err := hello.FromRecords(records)
		if err != nil || !whole {
			t.Fatalf("no hello: %x, %v", records, err)
		}
		h, err := hello.Parse(message)
		if err != nil {
			t.Fatal(err)
		}
		ja4, err := hello.JA4(message, false)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(ja4, h.ALPN, h.ServerName, len(records))
	}
	heard := make(chan string, 1)
	ep := speaking(t, func(c net.Conn) {
		b := make([]byte, 4096)
		n, _ := c.Read(b)
		heard <- form(b[:n])
	})
	anywhere := Host{Dial: (&net.Dialer{}).DialContext}
	if _, err := anywhere.hello(within(t, patient), ep, site, usualLimit); err != nil {
		t.Fatal(err)
	}
	sent := <-heard
	for _, w := range []Probe{ProbeTLS, ProbeHTTPS, ProbeWSS, ProbeLEGY} {
		listed := slices.ContainsFunc(Tape(t.Context(), Target{Hosts: []string{site}, Probes: []Probe{w}, Path: "/"}), func(m Message) bool {
			return strings.HasPrefix(m.What, "ClientHello, small") && strings.Contains(m.What, "hop scan") && form(m.Bytes) == sent
		})
		if !listed {
			t.Errorf("%s: sent and not listed: %s", w, sent)
		}
	}
}

// A suspected target's visit looks for the hop once a day; what its hello met there is an observation
// like any other.
func TestKernelLocate(t *testing.T) {
	t.Parallel()
	lab := kerneltest.New(t)
	ep := netip.AddrPortFrom(lab.ServerAddr(0), 443)
	serveNothing(t, lab, ep)
	const name = "chat.alpha.example.net"
	lab.IPTables("-A", "FORWARD", "-p", "tcp", "-m", "string", "--algo", "bm", "--string", name, "-j", "REJECT", "--reject-with", "tcp-reset")
	target := Target{ID: "chat", Hosts: []string{name}, Neutral: "gate1.example.org"}
	p := &Plan{Timeout: hopWait, Suspicion: &schedule.Suspicion{}}
	c := chain{p: p, s: p.sheet(measurements.Round{}, "alpha"), ep: ep, role: role{target: target.ID}}
	if c.locates(target, name) {
		t.Error("it looks without being asked to")
	}
	p.Locate = true
	if c.locates(target, name) {
		t.Error("it looks without a suspicion")
	}
	p.Suspicion.Suspect("alpha/chat")
	if !c.locates(target, name) || c.locates(target, name) {
		t.Error("it looks once a day")
	}
	var died bool
	lab.Do(kerneltest.Client, func() { died = c.locate(t.Context(), target, name) })
	m := c.s.close()
	if !died || len(m.Hops) != 1 || m.Hops[0].Dies != 2 || m.Hops[0].Target != "chat" {
		t.Fatalf("%v, %+v", died, m.Hops)
	}
	if len(m.Observations) != 1 || m.Observations[0].Failure != measurements.ConnectionReset || m.Observations[0].Operation != measurements.TLSHandshake || m.Observations[0].Name != name {
		t.Errorf("%+v", m.Observations)
	}
}

// serveNothing answers every hello with an alert: it has no certificate.
func serveNothing(t *testing.T, lab *kerneltest.Lab, ep netip.AddrPort) {
	t.Helper()
	l := lab.Listen(kerneltest.Server, "tcp4", ep.String())
	var wg sync.WaitGroup
	over := make(chan struct{})
	t.Cleanup(func() { close(over); _ = l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { _ = tls.Server(c, &tls.Config{}).Handshake() })
			wg.Go(func() { <-over; _ = c.Close() })
		}
	})
}

// Who sent an ICMP error stands behind the extended error, in either family; anything else is nobody.
func TestSenderOfAnError(t *testing.T) {
	extended := func(origin byte, sender ...byte) []byte {
		b := make([]byte, extendedError)
		b[4] = origin
		return append(b, sender...)
	}
	v4 := extended(unix.SO_EE_ORIGIN_ICMP, unix.AF_INET, 0, 0, 0, 192, 168, 7, 1)
	v6 := append(extended(unix.SO_EE_ORIGIN_ICMP6, unix.AF_INET6, 0, 0, 0, 0, 0, 0, 0), netip.MustParseAddr("fe80::1").AsSlice()...)
	for _, test := range []struct {
		data []byte
		want string
	}{
		{v4, "192.168.7.1"}, {v6, "fe80::1"},
		{nil, ""}, {v4[:20], ""}, {v6[:30], ""}, {extended(0, unix.AF_INET, 0, 0, 0, 1, 2, 3, 4), ""}, {extended(unix.SO_EE_ORIGIN_ICMP, 77, 0), ""},
	} {
		who, ok := senderOf(test.data)
		if ok != (test.want != "") || ok && who.String() != test.want {
			t.Errorf("%v: %v %v, want %q", test.data, who, ok, test.want)
		}
	}
}

// Whatever lies in the error queue, it is read within its bounds, and the sender is an address or nobody.
func FuzzErrorQueue(f *testing.F) {
	for _, origin := range []byte{unix.SO_EE_ORIGIN_ICMP, unix.SO_EE_ORIGIN_ICMP6, 0} {
		b := make([]byte, unix.CmsgSpace(extendedError+28))
		binary.NativeEndian.PutUint64(b, uint64(unix.CmsgLen(extendedError+28)))
		b[unix.SizeofCmsghdr+4] = origin
		b[unix.SizeofCmsghdr+extendedError] = unix.AF_INET + (unix.AF_INET6-unix.AF_INET)*(origin&1)
		f.Add(b)
		f.Add(b[:len(b)-9])
	}
	f.Fuzz(func(t *testing.T, oob []byte) {
		if heard, ok := saidIn(oob); ok != heard.who.IsValid() || ok && len(oob) < extendedError+8 {
			t.Errorf("%v from %d bytes: %v", heard.who, len(oob), ok)
		}
	})
}

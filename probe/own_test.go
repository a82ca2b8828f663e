package probe

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/app"
	"github.com/telltale-probe/telltale/probe/privacy"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// nowhereToDial is an internet in which there is nobody.
func nowhereToDial(context.Context, string, string) (net.Conn, error) {
	return nil, syscall.ENETUNREACH
}

// vocabulary are the words of which our own records are made.
func vocabulary() []string {
	out := []string{
		"system", "home", "public", "udp", "tcp", "dot", "doh", "loopback", "private", "A", "AAAA", "GET", "HEAD", "resolver",
		measurements.RootBundle, measurements.RootExtra, measurements.RootTarget, measurements.RootSystem, measurements.RootNone,
		measurements.EndedComplete, measurements.EndedByBytes, measurements.EndedByTime, measurements.EndedByStall, measurements.EndedByFailure,
		measurements.MTProto, measurements.WhatsAppNoise, measurements.LEGY, measurements.STUN, measurements.HeaderProtocol,
		measurements.ProvedProtocol, measurements.ProvedIdentity,
		measurements.SkipResidual, measurements.SkipPenalty, measurements.SkipBudget, measurements.SkipOffline, measurements.SkipNoFamily,
		measurements.SkipNoAddr, measurements.SkipTurn, measurements.SkipNoHelper, measurements.SkipStopped,
		errHops.Error(), errReferenceStatus.Error(), "it does not measure this app", "foreign", "domestic",
	}
	for _, a := range append(plainArms, app.Obfuscated) {
		out = append(out, string(a))
	}
	for _, c := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		out = append(out, c.Name)
	}
	for _, c := range classes {
		_, word, err := c.example()
		out = append(out, err.Error(), string(word), string(measurements.Unknown(err.Error())))
	}
	return out
}

// A machine that is called by one of these words is one of thousands. Its name is not looked for: evidence would
// be torn to pieces.
func TestVocabularyIsNobodys(t *testing.T) {
	t.Parallel()
	for _, text := range vocabulary() {
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') }) {
			s := privacy.New(privacy.Own{Hosts: []string{word}, Domains: []string{word}}, privacy.Known{}, nil)
			if got := s.Text(text); got != text && !strings.ContainsAny(text, "12") { // addresses of examples
				t.Errorf("a host named %q makes %q of %q", word, got, text)
			}
		}
	}
}

// The real machine has addresses, and says all of them but loopback's; another internet says what it knows itself.
func TestOwnNow(t *testing.T) {
	t.Parallel()
	own := Host{}.OwnNow()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || slices.Contains(own.Addresses, p) == p.Addr().IsLoopback() {
			t.Errorf("%v is not in %v: %v", a, own.Addresses, err)
		}
	}
	elsewhere := Host{Dial: nowhereToDial, Network: func() Network {
		return Network{
			IPv4:      Way{Interface: "a", Local: netip.MustParseAddr("192.168.1.7"), Gateway: netip.MustParseAddr("192.168.1.1"), GatewayMAC: net.HardwareAddr{1, 2, 3, 4, 5, 6}},
			Resolvers: []netip.Addr{netip.MustParseAddr("192.168.1.2"), netip.MustParseAddr("198.51.100.53")},
		}
	}}
	want := privacy.Own{
		Addresses: []netip.Prefix{netip.MustParsePrefix("192.168.1.7/32")}, MACs: []net.HardwareAddr{{1, 2, 3, 4, 5, 6}},
		Near: []netip.Addr{netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("192.168.1.2")},
	}
	if got := elsewhere.OwnNow(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	elsewhere.Own = func() privacy.Own { return privacy.Own{Hosts: []string{"x"}} }
	if got := elsewhere.OwnNow(); len(got.Hosts) != 1 || len(got.Near) != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestEchoes(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	for name, value := range map[string]string{
		"X-Forwarded-For": "198.51.100.1, 198.51.100.99", "Forwarded": `for="[2001:db8::2]:4711";proto=https, for=198.51.100.98`,
		"X-Client-Ip": "198.51.100.3:80", "Cf-Connecting-Ip": "2001:db8::4", "X-Real-Ip": "unknown", "Via": "198.51.100.97",
	} {
		h.Set(name, value)
	}
	var got []string
	echoes(h, func(a netip.Addr) { got = append(got, a.String()) })
	slices.Sort(got)
	if want := []string{"198.51.100.1", "198.51.100.3", "2001:db8::2", "2001:db8::4"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLearntIsBounded(t *testing.T) {
	t.Parallel()
	var l learnt
	for i := range 100 {
		l.add(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}))
		l.add(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}))
	}
	l.add(netip.Addr{})
	if got := l.list(); len(got) != mostLearnt || got[mostLearnt-1] != netip.AddrFrom4([4]byte{198, 51, 100, 99}) {
		t.Errorf("%v", got)
	}
}

// A place of our own, to which a lie may have led, is in no snapshot that is kept.
func TestRestingPlacesAreOthers(t *testing.T) {
	t.Parallel()
	p := &Plan{Ledger: schedule.NewLedger(time.Hour), Host: Host{Dial: nowhereToDial, Own: func() privacy.Own {
		return privacy.Own{Addresses: []netip.Prefix{netip.MustParsePrefix("192.168.1.7/24")}}
	}}}
	for _, a := range []string{"192.168.1.7:443", "198.51.100.5:443"} {
		p.Ledger.Fail(schedule.Place{Transport: "tcp", Endpoint: netip.MustParseAddrPort(a)})
	}
	before := len(p.Resting())
	_ = p.Run(t.Context())
	for _, e := range p.Resting() {
		if e.Endpoint.Addr() == netip.MustParseAddr("192.168.1.7") {
			t.Errorf("%v", e)
		}
	}
	if after := len(p.Resting()); before != 2*after || after == 0 {
		t.Errorf("%d entries, then %d", before, after)
	}
}

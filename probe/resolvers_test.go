package probe

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
)

func TestResolversOfSystem(t *testing.T) {
	t.Parallel()
	with := func(err error, eps ...string) Host {
		return Host{SystemResolvers: func() (out []netip.AddrPort, _ error) {
			for _, ep := range eps {
				out = append(out, netip.MustParseAddrPort(ep))
			}
			return out, err
		}}
	}
	got, err := with(nil, "192.0.2.53:53", "[::ffff:192.0.2.53]:53", "[fe80::1%eth0]:53", "[2001:db8::53]:5353", "192.0.2.54:53").ResolversOfSystem()
	if err != nil || len(got) != mostResolvers {
		t.Fatalf("got %v, %v", got, err)
	}
	for i, want := range []string{"udp://192.0.2.53:53", "udp://[fe80::1%25eth0]:53", "udp://[2001:db8::53]:5353"} {
		w, err := Host{}.wayTo(t.Context(), Resolver{URL: got[i].URL})
		if got[i].URL != want || err != nil || w.endpoint.Addr() != got[i].Addresses[0] {
			t.Errorf("got %+v, way %+v, %v, want %s", got[i], w, err, want)
		}
	}
	if _, err := with(nil).ResolversOfSystem(); !errors.Is(err, errNoResolvers) {
		t.Error(err)
	}
	if _, err := with(errBroken).ResolversOfSystem(); !errors.Is(err, errBroken) {
		t.Error(err)
	}
}

var errBroken = errors.New("broken")

func TestBogon(t *testing.T) {
	t.Parallel()
	for _, a := range []string{
		"0.0.0.0", "0.1.2.3", "10.10.34.35", "100.64.0.1", "127.0.0.1", "169.254.1.1", "172.16.0.1", "192.0.0.8", "192.168.1.1", "198.18.0.1", "198.19.255.255",
		"224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::192.0.2.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "100::1", "2001::1", "2001:2::1",
		"2001:10::1", "2001:20::1", "2002:a00:1::1", "fc00::1", "fdff::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
	} {
		if !Bogon(netip.MustParseAddr(a)) {
			t.Errorf("%s is no public address", a)
		}
	}
	if !Bogon(netip.Addr{}) {
		t.Error("the invalid address is no public one")
	}
	for _, a := range []string{
		"1.1.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "192.0.1.1", "192.0.2.1", "198.17.255.255", "198.20.0.1", "198.51.100.1", "203.0.113.1",
		"::ffff:192.0.2.1", "64:ff9b::192.0.2.1", "2001:1::1", "2001:db8::1", "2002:c000:201::1", "2600::1", "2a0b::1", "3fff::1",
	} {
		if Bogon(netip.MustParseAddr(a)) {
			t.Errorf("%s stands for a public address", a)
		}
	}
}

// FuzzAnswer reads one raw answer. Whatever is read has a verdict and stays within its bounds.
func FuzzAnswer(f *testing.F) {
	q := question{name: site, kind: dns.TypeA, class: dns.ClassINET}
	query := must(q.pack(7, true))
	f.Add(packed(reply(query, 0, site+". 300 IN CNAME a.example.", "a.example. 60 IN A "+public)))
	f.Add(packed(reply(query, dns.RcodeNameError)))
	f.Add(query)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, q := range []question{q, {name: site, kind: dns.TypeAAAA, class: dns.ClassINET}, {name: "version.bind", kind: dns.TypeTXT, class: dns.ClassCHAOS}} {
			a, err := q.read(7, b)
			if errors.Is(err, errNotOurs) {
				continue
			}
			word, says := a.verdict(q)
			if (word == "") != (says == "") || err != nil && word == "" {
				t.Errorf("%x: %q, %q, %v", b, word, says, err)
			}
			if len(a.addresses) > mostAddresses || len(a.cnames) > mostCNAMEs || word == "" && len(a.addresses) == 0 && a.text == "" {
				t.Errorf("%x: %+v", b, a)
			}
		}
	})
}

package netlab_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/probe/netlab"
)

// Every kind of fault shows, in one line, and only where it was put.
func TestFaults(t *testing.T) {
	const host, other = "web.alpha.org", "ws.beta.co.jp"
	dc := netip.MustParseAddr("149.154.175.50")
	tests := []struct {
		name  string
		fault netlab.Fault
		see   func(*client, netip.Addr) string
		want  string
	}{
		{"a machine that is down is silent", netlab.Fault{Kind: netlab.FaultDown, Host: host}, seeTCP, "silence"},
		{"a data centre that is down, too", netlab.Fault{Kind: netlab.FaultDown, Address: dc}, seeDC, "silence"},
		{"a machine without services refuses", netlab.Fault{Kind: netlab.FaultRefuse, Host: host}, seeTCP, "refused"},
		{"a mute machine connects", netlab.Fault{Kind: netlab.FaultMute, Host: host}, seeTCP, "connected"},
		{"and says nothing", netlab.Fault{Kind: netlab.FaultMute, Host: host}, seePage, "silence"},
		{"an edge whose backend hangs", netlab.Fault{Kind: netlab.FaultMuteName, Host: host}, seePage, "silence"},
		{"and only for its name", netlab.Fault{Kind: netlab.FaultMuteName, Host: host}, seeUnknown, "connected"},

		{"a name that is slow is there", netlab.Fault{Kind: netlab.FaultSlowName, Host: host, Rate: 100_000}, seePage, "200 h3"},
		{"an overloaded origin", netlab.Fault{Kind: netlab.FaultHTTPStatus, Host: host, Status: 503}, seePage, "503 h3"},
		{"a login wall", netlab.Fault{Kind: netlab.FaultHTTPStatus, Host: host, Status: 302, Location: "/login"}, seePage, "302 /login h3"},
		{"an expired certificate", netlab.Fault{Kind: netlab.FaultExpiredCertificate, Host: host}, seePage, "expired"},
		{"another name's certificate", netlab.Fault{Kind: netlab.FaultWrongCertificate, Host: host}, seePage, "for www.example.net"},
		{"an edge that lost the name", netlab.Fault{Kind: netlab.FaultStaleEdge, Host: host}, seePage, "alert 112"},
		{"an edge that lost the name, over QUIC", netlab.Fault{Kind: netlab.FaultStaleEdge, Host: host}, seeH3, "alert 112"},
		{"an edge without a default", netlab.Fault{Kind: netlab.FaultNoSNIDefault, Host: host}, seeUnknown, "alert 112"},
		{"but with its own name", netlab.Fault{Kind: netlab.FaultNoSNIDefault, Host: host}, seePage, "200 h3"},
		{"an old box and a big hello", netlab.Fault{Kind: netlab.FaultResetsPQ, Host: host}, seePage, "reset"},
		{"an old box and a small hello", netlab.Fault{Kind: netlab.FaultResetsPQ, Host: host}, seeSmall, "connected"},

		{"QUIC switched off", netlab.Fault{Kind: netlab.FaultNoH3, Host: host}, seeH3, "refused"},
		{"QUIC switched off and not offered", netlab.Fault{Kind: netlab.FaultNoH3, Host: host}, seePage, "200"},
		{"QUIC switched off and still offered", netlab.Fault{Kind: netlab.FaultNoH3, Host: host, Advertised: true}, seePage, "200 h3"},
		{"the old address of a host that moved", netlab.Fault{Kind: netlab.FaultMovedAddress, Host: host}, seeTCP, "refused"},
		{"a name that is gone", netlab.Fault{Kind: netlab.FaultGone, Host: host}, seeDNS, "NXDOMAIN"},
		{"a name whose zone is broken", netlab.Fault{Kind: netlab.FaultServfail, Host: host}, seeDNS, "SERVFAIL"},
		{"a slow path", netlab.Fault{Kind: netlab.FaultSlow, Host: host, Latency: netlab.Span(300 * time.Millisecond)}, seePage, "200 h3"},
	}
	was, err := netlab.New(options())
	if err != nil {
		t.Fatal(err)
	}
	at := was.Addresses(host)[0]
	if err := was.Close(); err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := options()
			o.Faults = []netlab.Fault{test.fault}
			inBubble(t, o, func(c *client) {
				if got := test.see(c, at); got != test.want {
					c.t.Errorf("seen: %q, want %q", got, test.want)
				}
				elsewhere, err := c.get(c.world.Addresses(other)[0], "https://"+other+"/ws/chat")
				if err != nil || elsewhere.status != 200 {
					c.t.Errorf("elsewhere: %d, %v", elsewhere.status, err)
				}
			})
		})
	}
}

// Where DNS leads after a move, everything is as it was.
func TestMoved(t *testing.T) {
	o := options()
	o.Faults = []netlab.Fault{{Kind: netlab.FaultMovedAddress, Host: "g.beta.net"}}
	inWorld(t, o, func(c *client) {
		pinned := netip.MustParseAddr("157.240.1.60")
		for _, at := range c.world.Addresses("g.beta.net") {
			if at == pinned {
				c.t.Errorf("still at %v", at)
			}
			if err := c.isSilent(netip.AddrPortFrom(at, 5222)); err != nil {
				c.t.Errorf("at %v: %v", at, err)
			}
		}
	})
}

// Every kind of the list is one that a world can have.
func TestFaultKinds(t *testing.T) {
	o := options()
	o.HomeRouter = true
	for _, kind := range netlab.FaultKinds {
		o.Faults = []netlab.Fault{{Kind: kind, Host: "media.alphacdn.net", Status: 503}}
		w, err := netlab.New(o)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		w.Close()
	}
}

// A fault that fits nothing is a mistake in the scenario; all of them are told at once.
func TestFaultsThatFitNothing(t *testing.T) {
	o := options()
	o.Faults = []netlab.Fault{
		{Kind: netlab.FaultDown, Host: "nowhere.org"},
		{Kind: netlab.FaultDown, Address: netip.MustParseAddr("9.9.9.9")},
		{Kind: netlab.FaultMute},
		{Kind: "earthquake", Host: "web.alpha.org"},
		{Kind: netlab.FaultDNSFilter, Host: "web.alpha.org"},
	}
	_, err := netlab.New(o)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"no such host", "nothing is at 9.9.9.9", "neither host nor address", "no such kind", "no home router"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in:\n%v", want, err)
		}
	}
}

func seeTCP(c *client, at netip.Addr) string { return c.see(at, nil) }

func seeDC(c *client, _ netip.Addr) string {
	return c.see(netip.MustParseAddr("149.154.175.50"), nil)
}

// seeUnknown asks for a name that the edge does not serve.
func seeUnknown(c *client, at netip.Addr) string {
	return c.see(at, &tls.Config{ServerName: "x7f3.example.com", InsecureSkipVerify: true})
}

// seeSmall sends a hello of one segment.
func seeSmall(c *client, at netip.Addr) string {
	return c.see(at, &tls.Config{ServerName: "web.alpha.org", CurvePreferences: []tls.CurveID{tls.X25519}})
}

// see connects, and shakes hands if there is a config.
func (c *client) see(at netip.Addr, config *tls.Config) string {
	var conn net.Conn
	var err error
	if config == nil {
		conn, err = c.dial("tcp", netip.AddrPortFrom(at, 443))
	} else {
		conn, err = c.tls(netip.AddrPortFrom(at, 443), config)
	}
	if err != nil {
		return word(err)
	}
	conn.Close()
	return "connected"
}

func seePage(c *client, at netip.Addr) string {
	got, err := c.get(at, "https://web.alpha.org/")
	if err != nil {
		return word(err)
	}
	seen := fmt.Sprint(got.status)
	if to := got.header.Get("Location"); to != "" {
		seen += " " + to
	}
	if got.header.Get("Alt-Svc") != "" {
		seen += " h3"
	}
	return seen
}

func seeH3(c *client, at netip.Addr) string {
	got, err := c.h3(at, "https://web.alpha.org/")
	if err != nil {
		return word(err)
	}
	return fmt.Sprint(got.status)
}

func seeDNS(c *client, _ netip.Addr) string {
	resolvers, _ := c.host.SystemResolvers()
	reply, err := c.resolve("udp", resolvers[0], "web.alpha.org", dns.TypeA)
	if err != nil {
		return word(err)
	}
	return dns.RcodeToString[reply.Rcode]
}

// word is a coarse name for an error.
func word(err error) string {
	var invalid x509.CertificateInvalidError
	var hostname x509.HostnameError
	var timeout net.Error
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "expired"
	case errors.As(err, &hostname):
		return "for " + hostname.Certificate.DNSNames[0]
	case strings.Contains(err.Error(), "unrecognized name"):
		return "alert 112"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, os.ErrDeadlineExceeded):
		return "silence"
	}
	return err.Error()
}

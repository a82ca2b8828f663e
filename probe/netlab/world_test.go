package netlab_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
)

// options is a small world with every word of the catalogue in it.
func options() netlab.Options {
	on443 := []uint16{443}
	return netlab.Options{
		Apps: []probe.App{
			{ID: "alpha", Targets: []probe.Target{
				{ID: "web", Hosts: []string{"web.alpha.org"}, Ports: on443, Path: "/", Neutral: "www.alpha-parent.com",
					Probes: []probe.Probe{probe.ProbeHTTPS, probe.ProbeH3}},
				{ID: "dc1", Addresses: addrs("149.154.175.50", "2001:b28:f23d:f001::a"), Ports: []uint16{443, 5222},
					Probes: []probe.Probe{probe.ProbeMTProto}},
				{ID: "media", Hosts: []string{"media.alphacdn.net"}, Ports: on443, Path: "/app.js",
					Probes: []probe.Probe{probe.ProbeHTTPS, probe.ProbeH3}},
				{ID: "clear", Hosts: []string{"t.alpha.org"}, Ports: []uint16{80}, Path: "/",
					Probes: []probe.Probe{probe.ProbeHTTP}},
			}},
			{ID: "beta", Targets: []probe.Target{
				{ID: "chat", Hosts: []string{"g.beta.net"}, Addresses: addrs("157.240.1.60"), Ports: []uint16{443, 5222},
					Probes: []probe.Probe{probe.ProbeWhatsApp}},
				{ID: "ws", Hosts: []string{"ws.beta.co.jp"}, Ports: on443, Path: "/ws/chat", Probes: []probe.Probe{probe.ProbeWSS}},
				{ID: "gateway", Hosts: []string{"legy.beta.co.jp"}, Ports: on443, Path: "/", Probes: []probe.Probe{probe.ProbeLEGY}},
				{ID: "api", Hosts: []string{"api.beta.net"}, Ports: on443, Path: "/", Probes: []probe.Probe{probe.ProbeTLS}},
			}},
		},
		Controls: []probe.Control{
			{Host: "www.gamma.net", Path: "/", Probes: []probe.Probe{probe.ProbeHTTPS, probe.ProbeH3}},
			{Host: "connect.delta.net", Path: "/generate_204", Probes: []probe.Probe{probe.ProbeHTTP}},
		},
		Trusted: []probe.Resolver{
			{URL: "https://dns.epsilon.net/dns-query", Addresses: addrs("149.112.112.112")},
			{URL: "tcp://185.222.222.222:53"},
		},
	}
}

func addrs(texts ...string) []netip.Addr {
	var all []netip.Addr
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

// Every target answers by its own protocol, at every address to which its name leads.
func TestTargetsAnswer(t *testing.T) {
	o := options()
	inWorld(t, o, func(c *client) {
		for _, app := range o.Apps {
			for _, target := range app.Targets {
				for _, host := range target.Hosts {
					if n := len(c.world.Addresses(host)); n != 3 {
						c.t.Errorf("%s has %d addresses", host, n)
					}
					for _, at := range c.world.Addresses(host) {
						c.checkTarget(&target, host, at)
					}
				}
				if len(target.Hosts) == 0 {
					for _, at := range target.Addresses {
						c.checkTarget(&target, "", at)
					}
				}
			}
		}
	})
}

func (c *client) checkTarget(target *probe.Target, host string, at netip.Addr) {
	c.t.Helper()
	for _, word := range target.Probes {
		for _, port := range target.Ports {
			place := netip.AddrPortFrom(at, port)
			var got answer
			var err error
			want := http.StatusOK
			switch word {
			case probe.ProbeHTTP:
				got, err = c.get(at, "http://"+host+target.Path)
			case probe.ProbeH3:
				got, err = c.h3(at, "https://"+host+target.Path)
			case probe.ProbeMTProto, probe.ProbeWhatsApp:
				want, err = 0, c.isSilent(place)
			case probe.ProbeTLS, probe.ProbeHTTPS, probe.ProbeWSS, probe.ProbeLEGY:
				got, err = c.get(at, "https://"+host+target.Path)
			}
			if err != nil || got.status != want {
				c.t.Errorf("%s %s at %v: status %d, %v", word, host, place, got.status, err)
			}
		}
	}
}

// isSilent connects, says something, and wants nothing but silence.
func (c *client) isSilent(at netip.AddrPort) error {
	conn, err := c.dial("tcp", at)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte{0xef, 10}); err != nil {
		return err
	}
	_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	n, err := conn.Read(make([]byte, 1))
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return errors.New("not silent")
}

// What an edge says: pages of 2 KiB, files past 64 KiB, Alt-Svc where there is QUIC, the neutral
// name's own certificate, and the operator's default for names that it does not know.
func TestEdge(t *testing.T) {
	inWorld(t, options(), func(c *client) {
		web := c.world.Addresses("web.alpha.org")[0]
		page, err := c.get(web, "https://web.alpha.org/")
		if err != nil || page.proto != "HTTP/2.0" || page.header.Get("Alt-Svc") != `h3=":443"; ma=86400` {
			c.t.Errorf("page: %+v, %v", page.header, err)
		}
		if n := len(page.body); n < 2<<10 || n > 3<<10 {
			c.t.Errorf("page of %d bytes", n)
		}
		if lost, err := c.get(web, "https://web.alpha.org/nowhere"); err != nil || lost.status != 404 {
			c.t.Errorf("other path: %d, %v", lost.status, err)
		}
		file, err := c.get(c.world.Addresses("media.alphacdn.net")[0], "https://media.alphacdn.net/app.js")
		if err != nil || len(file.body) <= 64<<10 {
			c.t.Errorf("file of %d bytes, %v", len(file.body), err)
		}
		quiet, err := c.get(c.world.Addresses("ws.beta.co.jp")[0], "https://ws.beta.co.jp/ws/chat")
		if err != nil || quiet.header.Get("Alt-Svc") != "" {
			c.t.Errorf("without QUIC: %+v, %v", quiet.header, err)
		}
		if neutral, err := c.get(web, "https://www.alpha-parent.com/"); err != nil || neutral.status != 200 {
			c.t.Errorf("neutral name: %d, %v", neutral.status, err)
		}
		if neutral, err := c.h3(web, "https://www.alpha-parent.com/"); err != nil || neutral.status != 200 {
			c.t.Errorf("neutral name over QUIC: %d, %v", neutral.status, err)
		}
		for name, want := range map[string]string{
			"": "edge.alpha.org", "x7f3.example.com": "edge.alpha.org", "WEB.alpha.org": "web.alpha.org",
		} {
			conn, err := c.tls(netip.AddrPortFrom(web, 443), &tls.Config{ServerName: name, InsecureSkipVerify: true})
			if err != nil {
				c.t.Errorf("SNI %q: %v", name, err)
				continue
			}
			if got := conn.ConnectionState().PeerCertificates[0].DNSNames[0]; got != want {
				c.t.Errorf("SNI %q: certificate of %s, want %s", name, got, want)
			}
			conn.Close()
		}
	})
}

// The gate's hosts are served like any other; a connectivity check is answered 204.
func TestControls(t *testing.T) {
	inWorld(t, options(), func(c *client) {
		at := c.world.Addresses("www.gamma.net")[1]
		if got, err := c.get(at, "https://www.gamma.net/"); err != nil || got.status != 200 {
			c.t.Errorf("https: %d, %v", got.status, err)
		}
		if got, err := c.h3(at, "https://www.gamma.net/"); err != nil || got.status != 200 {
			c.t.Errorf("h3: %d, %v", got.status, err)
		}
		at = c.world.Addresses("connect.delta.net")[0]
		if got, err := c.get(at, "http://connect.delta.net/generate_204"); err != nil || got.status != 204 {
			c.t.Errorf("http: %d, %v", got.status, err)
		}
	})
}

// Addresses follow from the names: pinned ones first, each operator in blocks of its own, every
// host in two of them, and none of them reserved.
func TestAddresses(t *testing.T) {
	w, err := netlab.New(options())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	owners := map[netip.Prefix]string{}
	for host, operator := range map[string]string{
		"web.alpha.org": "alpha.org", "t.alpha.org": "alpha.org", "media.alphacdn.net": "alphacdn.net",
		"ws.beta.co.jp": "beta.co.jp", "legy.beta.co.jp": "beta.co.jp", "api.beta.net": "beta.net", "www.gamma.net": "gamma.net",
	} {
		blocks := map[netip.Prefix]bool{}
		for _, a := range w.Addresses(host) {
			bits := 16
			if a.Is6() {
				bits = 32
			}
			if a.IsPrivate() || !a.IsGlobalUnicast() {
				t.Errorf("%s at the reserved address %v", host, a)
			}
			block := netip.PrefixFrom(a, bits).Masked()
			if owner := owners[block]; owner != "" && owner != operator {
				t.Errorf("%v belongs to %s and to %s", block, owner, operator)
			}
			owners[block], blocks[block] = operator, true
		}
		if len(blocks) != 3 {
			t.Errorf("%s lives in %d blocks", host, len(blocks))
		}
	}
	if got := w.Addresses("g.beta.net")[0]; got != netip.MustParseAddr("157.240.1.60") {
		t.Errorf("pinned address comes as %v", got)
	}
	again, err := netlab.New(options())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if diff := cmp.Diff(texts(w.Addresses("web.alpha.org")), texts(again.Addresses("web.alpha.org"))); diff != "" {
		t.Errorf("two worlds differ (-one +other):\n%s", diff)
	}
}

func texts(all []netip.Addr) string {
	var words []string
	for _, a := range all {
		words = append(words, a.String())
	}
	return strings.Join(words, " ")
}

// BenchmarkNew is what a scenario pays before it begins.
func BenchmarkNew(b *testing.B) {
	o := options()
	for i := range 50 {
		host := "h" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + ".big.org"
		o.Apps[0].Targets = append(o.Apps[0].Targets, probe.Target{
			ID: host, Hosts: []string{host}, Ports: []uint16{443}, Probes: []probe.Probe{probe.ProbeHTTPS, probe.ProbeH3},
		})
	}
	for b.Loop() {
		w, err := netlab.New(o)
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

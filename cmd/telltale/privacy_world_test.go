package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/privacy"
)

// The home of the corpus. Its public address, 192.0.2.77, is known to servers alone: it is netlab's, and a STUN
// server tells it.
var (
	leakedAt   = netip.MustParseAddr("192.168.1.77")
	leakedAt6  = netip.MustParseAddr("2001:db8:77::1")
	leakedLink = netip.MustParseAddr("fe80::a00:27ff:fe4e:66a1")
	leakedSeen = netip.MustParseAddr("192.0.2.77")
	leakedMAC  = net.HardwareAddr{0x08, 0x00, 0x27, 0x4e, 0x66, 0xa1}
	leakedGate = netip.MustParseAddr("192.168.1.1")
)

// leaked is whatever tells who and where the volunteer is, in many spellings. All of it is told by every peer.
var leaked = []string{
	leakedAt.String(), "192-168-1-77", "c0a8014d", "::ffff:192.168.1.77",
	leakedAt6.String(), "2001:0db8:0077:0000:0000:0000:0000:0001", "2001:db8:77::beef", leakedLink.String(),
	leakedSeen.String(), "192-0-2-77.dsl.example", leakedGate.String(),
	"08:00:27:4e:66:a1", "08-00-27-4E-66-A1", "0800274e66a1", "0800.274e.66a1", "a00:27ff:fe4e:66a1",
	"volunteers-laptop", "VOLUNTEERS-LAPTOP", "nas.smith-family.example", "smithrouter", "xyz123.myfritz.net", "printer.lan",
}

// gossip is all of it in one text.
var gossip = "to " + strings.Join(leaked, " and ") + "."

// leakedHome is what the machine itself would know of it.
func leakedHome() privacy.Own {
	return privacy.Own{
		Addresses: []netip.Prefix{netip.PrefixFrom(leakedAt, 24), netip.PrefixFrom(leakedAt6, 64), netip.PrefixFrom(leakedLink, 64)},
		Near:      []netip.Addr{leakedGate}, MACs: []net.HardwareAddr{leakedMAC}, Hosts: []string{"volunteers-laptop"}, Domains: []string{"smith-family.example"},
	}
}

// talkative is an internet in which whoever can say something says what it knows of the volunteer.
type talkative struct {
	world *netlab.World
	box   tls.Certificate // that a router made for itself
	own   tls.Certificate // of an app with roots of its own
}

func (w *talkative) app() probe.App {
	target := func(id string, p probe.Probe, port uint16) probe.Target {
		return probe.Target{ID: id, Hosts: []string{id + ".corpus.example"}, Ports: []uint16{port}, Path: "/", Probes: []probe.Probe{p}, Essential: true}
	}
	app := probe.App{ID: "corpus", Name: "Corpus", Targets: []probe.Target{
		target("blocked", probe.ProbeHTTP, 80), target("echo", probe.ProbeHTTP, 80), target("moved", probe.ProbeHTTP, 80), target("homely", probe.ProbeHTTP, 80),
		target("box", probe.ProbeHTTPS, 443), target("closes", probe.ProbeH3, 443), target("no-tls", probe.ProbeTLS, 443),
		target("lie", probe.ProbeTLS, 443), target("lan", probe.ProbeTLS, 443), target("alias", probe.ProbeTCP, 443), target("calls", probe.ProbeSTUN, 3478),
		{ID: "dc", Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.200")}, Ports: []uint16{443}, Probes: []probe.Probe{probe.ProbeMTProto}},
	}}
	app.Targets[5].Roots = []*x509.Certificate{w.own.Leaf} // so that it is QUIC's close that fails
	return app
}

func newTalkative(t *testing.T, o netlab.Options) *talkative {
	t.Helper()
	w := &talkative{
		own: selfSigned(t, &x509.Certificate{DNSNames: []string{"closes.corpus.example"}}),
		box: selfSigned(t, &x509.Certificate{
			Subject:     pkix.Name{CommonName: "smithrouter", Organization: []string{gossip}, SerialNumber: "08:00:27:4E:66:A1"},
			DNSNames:    []string{"xyz123.myfritz.net", "nas.smith-family.example", "volunteers-laptop", "fritz.box"},
			IPAddresses: []net.IP{leakedAt.AsSlice(), leakedAt6.AsSlice(), leakedSeen.AsSlice(), leakedGate.AsSlice()},
		}),
	}
	o.Apps = append(o.Apps, w.app())
	for _, name := range []string{"box.corpus.example", "closes.corpus.example", "no-tls.corpus.example"} {
		o.OtherHosts = append(o.OtherHosts, netlab.OtherHost{Name: name, Streams: w.streams(name), Packets: w.packets})
	}
	o.OtherHosts = append(o.OtherHosts, netlab.OtherHost{Name: "resolver.corpus.example", Streams: w.resolveStreams, Packets: w.resolvePackets})
	world, err := netlab.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = world.Close() })
	w.world = world
	clear := func(host string, status int, head, body string) netlab.Rule {
		page := fmt.Sprintf("HTTP/1.1 %d %s\r\n%sX-Client-IP: %s\r\nX-Forwarded-For: %s\r\nDate: %s\r\nServer: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
			status, http.StatusText(status), head, leakedAt6, leakedSeen, leakedSeen, gossip, len(body), body)
		return netlab.Rule{Protocol: netlab.HTTP, Names: []string{host + ".corpus.example"}, Action: netlab.Page, Page: page}
	}
	world.Network().Censor(
		clear("blocked", 403, "", "<p>as per the directions received from Department of Telecommunications "+gossip+"</p>"),
		clear("echo", 200, "", gossip),
		clear("moved", 302, "Location: http://"+leakedGate.String()+":8080/login?all="+strings.NewReplacer(" ", "+", ":", "%3A").Replace(gossip)+"\r\n", ""),
		clear("homely", 302, "Location: http://nas.smith-family.example/"+gossip+"\r\n", ""),
		netlab.Rule{Protocol: netlab.Clear, Addresses: []netip.Prefix{netip.MustParsePrefix("198.51.100.200/32")}, Action: netlab.Page, Page: "no: " + gossip},
	)
	return w
}

// host is the vantage's door, with a home behind it and a resolver that talks.
func (w *talkative) host() probe.Host {
	h := w.world.Host()
	h.Own = leakedHome
	h.Network = func() probe.Network {
		gate := probe.Way{Interface: "eth0", Kind: probe.Link, Gateway: leakedGate, GatewayMAC: leakedMAC}
		v4, v6 := gate, gate
		v4.Local, v6.Local, v6.Gateway = leakedAt, leakedAt6, netip.MustParseAddr("fe80::1")
		return probe.Network{IPv4: v4, IPv6: v6}
	}
	h.SystemResolvers = func() ([]netip.AddrPort, error) {
		return []netip.AddrPort{netip.AddrPortFrom(w.world.Addresses("resolver.corpus.example")[0], 443)}, nil
	}
	return h
}

// streams answers TLS as a box at home does, or with a text.
func (w *talkative) streams(name string) func(context.Context, net.Listener) error {
	return func(ctx context.Context, l net.Listener) error {
		defer context.AfterFunc(ctx, func() { _ = l.Close() })()
		config := &tls.Config{Certificates: []tls.Certificate{w.box}, NextProtos: []string{"http/1.1"}}
		for {
			conn, err := l.Accept()
			if err != nil {
				return err
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
				if strings.HasPrefix(name, "no-tls") {
					_, _ = conn.Read(make([]byte, 2048))
					_, _ = fmt.Fprintf(conn, "HTTP/1.1 400 No\r\n\r\nwarning.or.kr %s", gossip)
					return
				}
				s := tls.Server(conn, config)
				if _, err := http.ReadRequest(bufio.NewReader(s)); err == nil {
					_, _ = fmt.Fprintf(s, "HTTP/1.1 200 OK\r\nX-Real-IP: %s\r\nContent-Length: %d\r\n\r\n%s", leakedSeen, len(gossip), gossip)
				}
				_ = s.Close()
			}()
		}
	}
}

// packets takes QUIC, and closes each connection with a text.
func (w *talkative) packets(ctx context.Context, packets net.PacketConn) error {
	transport := &quic.Transport{Conn: packets}
	l, err := transport.Listen(&tls.Config{Certificates: []tls.Certificate{w.own}, NextProtos: []string{"h3"}}, nil)
	if err != nil {
		return err
	}
	defer func() { _ = transport.Close() }()
	for {
		conn, err := l.Accept(ctx)
		if err != nil {
			return err
		}
		_ = conn.CloseWithError(0x10c, gossip[:min(len(gossip), 900)])
	}
}

// selfSigned makes a certificate that nobody vouches for.
func selfSigned(t *testing.T, c *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(1), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (w *talkative) resolvePackets(ctx context.Context, packets net.PacketConn) error {
	s := &dns.Server{PacketConn: packets, Handler: dns.HandlerFunc(w.resolve)}
	defer context.AfterFunc(ctx, func() { _ = s.Shutdown() })()
	return s.ActivateAndServe()
}

func (w *talkative) resolveStreams(ctx context.Context, l net.Listener) error {
	s := &dns.Server{Listener: l, Handler: dns.HandlerFunc(w.resolve)}
	defer context.AfterFunc(ctx, func() { _ = s.Shutdown() })()
	return s.ActivateAndServe()
}

// resolve tells the truth, but for some names, and more than it was asked.
func (w *talkative) resolve(out dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	asked := q.Question[0]
	name := strings.TrimSuffix(strings.ToLower(asked.Name), ".")
	head := func(kind uint16) dns.RR_Header {
		return dns.RR_Header{Name: asked.Name, Rrtype: kind, Class: asked.Qclass, Ttl: 60}
	}
	addresses := w.world.Addresses(name)
	switch {
	case asked.Qclass == dns.ClassCHAOS:
		m.Answer = append(m.Answer, &dns.TXT{Hdr: head(dns.TypeTXT), Txt: []string{gossip[:200]}})
		_ = out.WriteMsg(m)
		return
	case strings.HasPrefix(name, "lie."):
		addresses = []netip.Addr{leakedSeen, leakedAt6}
	case strings.HasPrefix(name, "lan."):
		addresses = []netip.Addr{leakedAt, leakedGate}
	case strings.HasPrefix(name, "alias."):
		m.Answer = append(m.Answer, &dns.CNAME{Hdr: head(dns.TypeCNAME), Target: "nas.smith-family.example."})
		asked.Name = "nas.smith-family.example."
		m.Extra = append(m.Extra, &dns.TXT{Hdr: head(dns.TypeTXT), Txt: []string{gossip[:200]}})
	}
	for _, a := range addresses {
		switch {
		case a.Is4() && asked.Qtype == dns.TypeA:
			m.Answer = append(m.Answer, &dns.A{Hdr: head(dns.TypeA), A: a.AsSlice()})
		case a.Is6() && asked.Qtype == dns.TypeAAAA:
			m.Answer = append(m.Answer, &dns.AAAA{Hdr: head(dns.TypeAAAA), AAAA: a.AsSlice()})
		}
	}
	if len(addresses) == 0 {
		m.Rcode = dns.RcodeNameError
	}
	_ = out.WriteMsg(m)
}

// of gives the observations of a target of the corpus, and an operation.
func of(r *measurements.Round, target string, op measurements.Operation) (out []*measurements.Observation) {
	for i := range r.Apps {
		for j := range r.Apps[i].Observations {
			if o := &r.Apps[i].Observations[j]; o.Target == target && o.Operation == op && o.Control == measurements.T {
				out = append(out, o)
			}
		}
	}
	return out
}

package main

import (
	"bytes"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/netip"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go/http3"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/probe/kerneltest"
)

// builtinWorld serves everything that the default configuration contacts: all names of the built-in
// catalogue and of the gate at invented addresses, the data centres at their own, which the lab's
// server owns, and the trusted resolvers. The program runs with the catalogue as it is built in, but for the
// apps' keys.
type builtinWorld struct {
	*kernelWorld
	cfg  *config.Config
	zone map[string][]netip.Addr // two IPv4 addresses and an IPv6 one for each name, as most have
	pool [2]addressPool          // of neutral places and of the apps'
	dns  [2]netip.Addr           // the resolver's, and the trusted one's that is asked over TCP

	secrets appSecrets
}

// The apps' places have one half of the server's networks, and the gate and resolvers the other, so
// that one rule tells them apart.
const (
	neutralPlaces = iota
	appPlaces
)

const (
	neutralIPv4 = "198.51.100.0/25"
	neutralIPv6 = "2001:db8:2::/113"
	appsIPv4    = "198.51.100.128/25"
	appsIPv6    = "2001:db8:2::8000/113"
)

// pathTime is how long every server takes to answer. The lab's links take no time, and steps that run
// side by side on a line would run one after the other, and hold less.
const pathTime = 50 * time.Millisecond

// addressPool gives away the addresses of two networks, one after the other.
type addressPool struct{ v4, v6 netip.Addr }

func newAddressPool(v4, v6 string) addressPool {
	return addressPool{netip.MustParsePrefix(v4).Addr(), netip.MustParsePrefix(v6).Addr()}
}

func (p *addressPool) ipv4() netip.Addr { p.v4 = p.v4.Next(); return p.v4 }
func (p *addressPool) ipv6() netip.Addr { p.v6 = p.v6.Next(); return p.v6 }

func newBuiltinWorld(tb testing.TB) *builtinWorld {
	tb.Helper()
	w := &builtinWorld{
		kernelWorld: &kernelWorld{Lab: kerneltest.New(tb), place: kernelPlace{client: kerneltest.Client}, t: tb, dir: tb.TempDir()},
		cfg:         config.Default(), zone: map[string][]netip.Addr{},
		pool: [2]addressPool{newAddressPool(neutralIPv4, neutralIPv6), newAddressPool(appsIPv4, appsIPv6)},
	}
	w.makeSecrets()
	w.store = filepath.Join(w.dir, "store")
	for i := range w.dns {
		w.dns[i] = w.pool[neutralPlaces].ipv4()
		w.own(w.dns[i])
	}
	for _, name := range w.names() {
		w.settle(name, neutralPlaces)
	}
	for _, app := range w.cfg.Apps {
		for _, t := range app.Targets {
			for _, name := range t.Hosts {
				w.settle(name, appPlaces)
			}
			for _, a := range t.Addresses {
				w.own(a)
				// Elsewhere this is somebody's data centre. The router has no other way to it.
				w.Run(kerneltest.Router, "ip", "route", "add", a.String(), "via", uplinkOf(a))
			}
		}
	}
	w.serveAll()
	return w
}

// names are those of the gate and of the trusted resolvers.
func (w *builtinWorld) names() []string {
	var out []string
	for _, c := range w.cfg.Controls {
		out = append(out, c.Host)
	}
	for _, r := range w.cfg.Trusted {
		if rest, encrypted := strings.CutPrefix(r.URL, "https://"); encrypted {
			name, _, _ := strings.Cut(rest, "/")
			out = append(out, name)
		}
	}
	return out
}

// settle gives a name its addresses, once.
func (w *builtinWorld) settle(name string, where int) {
	if w.zone[name] != nil {
		return
	}
	p := &w.pool[where]
	w.zone[name] = []netip.Addr{p.ipv4(), p.ipv4(), p.ipv6()}
	for _, a := range w.zone[name] {
		w.own(a)
	}
}

// own makes an address the server's. Some have been from the start.
func (w *builtinWorld) own(a netip.Addr) {
	w.t.Helper()
	w.Run(kerneltest.Server, "ip", "addr", "replace", netip.PrefixFrom(a, a.BitLen()).String(), "dev", "lo")
}

// uplinkOf is the server's own address on its link to the router.
func uplinkOf(a netip.Addr) string {
	if a.Is4() {
		return "203.0.113.2"
	}
	return "2001:db8:3::2"
}

// dropAll silences the line.
func (w *builtinWorld) dropAll() {
	w.IPTables("-A", "FORWARD", "-j", "DROP")
	w.IP6Tables("-A", "FORWARD", "-j", "DROP")
}

// dropApps silences all but the gate and the resolvers.
func (w *builtinWorld) dropApps() {
	w.IPTables("-A", "FORWARD", "-i", "client", "!", "-d", neutralIPv4, "-j", "DROP")
	w.IP6Tables("-A", "FORWARD", "-i", "client", "!", "-d", neutralIPv6, "-j", "DROP")
}

// serveAll opens the ports of all addresses: the server's own, whichever they are.
func (w *builtinWorld) serveAll() {
	w.t.Helper()
	ca := newKernelCA(w.t, filepath.Join(w.dir, "roots.pem"))
	config := w.certified(ca)
	quiet := log.New(io.Discard, "", 0) // handshakes that control N or a timeout ends are no news
	var wg sync.WaitGroup
	w.t.Cleanup(wg.Wait) // runs last: after everything is closed
	for _, family := range []string{"4", "6"} {
		over := config.Clone()
		over.NextProtos = []string{"h2", "http/1.1"}
		site := &http.Server{Handler: http.HandlerFunc(w.page), TLSConfig: over, ErrorLog: quiet}
		secure, clear := w.Listen(kerneltest.Server, "tcp"+family, ":443"), w.Listen(kerneltest.Server, "tcp"+family, ":80")
		h3 := &http3.Server{Handler: site.Handler, TLSConfig: http3.ConfigureTLSConfig(config.Clone())}
		udp := w.ListenPacket(kerneltest.Server, "udp"+family, ":443")
		wg.Go(func() {
			_ = site.ServeTLS(sortOut(secure, func(first byte) bool { return first == 0x16 }, w.speakMTProto), "", "") // a handshake record (RFC 8446, section 5.1)
		})
		wg.Go(func() {
			_ = site.Serve(sortOut(clear, func(first byte) bool { return first == 'G' || first == 'H' }, w.speakMTProto))
		})
		wg.Go(func() { _ = h3.Serve(udp) })
		w.t.Cleanup(func() { _, _ = site.Close(), h3.Close() })

		silent := &http.Server{ReadHeaderTimeout: time.Minute, ErrorLog: quiet} // a chat host says nothing to a stranger
		chat := w.Listen(kerneltest.Server, "tcp"+family, ":5222")
		wg.Go(func() { _ = silent.Serve(sortOut(chat, func(byte) bool { return false }, w.speakMTProto)) })
		w.t.Cleanup(func() { _ = silent.Close() })
	}
	for _, s := range []*dns.Server{
		{PacketConn: w.ListenPacket(kerneltest.Server, "udp4", ":53")},
		{Listener: w.Listen(kerneltest.Server, "tcp4", ":53")},
	} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		s.Handler = dns.HandlerFunc(func(out dns.ResponseWriter, q *dns.Msg) { _ = out.WriteMsg(w.resolve(q)) })
		wg.Go(func() { _ = s.ActivateAndServe() })
		<-started
		w.t.Cleanup(func() { _ = s.Shutdown() })
	}
}

// certified shows each name a certificate of its own. The edges that serve a neutral name have one for
// it, and a name that nobody has gets another's.
func (w *builtinWorld) certified(ca *kernelCA) *tls.Config {
	w.t.Helper()
	leaves := map[string]*tls.Certificate{}
	leaf := func(name string) {
		if leaves[name] == nil {
			leaves[name] = &ca.serve(w.t, time.Now().Add(time.Hour), name).Certificates[0]
		}
	}
	for name := range w.zone {
		leaf(name)
	}
	for _, app := range w.cfg.Apps {
		for _, t := range app.Targets {
			if t.Neutral != "" {
				leaf(t.Neutral)
			}
		}
	}
	const other = "edge.example.net"
	leaf(other)
	return &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		time.Sleep(pathTime)
		if l := leaves[hello.ServerName]; l != nil {
			return l, nil
		}
		return leaves[other], nil
	}}
}

// The sizes of bodies: an interface answers a stranger in few words, a page is longer than what stream
// cutoffs let through, and a file is longer than a transfer is measured.
const (
	wordsSize = 2 << 10
	pageSize  = 96 << 10
	fileSize  = 320 << 10
)

// page answers for all names.
func (w *builtinWorld) page(out http.ResponseWriter, r *http.Request) {
	time.Sleep(pathTime)
	if w.webSocket(out, r) {
		return
	}
	out.Header().Set("Alt-Svc", `h3=":443"; ma=86400`)
	size := wordsSize
	switch {
	case r.URL.Path == "/dns-query":
		w.answerHTTPS(out, r)
		return
	case r.URL.Path == "/generate_204":
		out.WriteHeader(http.StatusNoContent)
		return
	case path.Ext(r.URL.Path) != "":
		size = fileSize
	case r.URL.Path == "/":
		size = pageSize
	}
	out.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = out.Write(bytes.Repeat([]byte("A line of a made-up page.\n"), size/26+1)) // whoever asked may be gone
}

// answerHTTPS is a trusted resolver's door (RFC 8484).
func (w *builtinWorld) answerHTTPS(out http.ResponseWriter, r *http.Request) {
	asked, err := io.ReadAll(io.LimitReader(r.Body, dns.MaxMsgSize))
	q := new(dns.Msg)
	if err != nil || q.Unpack(asked) != nil || len(q.Question) == 0 {
		out.WriteHeader(http.StatusBadRequest)
		return
	}
	packed, err := w.resolve(q).Pack()
	if err != nil {
		out.WriteHeader(http.StatusInternalServerError)
		return
	}
	out.Header().Set("Content-Type", "application/dns-message")
	_, _ = out.Write(packed)
}

// resolve answers truly.
func (w *builtinWorld) resolve(q *dns.Msg) *dns.Msg {
	time.Sleep(pathTime)
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	question := q.Question[0]
	head := dns.RR_Header{Name: question.Name, Rrtype: question.Qtype, Class: question.Qclass, Ttl: 60}
	if question.Qclass == dns.ClassCHAOS {
		m.Answer = append(m.Answer, &dns.TXT{Hdr: head, Txt: []string{"a made-up resolver"}})
		return m
	}
	at := w.zone[strings.ToLower(strings.TrimSuffix(question.Name, "."))]
	if at == nil {
		m.Rcode = dns.RcodeNameError
	}
	for _, a := range at {
		switch {
		case a.Is4() && question.Qtype == dns.TypeA:
			m.Answer = append(m.Answer, &dns.A{Hdr: head, A: a.AsSlice()})
		case a.Is6() && question.Qtype == dns.TypeAAAA:
			m.Answer = append(m.Answer, &dns.AAAA{Hdr: head, AAAA: a.AsSlice()})
		}
	}
	return m
}

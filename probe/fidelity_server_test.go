package probe_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/telltale-probe/telltale/probe/hello"
)

// server is what a machine does otherwise than an honest one. The zero value serves a page in
// clear at port 80, and over HTTP/1.1, HTTP/2 and HTTP/3 at port 443, and resolves the name at port 53.
type server struct {
	accepted act // at TCP port 443, instead of TLS
	shaken   act // after the handshake, instead of HTTP
	asked    act // at TCP port 53, instead of an answer

	otherName, otherRoot, expired bool   // of the certificate
	unknownName                   bool   // to the handshake: there is no certificate for it
	alpn                          string // the one protocol that it knows; "": those that the client offers

	mute     bool                // HTTP/3 requests are never answered
	datagram func([]byte) []byte // at UDP port 443, instead of QUIC; nil is no answer
	answer   func(*dns.Msg) bool // changes an honest answer; false: none is given
}

// serve starts a machine at an address. It stops when the test ends.
func (w *world) serve(at netip.Addr, s *server) {
	web := &http.Server{
		Handler:   http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) { out.Write(page) }),
		TLSConfig: w.config(s), ErrorLog: log.New(io.Discard, "", 0), // handshakes that fail are what we are here for
	}
	w.t.Cleanup(func() { web.Close() })
	plain := w.listen(netip.AddrPortFrom(at, 80))
	w.tasks.Go(func() { web.Serve(plain) })

	secure := w.listen(netip.AddrPortFrom(at, 443))
	switch {
	case s.accepted != nil:
		w.accept(secure, s.accepted)
	case s.shaken != nil:
		config := w.config(s) // net/http writes into the one that it has
		if s.alpn == "" {
			config.NextProtos = []string{"http/1.1"}
		}
		w.accept(secure, func(w *world, c net.Conn) {
			if over := tls.Server(c, config); over.Handshake() == nil {
				s.shaken(w, over)
			}
		})
	default:
		w.tasks.Go(func() { web.ServeTLS(secure, "", "") })
	}

	udp := w.packets(netip.AddrPortFrom(at, 443))
	if s.datagram != nil {
		w.reply(udp, s.datagram)
	} else {
		w.serveQUIC(udp, s)
	}

	w.reply(w.packets(netip.AddrPortFrom(at, 53)), s.resolve)
	asked := s.asked
	if asked == nil {
		asked = s.resolveStream
	}
	w.accept(w.listen(netip.AddrPortFrom(at, 53)), asked)
}

// config is the server's side of the handshakes.
func (w *world) config(s *server) *tls.Config {
	name, ca, until := site, w.honest, time.Hour
	if s.otherName {
		name = "other.example.net"
	}
	if s.otherRoot {
		ca = w.forger
	}
	if s.expired {
		until = -time.Hour
	}
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(w.t, name, until)}, NextProtos: []string{"h2", "http/1.1"}}
	if s.alpn != "" {
		config.NextProtos = []string{s.alpn}
	}
	if s.unknownName { // crypto/tls answers with alert 112 where it has no certificate
		config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return &tls.Config{}, nil }
	}
	return config
}

// serveQUIC speaks HTTP/3.
func (w *world) serveQUIC(socket net.PacketConn, s *server) {
	config := w.config(s)
	if s.alpn == "" {
		config = http3.ConfigureTLSConfig(config)
	}
	transport := &quic.Transport{Conn: socket}
	l, err := transport.ListenEarly(config, &quic.Config{})
	if err != nil {
		w.t.Fatal(err)
	}
	web := &http3.Server{Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if s.mute {
			<-r.Context().Done()
			return
		}
		out.Write(page)
	})}
	w.tasks.Go(func() { web.ServeListener(l) })
	w.t.Cleanup(func() { web.Close(); l.Close(); transport.Close(); socket.Close() })
}

// accept gives every connection to an act, and closes it afterwards, or when the test ends.
func (w *world) accept(l net.Listener, do act) {
	w.t.Cleanup(func() { l.Close() })
	w.tasks.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.tasks.Go(func() {
				defer c.Close()
				// A client that a box has cut off never says goodbye.
				stop := context.AfterFunc(w.t.Context(), func() { c.Close() })
				defer stop()
				do(w, c)
			})
		}
	})
}

// reply answers each datagram with what a function makes of it.
func (w *world) reply(socket net.PacketConn, answer func([]byte) []byte) {
	w.t.Cleanup(func() { socket.Close() })
	w.tasks.Go(func() {
		b := make([]byte, 4096)
		for {
			n, from, err := socket.ReadFrom(b)
			if err != nil {
				return
			}
			if a := answer(b[:n]); a != nil {
				socket.WriteTo(a, from)
			}
		}
	})
}

// resolve answers for the site: documentation addresses, which are no bogons here.
func (s *server) resolve(query []byte) []byte {
	q := new(dns.Msg)
	if q.Unpack(query) != nil || len(q.Question) == 0 {
		return nil
	}
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	head := dns.RR_Header{Name: q.Question[0].Name, Rrtype: q.Question[0].Qtype, Class: dns.ClassINET, Ttl: 60}
	if head.Rrtype == dns.TypeA {
		m.Answer = append(m.Answer, &dns.A{Hdr: head, A: net.IPv4(203, 0, 113, 80)})
	} else {
		m.Answer = append(m.Answer, &dns.AAAA{Hdr: head, AAAA: net.ParseIP("2001:db8:80::1")})
	}
	if s.answer != nil && !s.answer(m) {
		return nil
	}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}

// resolveStream is resolve over TCP, where a length comes first.
func (s *server) resolveStream(_ *world, c net.Conn) {
	if answer := s.resolve(hearQuery(c)); answer != nil {
		c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	}
	hold(nil, c)
}

// act is what a server does with a connection. It is closed afterwards: FIN, where nothing is left unread.
type act func(*world, net.Conn)

// then does one thing after the other.
func then(acts ...act) act {
	return func(w *world, c net.Conn) {
		for _, do := range acts {
			do(w, c)
		}
	}
}

// established waits until the client knows that it is connected.
func established(w *world, _ net.Conn) {
	select {
	case <-w.connected:
	case <-w.t.Context().Done():
	}
}

// hearHello reads one TLS record.
func hearHello(_ *world, c net.Conn) {
	head := make([]byte, 5) // type, version and length (RFC 8446, section 5.1)
	if _, err := io.ReadFull(c, head); err == nil {
		_, _ = io.ReadFull(c, make([]byte, binary.BigEndian.Uint16(head[3:])))
	}
}

// hearRequest reads one request over HTTP/1.1.
func hearRequest(_ *world, c net.Conn) { _, _ = http.ReadRequest(bufio.NewReader(c)) }

// hearBytes reads what comes first.
func hearBytes(_ *world, c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }

// hearQuery reads a DNS query and its length (RFC 1035, section 4.2.2).
func hearQuery(c net.Conn) []byte {
	head := make([]byte, 2)
	_, _ = io.ReadFull(c, head)
	b := make([]byte, binary.BigEndian.Uint16(head))
	_, _ = io.ReadFull(c, b)
	return b
}

// say sends bytes.
func say(b string) act { return func(_ *world, c net.Conn) { _, _ = io.WriteString(c, b) } }

// tear sends a reset, over TLS too.
func tear(_ *world, c net.Conn) {
	if over, ok := c.(*tls.Conn); ok {
		c = over.NetConn()
	}
	c.(interface{ SetLinger(int) error }).SetLinger(0)
	c.Close()
}

// goodbye sends TLS' close_notify before the FIN.
func goodbye(_ *world, c net.Conn) { c.Close() }

// hold says nothing until the client goes.
func hold(_ *world, c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// justCode is an answer of a resolver's without an address.
func justCode(rcode int) func(*dns.Msg) bool {
	return func(m *dns.Msg) bool {
		m.Rcode, m.Answer = rcode, nil
		return true
	}
}

// nothing is no answer.
func nothing(*dns.Msg) bool { return false }

// bogons are addresses that no public server has.
var bogons = []netip.Addr{netip.MustParseAddr("10.10.34.34"), netip.MustParseAddr("fc00::34")}

// forge is an answer with a bogon.
func forge(m *dns.Msg) bool {
	switch rr := m.Answer[0].(type) {
	case *dns.A:
		rr.A = bogons[0].AsSlice()
	case *dns.AAAA:
		rr.AAAA = bogons[1].AsSlice()
	}
	return true
}

// negotiate answers an Initial with versions that no client of ours speaks.
func negotiate(initial []byte) []byte {
	b, _ := hello.ForgeVersionNegotiation(initial, 0xff00001d)
	return b
}

// refuse answers an Initial with a CONNECTION_CLOSE.
func refuse(code uint64) func([]byte) []byte {
	return func(initial []byte) []byte {
		b, _ := hello.ForgeClose(initial, code, "")
		return b
	}
}

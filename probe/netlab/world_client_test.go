package netlab_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
)

// patience bounds one step of these clients; it is long enough for a lost packet or two.
const patience = 5 * time.Second

// client reaches a world as anybody would: plain crypto/tls, net/http, http3 and miekg/dns over the
// vantage's dial.
type client struct {
	t     *testing.T
	world *netlab.World
	host  probe.Host
}

// inWorld runs a test in a world, once in a bubble and once outside.
func inWorld(t *testing.T, o netlab.Options, test func(*client)) {
	t.Helper()
	t.Parallel()
	t.Run("bubble", func(t *testing.T) { inBubble(t, o, test) })
	t.Run("real time", func(t *testing.T) { t.Parallel(); visit(t, o, test) })
}

// inBubble runs a test where time is virtual, and where every goroutine has to end.
func inBubble(t *testing.T, o netlab.Options, test func(*client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { visit(t, o, test) })
}

func visit(t *testing.T, o netlab.Options, test func(*client)) {
	t.Helper()
	w, err := netlab.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	test(&client{t: t, world: w, host: w.Host()})
}

func (c *client) context() context.Context {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	c.t.Cleanup(cancel)
	return ctx
}

// dial opens a connection with a deadline on everything.
func (c *client) dial(network string, to netip.AddrPort) (net.Conn, error) {
	if to.Addr().Is6() {
		network += "6"
	} else {
		network += "4"
	}
	conn, err := c.host.Dial(c.context(), network, to.String())
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(patience))
}

// tls shakes hands; the world's roots verify the chain.
func (c *client) tls(to netip.AddrPort, config *tls.Config) (*tls.Conn, error) {
	raw, err := c.dial("tcp", to)
	if err != nil {
		return nil, err
	}
	config.RootCAs = c.host.Roots
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(c.context()); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// answer is what an exchange brought.
type answer struct {
	status int
	proto  string
	header http.Header
	body   []byte
}

// get asks an address for a URL, over TLS or in clear.
func (c *client) get(at netip.Addr, url string) (answer, error) {
	transport := &http.Transport{
		DisableKeepAlives: true,
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: c.host.Roots},
		DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
			return c.dial("tcp", atPort(at, address))
		},
	}
	defer transport.CloseIdleConnections()
	return c.exchange(transport, url)
}

// h3 is get over QUIC.
func (c *client) h3(at netip.Addr, url string) (answer, error) {
	var closers []io.Closer
	transport := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: c.host.Roots},
		Dial: func(ctx context.Context, address string, config *tls.Config, _ *quic.Config) (*quic.Conn, error) {
			raw, err := c.dial("udp", atPort(at, address))
			if err != nil {
				return nil, err
			}
			under := &quic.Transport{Conn: connected{raw}}
			closers = append(closers, raw, under)
			return under.DialEarly(ctx, raw.RemoteAddr(), config, &quic.Config{HandshakeIdleTimeout: patience / 2})
		},
	}
	defer func() {
		transport.Close()
		for i := len(closers) - 1; i >= 0; i-- {
			closers[i].Close()
		}
	}()
	return c.exchange(transport, url)
}

func (c *client) exchange(rt http.RoundTripper, url string) (answer, error) {
	req, err := http.NewRequestWithContext(c.context(), http.MethodGet, url, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Proto, resp.Header, body}, err
}

// resolve asks a resolver over "udp" or "tcp".
func (c *client) resolve(network string, at netip.AddrPort, name string, kind uint16) (*dns.Msg, error) {
	conn, err := c.dial(network, at)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return ask(conn, network, question(name, kind))
}

func ask(conn net.Conn, network string, q *dns.Msg) (*dns.Msg, error) {
	if network == "udp" {
		conn = connected{conn}
	}
	exchanger := dns.Client{Net: network, Timeout: patience}
	reply, _, err := exchanger.ExchangeWithConn(q, &dns.Conn{Conn: conn})
	return reply, err
}

func question(name string, kind uint16) *dns.Msg {
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	if name == "version.bind" {
		q.Question[0].Qclass = dns.ClassCHAOS
	}
	return q
}

// overHTTPS asks a resolver's DoH URL at one of its addresses.
func (c *client) overHTTPS(at netip.Addr, url string, q *dns.Msg) (*dns.Msg, error) {
	packed, err := q.Pack()
	if err != nil {
		return nil, err
	}
	conn, err := c.tls(netip.AddrPortFrom(at, 443), &tls.Config{ServerName: hostIn(url)})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	req, _ := http.NewRequestWithContext(c.context(), http.MethodPost, url, bytes.NewReader(packed))
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialTLSContext:    func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	reply := new(dns.Msg)
	return reply, reply.Unpack(body)
}

func hostIn(url string) string {
	host := strings.TrimPrefix(url, "https://")
	host, _, _ = strings.Cut(host, "/")
	return host
}

// answers writes the data of an answer section in one line.
func answers(m *dns.Msg) string {
	var words []string
	for _, rr := range m.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			words = append(words, rr.A.String())
		case *dns.AAAA:
			words = append(words, rr.AAAA.String())
		case *dns.CNAME:
			words = append(words, "→ "+rr.Target)
		case *dns.TXT:
			words = append(words, rr.Txt...)
		}
	}
	return strings.Join(words, " ")
}

// atPort puts an address in the place of a name.
func atPort(a netip.Addr, hostport string) netip.AddrPort {
	_, port, _ := net.SplitHostPort(hostport)
	return netip.MustParseAddrPort(net.JoinHostPort(a.String(), port))
}

// connected makes a packet socket of a connected one, as a prober has to.
type connected struct{ net.Conn }

func (c connected) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := c.Read(b)
	return n, c.RemoteAddr(), err
}

func (c connected) WriteTo(b []byte, _ net.Addr) (int, error) { return c.Write(b) }

// quic-go warns where these are missing.
func (connected) SetReadBuffer(int) error  { return nil }
func (connected) SetWriteBuffer(int) error { return nil }

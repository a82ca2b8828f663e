package netlab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// certificates are a server's, under a root of their own.
func (n *Network) certificates(t testing.TB, names ...string) *tls.Config {
	t.Helper()
	ca, err := newCertifier("Test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{}
	for _, name := range names {
		chain, err := ca.certificate(leaf{name: name})
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = append(config.Certificates, *chain)
	}
	return config
}

// serveTLS answers a request with its name, and then holds.
func (n *Network) serveTLS(t testing.TB, at netip.AddrPort, names ...string) {
	t.Helper()
	config := n.certificates(t, names...)
	n.serve(t, at, func(c net.Conn) {
		s := tls.Server(c, config)
		if _, err := s.Read(make([]byte, 1000)); err == nil {
			s.Write([]byte("genuine"))
			io.Copy(io.Discard, s)
		}
	})
}

// shake makes a TLS handshake, with ten seconds of patience and no look at the chain.
func (n *Network) shake(t testing.TB, to netip.AddrPort, config *tls.Config) (*tls.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	raw, err := n.Dial(ctx, "tcp4", to.String())
	if err != nil {
		return nil, err
	}
	raw.SetDeadline(time.Now().Add(10 * time.Second))
	config.InsecureSkipVerify = true
	c := tls.Client(raw, config)
	if err := c.Handshake(); err != nil {
		raw.Close()
		return nil, err
	}
	return c, nil
}

// A box completes the handshake under its own root, for any name and any protocol, wherever it stands;
// the server never hears a hello.
func TestIntercept(t *testing.T) {
	for _, position := range []float64{0.1, 0.5, 1} {
		for _, test := range []struct {
			sni, leaf string
			offers    []string
			page      string
			want      string
		}{
			{sni: "a.org", leaf: "a.org", want: interceptedBody},
			{sni: "a.org", leaf: "a.org", offers: []string{"h2", "http/1.1"}, want: interceptedBody},
			{sni: "a.org", leaf: "a.org", offers: []string{"h2"}, page: "HTTP/1.1 451 No\r\n\r\nblocked", want: "blocked"},
			{sni: "", leaf: edge.Addr().String(), want: interceptedBody},
		} {
			onWire(t, far, func(t *testing.T, n *Network) {
				heard := make(chan string, 1)
				n.serve(t, edge, func(c net.Conn) { b, err := io.ReadAll(c); heard <- string(b) + nest(err) })
				n.Censor(Rule{ID: "box", Protocol: TLS, Action: Intercept, Page: test.page, Position: position, Residual: time.Minute})
				c, err := n.shake(t, edge, &tls.Config{ServerName: test.sni, NextProtos: test.offers})
				if err != nil {
					t.Fatalf("%v: %v", position, err)
				}
				defer c.Close()
				chain := c.ConnectionState().PeerCertificates
				root, err := n.InterceptCA()
				if err != nil || chain[0].DNSNames[0] != test.leaf || !under(root, chain) {
					t.Errorf("%v: leaf %v, %v", position, chain[0].DNSNames, err)
				}
				io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.org\r\n\r\n")
				if page, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(page), "\r\n\r\n"+test.want) {
					t.Errorf("%v: page %q, %v", position, page, err)
				}
				if got := <-heard; !strings.HasSuffix(got, "connection reset by peer") || strings.Contains(got, "a.org") {
					t.Errorf("%v: the server heard %q", position, got)
				}
				if n.Fired("box") != 1 {
					t.Errorf("fired %d times", n.Fired("box"))
				}
			})
		}
	}
}

func under(root *x509.Certificate, chain []*x509.Certificate) bool {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root)
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err == nil
}

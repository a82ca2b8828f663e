package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/telltale-probe/telltale/measurements"
)

// patient is a step's time where something is to come, which a stalled machine may take long to do. brief is one where
// nothing is: it is waited for.
const (
	patient = time.Minute
	brief   = 600 * time.Millisecond
	site    = "www.example.com"
)

// authority issues certificates for the loopback servers.
type authority struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	roots *x509.CertPool
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newAuthority() *authority {
	a := &authority{key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), roots: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Loopback Root"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key))
	a.cert = must(x509.ParseCertificate(der))
	a.roots.AddCert(a.cert)
	return a
}

// issue makes a leaf for names, good until an hour from now, or until another time.
func (a *authority) issue(until time.Duration, names ...string) tls.Certificate {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(until),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der := must(x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key))
	return tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}
}

// trusted and forger are the world's two authorities; good is what an honest server has.
var (
	trusted = newAuthority()
	forger  = newAuthority()
	good    = trusted.issue(time.Hour, site)
	there   = Host{Roots: trusted.roots}
)

func serverConfig(cert tls.Certificate, alpn ...string) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: alpn}
}

// within bounds one step.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// serveTCP hands every connection to handle, which closes it by returning.
func serveTCP(t *testing.T, handle func(*net.TCPConn)) netip.AddrPort {
	t.Helper()
	l := must(net.Listen("tcp4", "127.0.0.1:0"))
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(patient))
				handle(c.(*net.TCPConn))
			}()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}

// serveTLS hands every connection to handle after the handshake.
func serveTLS(t *testing.T, config *tls.Config, handle func(*tls.Conn)) netip.AddrPort {
	t.Helper()
	return serveTCP(t, func(c *net.TCPConn) {
		secure := tls.Server(c, config)
		if secure.Handshake() != nil {
			io.Copy(io.Discard, c) // so that no reset overtakes the alert
			return
		}
		handle(secure)
	})
}

// idle reads until the peer is gone.
func idle[C net.Conn](c C) { io.Copy(io.Discard, c) }

// abort closes with a reset.
func abort(c *net.TCPConn) {
	c.SetLinger(0)
	c.Close()
}

// hear reads what comes first: a hello, or a request.
func hear(c net.Conn) { c.Read(make([]byte, 4096)) }

// serveQUIC speaks HTTP/3.
func serveQUIC(t *testing.T, config *tls.Config, handler http.Handler) netip.AddrPort {
	t.Helper()
	socket := must(net.ListenPacket("udp4", "127.0.0.1:0"))
	transport := &quic.Transport{Conn: socket}
	l := must(transport.ListenEarly(config, &quic.Config{}))
	server := &http3.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.ServeListener(l)
	}()
	t.Cleanup(func() {
		server.Close()
		l.Close()
		transport.Close()
		socket.Close()
		<-done
	})
	return netip.MustParseAddrPort(socket.LocalAddr().String())
}

// serveUDP hands every datagram to handle, which answers with what it returns, if anything.
func serveUDP(t *testing.T, handle func([]byte) [][]byte) netip.AddrPort {
	t.Helper()
	socket := must(net.ListenPacket("udp4", "127.0.0.1:0"))
	t.Cleanup(func() { socket.Close() })
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := socket.ReadFrom(b)
			if err != nil {
				return
			}
			for _, answer := range handle(b[:n]) {
				socket.WriteTo(answer, from)
			}
		}
	}()
	return netip.MustParseAddrPort(socket.LocalAddr().String())
}

func silent([]byte) [][]byte { return nil }

// closed is a port where nobody listens until the test ends: it is the near end of another connection, so that nobody
// else on this machine gets it meanwhile.
func closed(t *testing.T, network string) netip.AddrPort {
	t.Helper()
	at := serveUDP(t, silent)
	if network == "tcp" {
		at = serveTCP(t, idle)
	}
	held := must(net.Dial(network+"4", at.String()))
	t.Cleanup(func() { held.Close() })
	return netip.MustParseAddrPort(held.LocalAddr().String())
}

// connected opens a connection that the test closes.
func connected(t *testing.T, ep netip.AddrPort) *Conn {
	t.Helper()
	conn, o := there.Connect(within(t, patient), ep)
	if !o.OK() {
		t.Fatalf("connect: %s (%s)", o.Failure, o.Error)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// wantFailure checks a failure, and what every observation holds, of success and failure alike.
func wantFailure(t *testing.T, o measurements.Observation, want measurements.Failure) {
	t.Helper()
	if o.Failure != want {
		t.Errorf("failure: got %q (%s), want %q", o.Failure, o.Error, want)
	}
	complete := o.Operation != "" && o.Transport != "" && o.Family != "" && o.Endpoint != "" && !o.Started.IsZero() && o.Duration > 0
	if !complete {
		t.Errorf("an incomplete observation: %+v", o)
	}
	if (o.Failure == "") != (o.Error == "") {
		t.Errorf("failure %q with error %q", o.Failure, o.Error)
	}
	if strings.Contains(o.Error, "->") && !strings.Contains(o.Error, "[scrubbed]->") {
		t.Errorf("our own address is in %q", o.Error)
	}
}

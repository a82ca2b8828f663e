package probe

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// shake makes a handshake with a loopback server; the test closes what comes of it.
func shakeHands(t *testing.T, ep netip.AddrPort, in TLSInput) (*tls.Conn, measurements.Observation) {
	t.Helper()
	conn, o := there.TLS(within(t, patient), connected(t, ep), in)
	if conn != nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, o
}

func TestTLSSucceeds(t *testing.T) {
	t.Parallel()
	ep := serveTLS(t, serverConfig(good, "h2", "http/1.1"), func(c *tls.Conn) { idle(c) })
	for _, shape := range []measurements.Shape{measurements.Small, measurements.Default} {
		conn, o := shakeHands(t, ep, TLSInput{Name: site, Shape: shape, ALPN: []string{"h2", "http/1.1"}})
		wantFailure(t, o, "")
		if conn == nil {
			t.Fatal("no connection")
		}
		s := o.TLS
		if s.Version != "TLS 1.3" || s.ALPN != "h2" || s.Cipher == "" || s.ChainRoot != "bundle" || s.Shape != shape || len(s.Chain) != 2 ||
			!slices.Equal(s.LeafNames, []string{site}) || s.LeafIssuer != "CN=Loopback Root" || s.JA4 == "" || s.FirstBytes != nil {
			t.Errorf("%s: got %+v", shape, s)
		}
		if small := o.Sent < 1000; small != (shape == measurements.Small) { // hello and Finished
			t.Errorf("a %s hello costs %d bytes", shape, o.Sent)
		}
		if runtime.GOOS == "linux" && (o.TCP == nil || o.TCP.BytesReceived == 0) {
			t.Errorf("TCP_INFO: %+v", o.TCP)
		}
	}
}

func TestTLSVersionIsKept(t *testing.T) {
	t.Parallel()
	config := serverConfig(good)
	config.MaxVersion = tls.VersionTLS12
	_, o := shakeHands(t, serveTLS(t, config, func(c *tls.Conn) { idle(c) }), TLSInput{Name: site})
	wantFailure(t, o, "")
	if o.TLS.Version != "TLS 1.2" {
		t.Errorf("got %q", o.TLS.Version)
	}
}

// A chain that does not verify is a failure with a connection.
func TestTLSCertificates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		cert tls.Certificate
		want measurements.Failure
		root string
	}{
		{"another name", trusted.issue(time.Hour, "other.example"), measurements.SSLInvalidHostname, "bundle"},
		{"another root", forger.issue(time.Hour, site), measurements.SSLUnknownAuthority, "none"},
		{"another root and name", forger.issue(time.Hour, "other.example"), measurements.SSLInvalidHostname, "none"},
		{"expired", trusted.issue(-time.Hour, site), measurements.SSLInvalidCertificate, "bundle"},
		{"expired, another root", forger.issue(-time.Hour, site), measurements.SSLInvalidCertificate, "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ep := serveTLS(t, serverConfig(c.cert), func(c *tls.Conn) { io.WriteString(c, "page") })
			conn, o := shakeHands(t, ep, TLSInput{Name: site})
			wantFailure(t, o, c.want)
			if o.TLS.ChainRoot != c.root || len(o.TLS.Chain) != 2 || o.TLS.Version == "" {
				t.Errorf("got %+v", o.TLS)
			}
			if conn == nil {
				t.Fatal("the connection is not kept")
			}
			if page, _ := io.ReadAll(conn); string(page) != "page" {
				t.Errorf("what the peer serves: %q", page)
			}
		})
	}
}

// Every other failure closes the connection.
func TestTLSDies(t *testing.T) {
	t.Parallel()
	noALPN, oldOnly := serverConfig(good, "nothing-of-ours"), serverConfig(good)
	oldOnly.MaxVersion = tls.VersionTLS11
	oldOnly.MinVersion = tls.VersionTLS10
	withTLS := func(config *tls.Config) func(*net.TCPConn) {
		return func(c *net.TCPConn) { tls.Server(c, config).Handshake(); idle(c) }
	}
	for _, c := range []struct {
		name   string
		server func(*net.TCPConn)
		want   measurements.Failure
		first  string
	}{
		{"reset after the hello", func(c *net.TCPConn) { hear(c); abort(c) }, measurements.ConnectionReset, ""},
		{"FIN after the hello", func(c *net.TCPConn) { hear(c); c.CloseWrite(); idle(c) }, measurements.EOF, ""},
		{"FIN inside a record", func(c *net.TCPConn) { hear(c); io.WriteString(c, "\x16\x03\x03\x00\x40abc"); c.CloseWrite(); idle(c) }, measurements.EOF, "\x16\x03\x03\x00\x40abc"},
		{"a page in clear", func(c *net.TCPConn) { hear(c); io.WriteString(c, "HTTP/1.1 403 Forbidden\r\n\r\n"); idle(c) }, measurements.TLSNotTLS, "HTTP/1.1 403 Forbidden\r\n\r\n"},
		{"alert: no common ALPN", withTLS(noALPN), measurements.TLSAlert(120), "\x15\x03\x03\x00\x02\x02\x78"},
		{"alert: no common version", withTLS(oldOnly), measurements.TLSAlert(70), "\x15\x03\x01\x00\x02\x02\x46"},
		{"alert, forged", func(c *net.TCPConn) { hear(c); io.WriteString(c, "\x15\x03\x03\x00\x02\x02\x70"); idle(c) }, measurements.TLSAlert(112), "\x15\x03\x03\x00\x02\x02\x70"},
		{"broken TLS", func(c *net.TCPConn) { hear(c); io.WriteString(c, "\x16\x03\x03\x00\x05\x02\x00\x00\x01\x00"); idle(c) }, measurements.SSLFailedHandshake, "\x16\x03\x03\x00\x05\x02\x00\x00\x01\x00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, o := shakeHands(t, serveTCP(t, c.server), TLSInput{Name: site, Shape: measurements.Small, ALPN: []string{"h2"}})
			wantFailure(t, o, c.want)
			if conn != nil {
				t.Error("a connection came of a failure")
			}
			if got := string(o.TLS.FirstBytes); got != c.first {
				t.Errorf("first bytes: %q, want %q", got, c.first)
			}
			if o.TLS.Shape != measurements.Small || o.TLS.JA4 == "" || o.Sent == 0 {
				t.Errorf("got %+v", o.TLS)
			}
		})
	}
}

// A black hole ends with the step's time, and a round that is broken off ends at once.
func TestTLSEnds(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		hole := onPipes(idle[net.Conn])
		shake := func(ctx context.Context) measurements.Observation {
			conn, o := hole.Connect(ctx, nowhere)
			if !o.OK() {
				t.Fatal(o.Error)
			}
			_, o = hole.TLS(ctx, conn, TLSInput{Name: site})
			return o
		}
		o := shake(within(t, brief))
		wantFailure(t, o, measurements.Timeout)
		if o.TLS.JA4 == "" || time.Duration(o.Duration) != brief {
			t.Errorf("after %v, with a hello %q", time.Duration(o.Duration), o.TLS.JA4)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(brief/3, cancel)
		o = shake(ctx)
		if wantFailure(t, o, measurements.Interrupted); time.Duration(o.Duration) != brief/3 {
			t.Errorf("broken off after %v", time.Duration(o.Duration))
		}
	})
}

// TLS 1.2 shows the certificate in clear: what dies there has shown it already.
func TestTLSKeepsTheChainOfAFailure(t *testing.T) {
	t.Parallel()
	ep := serveTCP(t, func(c *net.TCPConn) {
		config := serverConfig(good)
		config.MaxVersion = tls.VersionTLS12
		tls.Server(&mute{Conn: c}, config).Handshake()
		abort(c)
	})
	conn, o := shakeHands(t, ep, TLSInput{Name: site})
	wantFailure(t, o, measurements.ConnectionReset)
	if conn != nil || len(o.TLS.Chain) != 2 || o.TLS.ChainRoot != "bundle" || o.TLS.Version != "TLS 1.2" {
		t.Errorf("got %+v", o.TLS)
	}
}

// mute reads the ClientHello, and gives up at what comes after it.
type mute struct {
	net.Conn
	wrote bool
}

func (m *mute) Write(b []byte) (int, error) {
	m.wrote = true
	return m.Conn.Write(b)
}

func (m *mute) Read(b []byte) (int, error) {
	if m.wrote {
		time.Sleep(brief / 3) // so that no reset overtakes the chain
		return 0, io.EOF
	}
	return m.Conn.Read(b)
}

// A server without a name to verify is judged by its chain alone.
func TestTLSWithoutName(t *testing.T) {
	t.Parallel()
	var sni string
	config := serverConfig(good)
	config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		sni = h.ServerName
		return nil, nil
	}
	_, o := shakeHands(t, serveTLS(t, config, func(c *tls.Conn) { idle(c) }), TLSInput{})
	wantFailure(t, o, "")
	if sni != "" || o.TLS.Shape != measurements.Default {
		t.Errorf("sent SNI %q, shape %q", sni, o.TLS.Shape)
	}
}

func FuzzJA4OverTCP(f *testing.F) {
	f.Add([]byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"), int64(0))
	f.Add([]byte(strings.Repeat("\x16", 10)), int64(7))
	f.Fuzz(func(t *testing.T, sent []byte, before int64) {
		if before >= 0 {
			ja4OverTCP(sent, before)
		}
	})
}

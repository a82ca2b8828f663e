package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// page answers like an app: it tells what it was asked, and offers h3.
func page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Alt-Svc", `h3=":443"; ma=60`)
	w.Header().Set("X-Asked", r.Method+" "+r.Host+" "+r.RequestURI+" "+r.UserAgent())
	switch r.URL.Path {
	case "/moved":
		http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
	case "/large":
		for range 16 {
			w.Write(bytes.Repeat([]byte("z"), 4<<10))
		}
	case "/gone":
		w.WriteHeader(http.StatusGone)
	default:
		io.WriteString(w, r.Method+" "+r.Host+" "+r.RequestURI+" "+r.UserAgent())
	}
}

// serveHTTP speaks HTTP in clear, or over TLS with what ALPN agrees on.
func serveHTTP(t *testing.T, over *tls.Config) netip.AddrPort {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(page))
	s.EnableHTTP2 = true
	if s.TLS = over; over != nil {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

// An exchange with a gateway of LINE's stays within the 3 kB of an app's handshake, over HTTP/2 however long the answer
// is: it is not sent to us.
func TestLEGYIsSmall(t *testing.T) {
	t.Parallel()
	secure := serveHTTP(t, serverConfig(good))
	for alpn, path := range map[string]string{"h2": "/large", "http/1.1": "/"} {
		conn, _ := shakeHands(t, secure, TLSInput{Name: site, ALPN: []string{alpn}})
		o := HTTP(within(t, patient), conn, HTTPInput{Host: site, Path: path, Verified: true, Speaks: measurements.LEGY, MaxBody: legyBody})
		if !o.OK() || o.HTTP.Status != http.StatusOK || path == "/large" && o.HTTP.BodyBytes != legyBody || o.HTTP.Proto != alpn {
			t.Errorf("%s: %+v", alpn, o)
		}
		const headers = 6 * 72 // of segments, with IPv6 and timestamps
		if n := o.Sent + o.Received + headers; n > 3000 {
			t.Errorf("%s: %d bytes on the wire, %d out and %d in", alpn, n, o.Sent, o.Received)
		}
	}
}

func TestHTTPExchanges(t *testing.T) {
	t.Parallel()
	clear := serveHTTP(t, nil)
	secure := serveHTTP(t, serverConfig(good))
	for _, c := range []struct {
		name, transport, alpn, proto string
	}{
		{"in clear", "tcp", "", "http/1.1"},
		{"over TLS", "tls", "http/1.1", "http/1.1"},
		{"h2", "tls", "h2", "h2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ask := func(in HTTPInput) measurements.Observation {
				var conn net.Conn
				if c.transport == "tls" {
					conn, _ = shakeHands(t, secure, TLSInput{Name: site, ALPN: []string{c.alpn}})
				} else {
					conn = connected(t, clear)
				}
				in.Host = site
				o := HTTP(within(t, patient), conn, in)
				if _, err := conn.Write([]byte("x")); err == nil {
					t.Error("the connection is still open")
				}
				return o
			}
			askAll(t, ask, c.transport, c.proto)
		})
	}
}

// askAll asks for the pages of a server over one version of HTTP.
func askAll(t *testing.T, ask func(HTTPInput) measurements.Observation, transport, proto string) {
	t.Helper()
	o := ask(HTTPInput{Path: "/a?b=c", MaxBody: 1 << 10})
	wantFailure(t, o, "")
	h := o.HTTP
	want := "GET " + site + " /a?b=c " + UserAgent
	if o.Transport != transport || h.Proto != proto || h.Status != 200 || string(h.Body) != want || h.BodyBytes != int64(len(want)) || h.BodyTruncated {
		t.Errorf("%s: got %+v", o.Transport, h)
	}
	if h.Method != "GET" || h.Path != "/a?b=c" || !h.AltSvcH3 || h.Date == "" || o.Name != site || o.Sent == 0 || o.Received == 0 {
		t.Errorf("got %+v", o)
	}

	o = ask(HTTPInput{Path: "/moved", MaxBody: 1 << 10, Verified: true})
	wantFailure(t, o, "")
	if o.HTTP.Status != 302 || o.HTTP.Location != "https://elsewhere.example/" || o.HTTP.Body != nil || !o.HTTP.Verified {
		t.Errorf("a redirect: %+v", o.HTTP)
	}
	o = ask(HTTPInput{Path: "/large", MaxBody: 20 << 10})
	wantFailure(t, o, "")
	if o.HTTP.BodyBytes != 20<<10 || !o.HTTP.BodyTruncated || len(o.HTTP.Body) != keptOfBody {
		t.Errorf("a large body: %d bytes, truncated %v, kept %d", o.HTTP.BodyBytes, o.HTTP.BodyTruncated, len(o.HTTP.Body))
	}
	o = ask(HTTPInput{Method: "HEAD", Path: "/gone", MaxBody: 1 << 10, Verified: true})
	wantFailure(t, o, "")
	if o.HTTP.Status != 410 || o.HTTP.BodyTruncated {
		t.Errorf("any status is an answer: %+v", o.HTTP)
	}
}

// What an exchange dies of, in clear.
func TestHTTPDies(t *testing.T) {
	t.Parallel()
	say := func(text string, end func(*net.TCPConn)) func(*net.TCPConn) {
		return func(c *net.TCPConn) { hear(c); io.WriteString(c, text); time.Sleep(brief / 5); end(c) }
	}
	fin := func(c *net.TCPConn) { c.CloseWrite(); idle(c) }
	const header = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
	for _, c := range []struct {
		name   string
		server func(*net.TCPConn)
		want   measurements.Failure
		status int
		body   int64
	}{
		{"reset", say("", abort), measurements.ConnectionReset, 0, 0},
		{"FIN", say("", fin), measurements.EOF, 0, 0},
		{"FIN before we ask", fin, measurements.EOF, 0, 0},
		{"garbage", say("SSH-2.0-OpenSSH_9.9\r\n\r\n", fin), measurements.HTTPRequestFailed, 0, 0},
		{"a header cut short", say("HTTP/1.1 200 OK\r\nContent-", fin), measurements.HTTPRequestFailed, 0, 0},
		{"a reset inside the header", say("HTTP/1.1 200 OK\r\nContent-", abort), measurements.ConnectionReset, 0, 0},
		{"an endless header", say("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("y", mostHeader+8<<10), idle), measurements.HTTPRequestFailed, 0, 0},
		{"a reset inside the body", say(header+"0123456789", abort), measurements.ConnectionReset, 200, 10},
		{"a FIN inside the body", say(header+"0123456789", fin), measurements.EOF, 200, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := HTTP(within(t, patient), connected(t, serveTCP(t, c.server)), HTTPInput{Host: site, MaxBody: 1 << 10})
			wantFailure(t, o, c.want)
			if o.HTTP.Status != c.status || o.HTTP.BodyBytes != c.body || o.HTTP.BodyTruncated != (c.body > 0) {
				t.Errorf("got %+v", o.HTTP)
			}
		})
	}
}

func TestHTTPEnds(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		half := onPipes(func(c net.Conn) {
			hear(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
			idle(c)
		})
		mute := onPipes(idle[net.Conn])
		for _, c := range []struct {
			name   string
			server Host
			stop   bool
			body   int64
		}{
			{"a stalled body", half, false, 2}, {"a silent server", mute, false, 0},
			{"stopped inside the body", half, true, 2}, {"stopped before the answer", mute, true, 0},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), brief)
			want := measurements.Timeout
			if c.stop {
				time.AfterFunc(brief/3, cancel)
				want = measurements.Interrupted
			}
			conn, o := c.server.Connect(ctx, nowhere)
			if !o.OK() {
				t.Fatal(o.Error)
			}
			o = HTTP(ctx, conn, HTTPInput{Host: site, MaxBody: 9})
			t.Log(c.name)
			wantFailure(t, o, want)
			if o.HTTP.BodyBytes != c.body {
				t.Errorf("%d bytes of a body", o.HTTP.BodyBytes)
			}
			cancel()
		}
	})

	long := serveTCP(t, func(c *net.TCPConn) {
		hear(c)
		io.WriteString(c, strings.Repeat("no HTTP at all ", 1000)+"\r\n\r\n")
		idle(c)
	})
	o := HTTP(within(t, patient), connected(t, long), HTTPInput{Host: site})
	wantFailure(t, o, measurements.HTTPRequestFailed)
	if len(o.Error) > mostError {
		t.Errorf("an error of %d bytes", len(o.Error))
	}
}

// A TLS 1.3 client is through before the server is: the server's alert comes in the exchange.
func TestHTTPTellsALateAlert(t *testing.T) {
	t.Parallel()
	config := serverConfig(good)
	config.ClientAuth = tls.RequireAnyClientCert
	conn, o := shakeHands(t, serveTLS(t, config, func(c *tls.Conn) {}), TLSInput{Name: site})
	wantFailure(t, o, "")
	wantFailure(t, HTTP(within(t, patient), conn, HTTPInput{Host: site, Verified: true}), measurements.TLSAlert(116)) // certificate_required
}

// What Settle kept is the beginning of the answer.
func TestHTTPAfterSettle(t *testing.T) {
	t.Parallel()
	conn := connected(t, serveTCP(t, func(c *net.TCPConn) { fmt.Fprint(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"); idle(c) }))
	wantFailure(t, Settle(within(t, patient), conn, patient), "")
	o := HTTP(within(t, patient), conn, HTTPInput{Host: site, MaxBody: 9})
	if o.OK() && (o.HTTP.Status != 403 || string(o.HTTP.Body) != "no") {
		t.Errorf("got %+v", o.HTTP)
	}
}

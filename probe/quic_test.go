package probe

import (
	"context"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

func TestQUICSucceeds(t *testing.T) {
	t.Parallel()
	ep := serveQUIC(t, serverConfig(good, "h3"), http.HandlerFunc(page))
	for shape, least := range map[measurements.Shape]int{measurements.Small: 1, measurements.Default: 2} {
		conn, o := there.QUIC(within(t, patient), ep, TLSInput{Name: site, Shape: shape})
		wantFailure(t, o, "")
		if conn == nil {
			t.Fatal("no connection")
		}
		sent := conn.socket.Traffic().DatagramsSent
		conn.Close()
		s, q := o.TLS, o.QUIC
		if s.Version != "TLS 1.3" || s.ALPN != "h3" || s.ChainRoot != "bundle" || len(s.Chain) != 2 || s.Shape != shape || s.JA4 == "" {
			t.Errorf("%s: got %+v", shape, s)
		}
		if q.Version != "v1" || q.DatagramsSent < least || q.DatagramsReceived == 0 || o.Transport != "quic" || o.LocalPort == 0 || o.Sent == 0 || o.Received == 0 {
			t.Errorf("%s: got %+v, %+v", shape, o, q)
		}
		for i, d := range sent[:least] {
			if len(d) != initialSize || d[0]>>4 != 0xc { // long header, fixed bit, type Initial (RFC 9000, section 17.2.2)
				t.Errorf("%s: datagram %d has %d bytes, and starts with %#x", shape, i, len(d), d[0])
			}
		}
	}
}

// How many datagrams a hello takes is what the shapes are about; silence sees repeats as well.
func TestQUICHelloShapes(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		for shape, want := range map[measurements.Shape]int{measurements.Small: 1, measurements.Default: 2} {
			_, o := onPipes(datagrams(silent)).QUIC(within(t, brief), nowhere, TLSInput{Name: site, Shape: shape})
			wantFailure(t, o, measurements.Timeout)
			if o.QUIC.DatagramsSent < want || o.QUIC.DatagramsReceived != 0 || o.TLS.JA4 == "" || o.TLS.ChainRoot != "" {
				t.Errorf("%s: got %+v, %+v", shape, o.QUIC, o.TLS)
			}
			if o.Error != "timeout: no recent network activity" {
				t.Errorf("%s: got %q", shape, o.Error)
			}
		}
	})
}

func TestQUICDies(t *testing.T) {
	t.Parallel()
	web := http.HandlerFunc(page)
	for _, c := range []struct {
		name  string
		ep    netip.AddrPort
		want  measurements.Failure
		chain int
		root  string
	}{
		{"refused", closed(t, "udp"), measurements.ConnectionRefused, 0, ""},
		{"alert: no common ALPN", serveQUIC(t, serverConfig(good, "nothing-of-ours"), web), measurements.TLSAlert(120), 0, ""},
		{"another root", serveQUIC(t, serverConfig(forger.issue(time.Hour, site), "h3"), web), measurements.SSLUnknownAuthority, 2, "none"},
		{"another name", serveQUIC(t, serverConfig(trusted.issue(time.Hour, "other.example"), "h3"), web), measurements.SSLInvalidHostname, 2, "bundle"},
		{"expired", serveQUIC(t, serverConfig(trusted.issue(-time.Hour, site), "h3"), web), measurements.SSLInvalidCertificate, 2, "bundle"},
		{"version negotiation, forged", serveUDP(t, negotiate(0x6b3343cf)), measurements.QUICIncompatibleVersion, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, o := there.QUIC(within(t, patient), c.ep, TLSInput{Name: site, Shape: measurements.Small}) // one datagram: a refusal leaves no time for two
			wantFailure(t, o, c.want)
			if conn != nil || len(o.TLS.Chain) != c.chain || o.TLS.ChainRoot != c.root || o.TLS.JA4 == "" {
				t.Errorf("got %+v", o.TLS)
			}
		})
	}
}

// Junk is silence, but what came is counted and shown.
func TestQUICCountsJunk(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		junk := onPipes(datagrams(func([]byte) [][]byte { return [][]byte{[]byte("\x40junk")} }))
		_, o := junk.QUIC(within(t, brief), nowhere, TLSInput{Name: site, Shape: measurements.Small})
		wantFailure(t, o, measurements.Timeout)
		if o.QUIC.DatagramsReceived < 1 || string(o.TLS.FirstBytes) != "\x40junk" {
			t.Errorf("got %+v, %q", o.QUIC, o.TLS.FirstBytes)
		}
	})
}

func TestQUICIsInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(brief/3, cancel)
	_, o := there.QUIC(ctx, serveUDP(t, silent), TLSInput{Name: site})
	wantFailure(t, o, measurements.Interrupted)
}

func TestHTTP3(t *testing.T) {
	t.Parallel()
	ep := serveQUIC(t, serverConfig(good, "h3"), http.HandlerFunc(page))
	ask := func(in HTTPInput) measurements.Observation {
		conn, o := there.QUIC(within(t, patient), ep, TLSInput{Name: site})
		wantFailure(t, o, "")
		in.Host = site
		x := HTTP3(within(t, patient), conn, in)
		if conn.conn.Context().Err() == nil {
			t.Error("the connection is still open")
		}
		if x.QUIC.DatagramsSent == 0 || x.QUIC.DatagramsReceived == 0 {
			t.Errorf("got %+v", x.QUIC)
		}
		return x
	}
	askAll(t, ask, "quic", "h3")
}

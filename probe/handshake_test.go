package probe

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/app"
)

var testKeys = sync.OnceValue(func() (out [2]*rsa.PrivateKey) {
	for i := range out {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		out[i] = k
	}
	return out
})

// speaking serves connections on loopback until the test ends.
func speaking(t *testing.T, speak func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { speak(c); _ = c.Close() })
		}
	})
	return netip.MustParseAddrPort(l.Addr().String())
}

func TestMTProtoSteps(t *testing.T) {
	t.Parallel()
	telegram, other := testKeys()[0], testKeys()[1]
	for _, c := range []struct {
		name    string
		server  app.MTProtoServer
		failure measurements.Failure
		want    measurements.Handshake
	}{
		{"honest", app.MTProtoServer{Key: telegram}, "", measurements.Handshake{Proof: measurements.ProvedIdentity}},
		{"another key", app.MTProtoServer{Key: other}, measurements.AppImposter, measurements.Handshake{Unknown: true}},
		{"a borrowed key", app.MTProtoServer{Key: other, Named: &telegram.PublicKey, Lie: app.LieIdentity}, measurements.AppImposter, measurements.Handshake{Proof: measurements.ProvedProtocol}},
		{"refusal", app.MTProtoServer{Key: telegram, Lie: app.LieRefusal}, measurements.AppRefused, measurements.Handshake{Code: -404}},
		{"silence half way", app.MTProtoServer{Key: telegram, Lie: app.LieStall}, measurements.Timeout, measurements.Handshake{Proof: measurements.ProvedProtocol}},
		{"another protocol", app.MTProtoServer{Key: telegram, Lie: app.LieOther}, measurements.AppNotSpoken, measurements.Handshake{FirstBytes: []byte("SSH-2.0-box\r\n")}},
	} {
		check := func(t *testing.T, conn *Conn) {
			o := MTProto(within(t, patient), conn, "", app.MTProtoInput{Transport: app.Intermediate, Keys: []*rsa.PublicKey{&telegram.PublicKey}, DC: 1, Identity: true})
			if o.Operation != measurements.AppHandshake || o.Layer() != measurements.LayerApp || o.Transport != "tcp" || o.Failure != c.failure || o.Sent == 0 {
				t.Fatalf("%+v", o)
			}
			got := *o.App
			if (got.Key != "") != (got.Proof != "") || got.Protocol != measurements.MTProto || got.Arm != "intermediate" {
				t.Errorf("%+v", got)
			}
			got.Key, got.Protocol, got.Arm = "", "", ""
			if got.Proof != c.want.Proof || got.Unknown != c.want.Unknown || got.Code != c.want.Code || string(got.FirstBytes) != string(c.want.FirstBytes) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if _, err := conn.Write([]byte("x")); err == nil {
				t.Error("the connection is still open")
			}
			m := measurements.Measurement{App: "telegram", Targets: []measurements.TargetInfo{{ID: "dc1"}}, Observations: []measurements.Observation{o}}
			m.Observations[0].Target = "dc1"
			if err := m.Check(); err != nil {
				t.Error(err)
			}
		}
		speak := func(conn net.Conn) { _ = c.server.Serve(conn) }
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.failure != measurements.Timeout {
				check(t, connected(t, speaking(t, speak)))
				return
			}
			inBubble(t, func(t *testing.T) {
				conn, o := onPipes(speak).Connect(within(t, patient), nowhere)
				if !o.OK() {
					t.Fatal(o.Error)
				}
				check(t, conn)
			})
		})
	}
}

// chatServer upgrades on /chat, and speaks WhatsApp's protocol; elsewhere it refuses.
func chatServer(t *testing.T, s *app.WhatsAppServer) netip.AddrPort {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/chat" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		conn, in, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		if ws, err := app.TakeWebSocket(conn, in.Reader, r); err == nil {
			_ = s.Serve(ws)
		}
	}))
	server.TLS = serverConfig(good)
	server.StartTLS()
	t.Cleanup(server.Close)
	return netip.MustParseAddrPort(server.Listener.Addr().String())
}

func TestWhatsAppSteps(t *testing.T) {
	t.Parallel()
	_, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	fresh := app.NewWhatsAppServer(secret, now.Add(-time.Hour), now.Add(time.Hour))
	old := app.NewWhatsAppServer(secret, now.Add(-time.Hour), now.Add(-time.Minute))
	forged := app.NewWhatsAppServer(secret, now.Add(-time.Hour), now.Add(time.Hour))
	forged.Falsity = app.ForgedChain
	for _, c := range []struct {
		name    string
		server  *app.WhatsAppServer
		failure measurements.Failure
		proof   string
		dated   bool
	}{
		{"honest", fresh, "", measurements.ProvedIdentity, false},
		{"expired", old, measurements.AppImposter, "", true},
		{"forged", forged, measurements.AppImposter, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			check := func(o measurements.Observation, transport string) {
				t.Helper()
				if o.Failure != c.failure || o.Transport != transport || o.App.Proof != c.proof || o.App.Dated != c.dated || o.Received == 0 {
					t.Errorf("%+v %+v", o, o.App)
				}
			}
			raw := speaking(t, func(conn net.Conn) { _ = c.server.Serve(conn) })
			check(WhatsApp(within(t, patient), connected(t, raw), "", app.WhatsAppRootOf(secret)), "tcp")
			conn, _ := shakeHands(t, chatServer(t, c.server), TLSInput{Name: site, ALPN: []string{"http/1.1"}})
			ws, x := WebSocket(within(t, patient), conn, app.UpgradeInput{Host: site, Path: "/chat"}, true)
			if ws == nil || !x.OK() || x.HTTP.Status != 101 || !x.HTTP.Verified || x.Transport != "tls" {
				t.Fatalf("%+v", x)
			}
			check(WhatsApp(within(t, patient), ws, site, app.WhatsAppRootOf(secret)), "tls")
			if _, err := conn.Write([]byte("x")); err == nil {
				t.Error("the connection is still open")
			}
		})
	}
}

// A WebSocket that is refused is an answer; one that is answered by what is no HTTP is a failure.
func TestWebSocketIsRefused(t *testing.T) {
	t.Parallel()
	conn, _ := shakeHands(t, chatServer(t, nil), TLSInput{Name: site, ALPN: []string{"http/1.1"}})
	ws, x := WebSocket(within(t, patient), conn, app.UpgradeInput{Host: site, Path: "/elsewhere"}, true)
	if ws != nil || !x.OK() || x.HTTP.Status != http.StatusForbidden || x.HTTP.Proto != "http/1.1" {
		t.Errorf("%+v %+v", x, x.HTTP)
	}
	if _, err := conn.Write([]byte("x")); err == nil {
		t.Error("the connection is still open")
	}
	strange := speaking(t, func(c net.Conn) {
		s := tls.Server(c, serverConfig(good))
		if s.Handshake() == nil { //nolint:noctx // the test's own end
			_, _ = s.Write([]byte("220 mail.example ESMTP\r\n"))
		}
		_ = s.Close()
	})
	conn, _ = shakeHands(t, strange, TLSInput{Name: site, ALPN: []string{"http/1.1"}})
	if ws, x := WebSocket(within(t, patient), conn, app.UpgradeInput{Host: site, Path: "/"}, true); ws != nil || x.Failure != measurements.HTTPRequestFailed || x.HTTP.Status != 0 {
		t.Errorf("%+v %+v", x, x.HTTP)
	}
}

// A proof is looked for where it is wanted alone.
func TestProofInHeaders(t *testing.T) {
	h := http.Header{"X-Lc": {"404"}, "X-Signal-Timestamp": {"1"}}
	for _, c := range []struct {
		in     HTTPInput
		status int
		proved bool
	}{{HTTPInput{}, 0, false}, {HTTPInput{Speaks: measurements.LEGY}, 404, true}, {HTTPInput{ProofHeader: "x-signal-timestamp"}, 0, true}, {HTTPInput{ProofHeader: "x-other"}, 0, false}} {
		if status, proved := proof(c.in, h); status != c.status || proved != c.proved {
			t.Errorf("%+v: %d, %v", c.in, status, proved)
		}
	}
}

func TestSTUNStep(t *testing.T) {
	t.Parallel()
	server, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(app.ServeSTUN(b[:n], from.(*net.UDPAddr).AddrPort()), from)
		}
	}()
	ep := netip.MustParseAddrPort(server.LocalAddr().String())
	if o, mapped := (Host{}).STUN(within(t, patient), ep, site); !o.OK() || mapped != ep.Addr() || o.App.Proof != measurements.ProvedProtocol || o.Transport != "udp" || o.Sent == 0 || o.Sent%20 != 0 {
		t.Errorf("%+v %+v", o, o.App)
	}
	inBubble(t, func(t *testing.T) {
		answering := datagrams(func(b []byte) [][]byte { return [][]byte{app.ServeSTUN(b, nowhere)} })
		if o, mapped := onPipes(answering).STUN(within(t, patient), nowhere, site); !o.OK() || mapped != nowhere.Addr() || o.Sent != 20 {
			t.Errorf("in virtual time: %+v %+v", o, o.App)
		}
	})
	if o, mapped := (Host{}).STUN(within(t, patient), closed(t, "udp"), site); mapped.IsValid() || o.Failure != measurements.ConnectionRefused || o.App.Proof != "" {
		t.Errorf("a closed port: %+v", o)
	}
}

// The list of what is sent has every probe's messages, and nothing in them is this machine's.
func TestTape(t *testing.T) {
	all := Target{
		ID: "all", Hosts: []string{"chat.example.org"}, Ports: []uint16{443}, Path: "/chat", Subprotocol: "binary", Origin: "https://example.org", DC: 2,
		Probes: []Probe{ProbeHTTPS, ProbeH3, ProbeWSS, ProbeLEGY, ProbeMTProto, ProbeWhatsApp, ProbeSTUN},
	}
	var text strings.Builder
	seen := map[string]int{}
	for _, m := range Tape(t.Context(), all) {
		if len(m.Bytes) == 0 || len(m.Bytes) > 3000 {
			t.Errorf("%s: %d bytes", m.What, len(m.Bytes))
		}
		what, _, _ := strings.Cut(m.What, ",")
		seen[what]++
		text.Write(m.Bytes)
	}
	for what, want := range map[string]int{"ClientHello": 9, "QUIC Initial": 3, "request": 3, "request for a WebSocket": 1, "MTProto": 10, "WhatsApp's client hello (Noise)": 1, "STUN binding request (up to seven times)": 1, "DNS query over UDP": 2, "QUIC of an unknown version": 1} {
		if seen[what] < want {
			t.Errorf("%s: %d, want %d at least", what, seen[what], want)
		}
	}
	for _, part := range []string{"GET /chat HTTP/1.1\r\nHost: chat.example.org\r\n", "Sec-WebSocket-Protocol: binary", "Origin: https://example.org", "X-Lpv: 1", "WA\x06\x03"} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("%q is not in it", part)
		}
	}
}

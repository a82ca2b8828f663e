package probe

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/app"
)

// mostOnWire is what an app's first exchange may take, and segmentHeaders what ten segments of it add to what a
// connection counts: 20 bytes of TCP with 12 of options, and 40 of IPv6 (RFC 9293, RFC 7323, RFC 8200).
const mostOnWire, segmentHeaders = 3000, 10 * (20 + 12 + 40)

// long is far more than anybody's answer.
var long = strings.Repeat("x", 64<<10)

// small is an exchange with a peer who may say whatever he likes, and as much of it.
type small struct {
	name string
	peer func(net.Conn) // over TLS where tls is set
	tls  []string       // what the two agree on; none: the connection is bare
	ask  func(context.Context, net.Conn) measurements.Observation

	want   measurements.Failure
	status int   // of HTTP; 0: it is not looked at
	code   int32 // of a refusal
}

func (c *small) run(t *testing.T) {
	t.Parallel()
	var conn net.Conn
	if c.tls == nil {
		conn = connected(t, speaking(t, c.peer))
	} else {
		config := serverConfig(good, c.tls...)
		ep := speaking(t, func(raw net.Conn) { c.peer(tls.Server(raw, config)) })
		conn, _ = shakeHands(t, ep, TLSInput{Name: site, ALPN: c.tls})
	}
	o := c.ask(within(t, patient), conn)
	if o.Failure != c.want || c.status != 0 && (o.HTTP == nil || o.HTTP.Status != c.status) || c.code != 0 && (o.App == nil || o.App.Code != c.code) {
		t.Errorf("%s: %q, HTTP %+v, app %+v", c.name, o.Failure, o.HTTP, o.App)
	}
	if n := o.Sent + o.Received + segmentHeaders; n > mostOnWire || o.Sent == 0 {
		t.Errorf("%s: %d bytes on the wire, %d out and %d in", c.name, n, o.Sent, o.Received)
	}
}

// An app's own first exchange takes 3 kB on the wire at most, whoever answers, and whatever: what is not needed is not
// asked of the socket. A refusal is one also where there is no end to it.
func TestAppHandshakesAreSmall(t *testing.T) {
	t.Parallel()
	for _, c := range append(append(upgrades(), gateways()...), append(dataCentres(), chats()...)...) {
		t.Run(c.name, c.run)
	}
}

func upgrades() (out []small) {
	ask := func(ctx context.Context, c net.Conn) measurements.Observation {
		ws, o := WebSocket(ctx, c.(*tls.Conn), app.UpgradeInput{Host: site, Path: "/ws/chat", Origin: "https://" + site, Protocol: "binary"}, true)
		if ws != nil {
			_ = ws.Close()
		}
		return o
	}
	alpn := []string{"http/1.1"}
	for name, peer := range map[string]func(net.Conn){
		"with a page":              answers("HTTP/1.1 403 Forbidden\r\nContent-Length: 65536\r\n\r\n" + long),
		"with a long header":       answers("HTTP/1.1 403 Forbidden\r\n" + strings.Repeat("Content-Security-Policy: default-src 'self'\r\n", 1500) + "\r\n"),
		"with a field without end": answers("HTTP/1.1 403 Forbidden\r\nX: " + long),
		"with a reason":            answers("HTTP/1.1 403 " + long),
		"in a word":                answers("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
	} {
		out = append(out, small{name: "WebSocket refused " + name, tls: alpn, peer: peer, ask: ask, status: http.StatusForbidden})
	}
	return append(out,
		small{name: "WebSocket", tls: alpn, peer: upgrading(""), ask: ask, status: http.StatusSwitchingProtocols},
		small{name: "WebSocket behind a long header", tls: alpn, peer: answers("HTTP/1.1 101 Switching Protocols\r\nX: " + long), ask: ask, status: http.StatusSwitchingProtocols},
		small{name: "WebSocket of another protocol", tls: alpn, peer: answers(long), ask: ask, want: measurements.HTTPRequestFailed},
	)
}

func gateways() (out []small) {
	ask := func(ctx context.Context, c net.Conn) measurements.Observation {
		return HTTP(ctx, c, HTTPInput{Host: site, Path: "/", Verified: true, Speaks: measurements.LEGY, MaxBody: legyBody})
	}
	page := func(status int, header, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Lc", "404")
			if header != "" {
				w.Header().Set("X-Long", header)
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, proto := range []string{"h2", "http/1.1"} {
		for _, c := range []struct {
			name   string
			page   http.HandlerFunc
			status int
		}{
			{"answers", page(http.StatusOK, "", "ok"), http.StatusOK},
			{"answers at length", page(http.StatusOK, "", long), http.StatusOK},
			{"refuses", page(http.StatusForbidden, "", "no"), http.StatusForbidden},
			{"refuses at length", page(http.StatusForbidden, "", long), http.StatusForbidden},
			{"refuses with a header of a kilobyte", page(http.StatusForbidden, long[:1<<10], long), http.StatusForbidden},
			{"refuses with a long header", page(http.StatusForbidden, long, long), http.StatusForbidden},
		} {
			s := small{name: "LEGY over " + proto + " " + c.name, tls: []string{proto}, peer: serveOne(c.page, proto), ask: ask, status: c.status}
			if proto == "h2" && strings.HasSuffix(c.name, "long header") {
				s.want, s.status = measurements.HTTPRequestFailed, 0 // a frame that is not read to its end says nothing
			}
			out = append(out, s)
		}
	}
	return out
}

func dataCentres() (out []small) {
	telegram := testKeys()[0]
	for _, arm := range app.Transports {
		ask := func(ctx context.Context, c net.Conn) measurements.Observation {
			return MTProto(ctx, c, "", app.MTProtoInput{Transport: arm, Keys: []*rsa.PublicKey{&telegram.PublicKey}, DC: 1, Identity: true, Host: "192.0.2.1"})
		}
		serve := func(s app.MTProtoServer) func(net.Conn) { return func(c net.Conn) { _ = s.Serve(c) } }
		add := func(name string, peer func(net.Conn), want measurements.Failure, code int32) {
			out = append(out, small{name: fmt.Sprintf("MTProto %s %s", arm, name), peer: peer, ask: ask, want: want, code: code})
		}
		add("answers", serve(app.MTProtoServer{Key: telegram}), "", 0)
		add("refuses", serve(app.MTProtoServer{Key: telegram, Lie: app.LieRefusal}), measurements.AppRefused, -404)
		add("of a borrowed key", serve(app.MTProtoServer{Key: testKeys()[1], Named: &telegram.PublicKey, Lie: app.LieIdentity}), measurements.AppImposter, 0)
		add("that talks on and on", answers(long), measurements.AppNotSpoken, 0)
		add("that answers, and then talks on and on", endless(telegram), measurements.AppNotSpoken, 0)
		if arm == app.OverHTTP {
			add("refuses with a page", answers("HTTP/1.1 404 Not Found\r\nContent-Length: 65536\r\n\r\n"+long), measurements.AppRefused, -404)
			add("refuses with a long header", answers("HTTP/1.1 404 Not Found\r\nX: "+long), measurements.AppRefused, -404)
			add("is another's with a long header", answers("HTTP/1.1 302 Found\r\nX: "+long), measurements.AppNotSpoken, 0)
			add("takes it, with a long header", answers("HTTP/1.1 200 OK\r\nX: "+long), measurements.AppNotSpoken, 0)
			add("takes it, with a page", answers("HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n"+long), measurements.AppNotSpoken, 0)
		}
	}
	return out
}

func chats() (out []small) {
	_, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // never: crypto/rand
	}
	now := time.Now()
	server := app.NewWhatsAppServer(secret, now.Add(-time.Hour), now.Add(time.Hour))
	other := app.NewWhatsAppServer(secret, now.Add(-time.Hour), now.Add(time.Hour))
	other.Falsity = app.ForgedChain
	root := app.WhatsAppRootOf(secret)
	bare := func(ctx context.Context, c net.Conn) measurements.Observation { return WhatsApp(ctx, c, "", root) }
	inside := func(ctx context.Context, c net.Conn) measurements.Observation {
		ws, o := WebSocket(ctx, c.(*tls.Conn), app.UpgradeInput{Host: site, Path: "/ws/chat"}, true)
		if ws == nil {
			return o
		}
		return WhatsApp(ctx, ws, site, root)
	}
	telegram := testKeys()[0]
	web := func(ctx context.Context, c net.Conn) measurements.Observation {
		ws, o := WebSocket(ctx, c.(*tls.Conn), app.UpgradeInput{Host: site, Path: "/apiws", Protocol: "binary"}, true)
		if ws == nil {
			return o
		}
		return MTProto(ctx, ws, site, app.MTProtoInput{Transport: app.Obfuscated, Keys: []*rsa.PublicKey{&telegram.PublicKey}, DC: 1, Identity: true})
	}
	centre := func(c net.Conn) {
		if ws, err := app.AcceptWebSocket(c); err == nil {
			_ = (&app.MTProtoServer{Key: telegram}).Serve(ws)
		}
	}
	alpn := []string{"http/1.1"}
	return []small{
		{name: "MTProto in a WebSocket", tls: alpn, peer: centre, ask: web},
		{name: "MTProto in a WebSocket that pings", tls: alpn, peer: upgrading("\x89\x7d" + long[:125]), ask: web, want: measurements.AppNotSpoken},
		{name: "MTProto in a WebSocket that closes", tls: alpn, peer: upgrading("\x88\x02\x03\xf3"), ask: web, want: measurements.AppRefused, code: 1011},
		{name: "WhatsApp", peer: func(c net.Conn) { _ = server.Serve(c) }, ask: bare},
		{name: "WhatsApp with a forged chain", peer: func(c net.Conn) { _ = other.Serve(c) }, ask: bare, want: measurements.AppImposter},
		{name: "WhatsApp that talks on and on", peer: answers("\x00\x08\x00" + long), ask: bare, want: measurements.AppNotSpoken},
		{name: "WhatsApp that is a page", peer: answers("HTTP/1.1 403 Forbidden\r\n\r\n" + long), ask: bare, want: measurements.AppNotSpoken},
		{name: "WhatsApp in a WebSocket that closes", tls: alpn, peer: upgrading("\x88\x02\x03\xf3"), ask: inside, want: measurements.AppRefused, code: 1011},
		{name: "WhatsApp in a WebSocket", tls: alpn, peer: func(c net.Conn) { _ = server.Serve(c) }, ask: inside},
		{name: "WhatsApp in a WebSocket that pings", tls: alpn, peer: upgrading("\x89\x7d" + long[:125]), ask: inside, want: measurements.AppNotSpoken},
		{name: "WhatsApp in a WebSocket of empty messages", tls: alpn, peer: upgrading("\x82\x00"), ask: inside, want: measurements.AppNotSpoken},
		{name: "WhatsApp in a WebSocket with a long message", tls: alpn, peer: upgrading("\x82\x7e\x40\x00" + long[:1<<14]), ask: inside, want: measurements.AppNotSpoken},
	}
}

// A flood of datagrams costs no more, either.
func TestSTUNIsSmall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func([]byte) [][]byte
		want   measurements.Failure
	}{
		"a flood of small ones": {func([]byte) [][]byte { return repeat([]byte(long[:20]), 100) }, measurements.AppNotSpoken},
		"a flood of large ones": {func([]byte) [][]byte { return repeat([]byte(long[:1400]), 100) }, measurements.AppNotSpoken},
		"an answer":             {func(b []byte) [][]byte { return [][]byte{app.ServeSTUN(b, netip.MustParseAddrPort("192.0.2.9:9"))} }, ""},
	} {
		o, _ := (Host{}).STUN(within(t, patient), serveUDP(t, c.answer), site)
		const datagram = 40 + 8 // IPv6 and UDP (RFC 8200, RFC 768), for each that is counted, and a few
		if n := o.Sent + o.Received + 20*datagram; n > mostOnWire || o.Failure != c.want {
			t.Errorf("%s: %d bytes on the wire, %d out and %d in; %q", name, n, o.Sent, o.Received, o.Failure)
		}
	}
}

func repeat(b []byte, n int) (out [][]byte) {
	for range n {
		out = append(out, b)
	}
	return out
}

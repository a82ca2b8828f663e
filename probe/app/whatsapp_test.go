package app

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// chatRoot is that of the tests' internet.
var chatRoot = ed25519.NewKeyFromSeed([]byte("the root of the tests' internet!"))

// The dates of its certificates, and a time within.
var (
	chatFrom  = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	chatUntil = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	chatNow   = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
)

// chatInput is what a probe in the tests' internet is told.
func chatInput(overWebSocket bool) WhatsAppInput {
	in := WhatsAppInput{Root: WhatsAppRootOf(chatRoot), Now: chatNow}
	if overWebSocket {
		in.WebSocket = &UpgradeInput{Host: "web.example", Path: "/ws/chat", Origin: "https://web.example"}
	}
	return in
}

// chatWith shakes hands with a peer over an in-memory connection, whose client's end may be wrapped. It
// belongs into a bubble, and sees to it that the peer has ended.
func chatWith(t testing.TB, in WhatsAppInput, peer func(net.Conn), wrap func(net.Conn) net.Conn) (WhatsAppAnswer, error) {
	t.Helper()
	ours, theirs := net.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		peer(theirs)
		theirs.Close()
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn := ours
	if wrap != nil {
		conn = wrap(ours)
	}
	answer, err := WhatsApp(ctx, conn, in)
	ours.Close()
	<-ended
	return answer, err
}

// serving is a peer that is a server of ours, and fails the test where it fails.
func serving(t testing.TB, s *WhatsAppServer) func(net.Conn) {
	return func(conn net.Conn) {
		if err := s.Serve(conn); err != nil {
			t.Errorf("it served: %v", err)
		}
	}
}

// bothWays runs a test in a bubble, on the connection itself and over WebSocket.
func bothWays(t *testing.T, test func(t *testing.T, overWebSocket bool)) {
	for _, overWebSocket := range []bool{false, true} {
		name := "on the connection"
		if overWebSocket {
			name = "over WebSocket"
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, overWebSocket) })
		})
	}
}

// A true server is verified, for less than 3 kB both ways.
func TestWhatsApp(t *testing.T) {
	bothWays(t, func(t *testing.T, overWebSocket bool) {
		got, err := chatWith(t, chatInput(overWebSocket), serving(t, NewWhatsAppServer(chatRoot, chatFrom, chatUntil)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.Sent == 0 || got.Received == 0 || got.Sent+got.Received > 3000 {
			t.Errorf("sent %d, received %d bytes", got.Sent, got.Received)
		}
		got.Sent, got.Received = 0, 0
		if want := (WhatsAppAnswer{Verified: true, Signed: true, LeafSerial: leafSerial, IntermediateSerial: intermediateSerial, NotBefore: chatFrom, NotAfter: chatUntil}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// Another implementation's responder, with WhatsApp's departure from the standard put into it, is
// verified: nothing of our noise is on its side.
func TestInteropNoiseWhatsApp(t *testing.T) {
	bothWays(t, func(t *testing.T, overWebSocket bool) {
		chain := NewWhatsAppServer(chatRoot, chatFrom, chatUntil)
		peer := func(conn net.Conn) {
			if overWebSocket {
				w, err := AcceptWebSocket(conn)
				if err != nil {
					t.Error(err)
					return
				}
				conn = w
			}
			first, err := readClientHello(bufio.NewReader(conn))
			if err != nil {
				t.Error(err)
				return
			}
			r := responder(t, suiteOfWhatsApp, chain.static, whatsAppHeader)
			if _, _, _, err := r.ReadMessage(nil, first); err != nil {
				t.Error(err)
				return
			}
			b, _, _, err := r.WriteMessage(nil, chain.chain())
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = conn.Write(appendWhatsAppFrame(nil, appendHello(nil, fieldServerHello, split(b))))
		}
		if got, err := chatWith(t, chatInput(overWebSocket), peer, nil); err != nil || !got.Verified {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// Whoever is not WhatsApp is told from it, and a wrong clock from both.
func TestWhatsAppImposters(t *testing.T) {
	otherRoot := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	at := func(now time.Time) WhatsAppInput {
		in := chatInput(false)
		in.Now = now
		return in
	}
	dates := "not the app: its certificates hold from 2026-01-01T00:00:00Z to 2027-01-01T00:00:00Z"
	for _, c := range []struct {
		name    string
		falsity WhatsAppFalsity
		root    ed25519.PrivateKey
		in      WhatsAppInput
		want    string
		signed  bool
	}{
		{"the first second", "", chatRoot, at(chatFrom), "", true},
		{"the last second", "", chatRoot, at(chatUntil), "", true},

		{"a second too early", "", chatRoot, at(chatFrom.Add(-time.Second)), dates, true},
		{"a second too late", "", chatRoot, at(chatUntil.Add(time.Second)), dates, true},
		{"an expired chain", ExpiredChain, chatRoot, at(chatNow), "not the app: its certificates hold from 2025-01-01T00:00:00Z to 2025-12-31T23:59:59Z", true},

		{"another root", "", otherRoot, at(chatNow), "not the app: its intermediate certificate is not signed by the root", false},
		{"a forged chain", ForgedChain, chatRoot, at(chatNow), "not the app: its intermediate certificate is not signed by the root", false},
		{"a foreign leaf", ForeignLeaf, chatRoot, at(chatNow), "not the app: its leaf certificate is for another key", false},

		{"garbage", GarbageForHello, chatRoot, at(chatNow), "not the app's protocol: the frame holds no protobuf message", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, overWebSocket bool) {
				in := c.in
				in.WebSocket = chatInput(overWebSocket).WebSocket
				s := NewWhatsAppServer(c.root, chatFrom, chatUntil)
				s.Falsity = c.falsity
				got, err := chatWith(t, in, serving(t, s), nil)
				if said(err) != c.want || got.Signed != c.signed || got.Verified != (c.want == "") {
					t.Errorf("got %+v, %q, want %q", got, said(err), c.want)
				}
				if _, ok := errors.AsType[*Imposter](err); ok != strings.HasPrefix(c.want, "not the app:") {
					t.Errorf("got a %T", err)
				}
				if e, ok := errors.AsType[*NotSpoken](err); ok && len(e.FirstBytes) == 0 {
					t.Error("nothing kept of what came")
				}
			})
		})
	}
}

// A server that falls silent is a timeout when the context ends, neither earlier nor later.
func TestWhatsAppStalls(t *testing.T) {
	bothWays(t, func(t *testing.T, overWebSocket bool) {
		s := NewWhatsAppServer(chatRoot, chatFrom, chatUntil)
		s.Falsity = StallsAfterHello
		start := time.Now()
		got, err := chatWith(t, chatInput(overWebSocket), serving(t, s), nil)
		if !errors.Is(err, os.ErrDeadlineExceeded) || got.Received == 0 || time.Since(start) != 20*time.Second {
			t.Errorf("got %+v, %v after %v", got, err, time.Since(start))
		}
	})
}

// oneByte reads one byte at a time.
type oneByte struct {
	net.Conn
	r io.Reader
}

func (c oneByte) Read(p []byte) (int, error) { return c.r.Read(p) }

// Bytes that come one by one make no difference, on either side.
func TestWhatsAppByteByByte(t *testing.T) {
	bothWays(t, func(t *testing.T, overWebSocket bool) {
		slowly := func(conn net.Conn) net.Conn { return oneByte{conn, iotest.OneByteReader(conn)} }
		serve := serving(t, NewWhatsAppServer(chatRoot, chatFrom, chatUntil))
		if got, err := chatWith(t, chatInput(overWebSocket), func(conn net.Conn) { serve(slowly(conn)) }, slowly); err != nil || !got.Verified {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// Wherever a connection ends, that is the error: what came until then could have become an answer.
func TestWhatsAppCut(t *testing.T) {
	bothWays(t, func(t *testing.T, overWebSocket bool) {
		s := NewWhatsAppServer(chatRoot, chatFrom, chatUntil)
		serve := func(conn net.Conn) { _ = s.Serve(conn) }
		whole, err := chatWith(t, chatInput(overWebSocket), serve, nil)
		if err != nil {
			t.Fatal(err)
		}
		for n := range whole.Received {
			cut := func(conn net.Conn) net.Conn { return oneByte{conn, io.LimitReader(conn, int64(n))} }
			got, err := chatWith(t, chatInput(overWebSocket), serve, cut)
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) || n == 0 && !errors.Is(err, io.EOF) {
				t.Errorf("cut after %d of %d bytes: %v", n, whole.Received, err)
			}
			if got.Received != n || got.Verified || got.Signed {
				t.Errorf("cut after %d bytes: %+v", n, got)
			}
		}
	})
}

// again sends the same bytes for ever, after what comes before them, and reads whatever comes.
func again(before, bytes string) func(net.Conn) {
	return func(conn net.Conn) {
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		_, err := io.WriteString(conn, before)
		for err == nil {
			_, err = io.WriteString(conn, bytes)
		}
	}
}

// A peer that talks for ever is cut off within the bound.
func TestWhatsAppHostile(t *testing.T) {
	for _, c := range []struct{ name, before, bytes, want string }{
		{"frames of nothing", "", "\x00", "not the app's protocol: a frame of 0 bytes is no hello"},
		{"the longest frame", "", "\xff", "not the app's protocol: a frame of 16777215 bytes is no hello"},
		{"a frame just too long", "", "\x00\x08\x01", "not the app's protocol: a frame of 2049 bytes is no hello"},
		{"a frame as long as can be", "\x00\x08\x00", "\x08\x00", "not the app's protocol: no server hello in the message"},
		{"a page", "HTTP/1.1 403 Forbidden\r\n\r\n", "<p>", "not the app's protocol: a frame of 4740180 bytes is no hello"},
		{"a TLS alert", "\x15\x03\x01\x00\x02\x02\x28", "\x00", "not the app's protocol: a frame of 1377025 bytes is no hello"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, err := chatWith(t, chatInput(false), again(c.before, c.bytes), nil)
				if said(err) != c.want || got.Sent+got.Received > mostOfHandshake {
					t.Errorf("got %+v, %q, want %q", got, said(err), c.want)
				}
			})
		})
	}
}

// tooMuch is how the error begins that tells of too much, of whichever layer.
const tooMuch = "not the app's protocol: more than "

// The same over a WebSocket, where frames of its own could go on for ever.
func TestWhatsAppHostileWebSocket(t *testing.T) {
	for _, c := range []struct{ name, bytes, want string }{
		{"pings", "\x89\x00", tooMuch},
		{"pongs", "\x8a\x7d" + strings.Repeat("x", 125), tooMuch},
		{"empty messages", "\x82\x00", tooMuch},
		{"text", "\x81\x01x", "not the app's protocol: a WebSocket message that is not binary"},
		{"a long frame", "\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff" + strings.Repeat("\xff", 90), "not the app's protocol: a WebSocket frame whose length is not written in the shortest way"},
		{"closing", "\x88\x02\x03\xf3", "refused by the app's transport: code 1011"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var upgrading int // what HTTP takes
				peer := func(conn net.Conn) {
					counted := tapped(conn, mostOfRequest)
					w, err := AcceptWebSocket(counted)
					if err != nil {
						t.Error(err)
						return
					}
					upgrading = counted.sent + counted.received
					again("", c.bytes)(w.Conn)
				}
				got, err := chatWith(t, chatInput(true), peer, nil)
				if said(err) != c.want && !(c.want == tooMuch && strings.HasPrefix(said(err), tooMuch)) || got.Sent+got.Received-upgrading > mostOfHandshake+bufio.NewReader(nil).Size() {
					t.Errorf("got %+v (%d of HTTP), %q, want %q", got, upgrading, said(err), c.want)
				}
			})
		})
	}
}

// Pings that came together with the upgrade, and so are read already, are not answered without end.
func TestWhatsAppHostilePings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer := func(conn net.Conn) {
			request, err := http.ReadRequest(bufio.NewReader(conn))
			if err != nil {
				t.Error(err)
				return
			}
			go func() { _, _ = io.Copy(io.Discard, conn) }()
			_, err = io.WriteString(conn, switching+"Sec-WebSocket-Accept: "+acceptKey(request.Header.Get("Sec-WebSocket-Key"))+"\r\n\r\n"+strings.Repeat("\x89\x00", 4000))
			if err == nil {
				t.Error("it read everything")
			}
		}
		got, err := chatWith(t, chatInput(true), peer, nil)
		if said(err) != "not the app's protocol: more than a handshake takes" || got.Sent > mostOfHandshake+500 {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// A server that does not upgrade is told as one.
func TestWhatsAppNotUpgraded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := chatWith(t, chatInput(true), again("HTTP/1.1 400 Bad Request\r\nX: "+strings.Repeat("x", 9000)+"\r\n\r\n", "x"), nil)
		if e, ok := errors.AsType[*NotUpgraded](err); !ok || e.Status != 400 {
			t.Errorf("got %v", err)
		}
	})
}

// Our server refuses what no client of WhatsApp sends, at once.
func TestWhatsAppServerRefuses(t *testing.T) {
	hello := func(m second) string {
		return whatsAppHeader + string(appendWhatsAppFrame(nil, appendHello(nil, fieldClientHello, m)))
	}
	for _, c := range []struct{ name, sent, want string }{
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00", "not the app's protocol: no header of WhatsApp"},
		{"an older dictionary", "WA\x06\x02\x00\x00\x01x", "not the app's protocol: no header of WhatsApp"},
		{"a page's request", "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "not the app's protocol: a request that asks for no WebSocket"},
		{"a long frame", whatsAppHeader + "\xff\xff\xff", "not the app's protocol: a frame of 16777215 bytes is no hello"},
		{"no protobuf", whatsAppHeader + "\x00\x00\x01\x00", "not the app's protocol: no client hello in the message"},
		{"a short key", hello(second{ephemeral: make([]byte, 31)}), "not the app's protocol: no client hello in the message"},
		{"a key of low order", hello(second{ephemeral: make([]byte, 32)}), "not the app's protocol: a client hello with a key that nobody has"},
		{"nothing", "", "EOF"},
		{"a frame cut short", whatsAppHeader + "\x00\x00\x24\x12", "unexpected EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				go func() {
					defer ours.Close()
					_, _ = io.WriteString(ours, c.sent)
					_ = ours.SetReadDeadline(time.Now().Add(time.Second))
					_, _ = io.Copy(io.Discard, ours)
				}()
				if err := NewWhatsAppServer(chatRoot, chatFrom, chatUntil).Serve(theirs); said(err) != c.want {
					t.Errorf("got %q, want %q", said(err), c.want)
				}
				theirs.Close()
			})
		})
	}
}

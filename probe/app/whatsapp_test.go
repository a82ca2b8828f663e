package app_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/probe/app"
)

// chat gives a chat server whose certificates hold now, and the root to believe.
func chat(t *testing.T, lie app.WhatsAppLie) (*app.WhatsAppServer, [32]byte) {
	t.Helper()
	public, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	return &app.WhatsAppServer{Root: secret, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), Lie: lie}, app.WhatsAppRootOf(public)
}

// greet makes one handshake, on the connection itself or inside a WebSocket.
func greet(t *testing.T, s *app.WhatsAppServer, in app.WhatsAppInput) (app.WhatsAppAnswer, error) {
	t.Helper()
	near, far := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer far.Close()
		if in.WebSocket == nil {
			_ = s.Serve(far)
		} else if ws, err := app.AcceptWebSocket(far); err == nil {
			_ = s.Serve(ws)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got, err := app.WhatsApp(ctx, near, in)
	_ = near.Close()
	<-done
	return got, err
}

// A server that lies in any way is not believed, and one that does not is.
func TestWhatsAppLies(t *testing.T) {
	for _, test := range []struct {
		name  string
		lie   app.WhatsAppLie
		later time.Duration
		wrong func(error) bool
	}{
		{"honest", "", 0, nil},
		{"a root of its own", app.LieRoot, 0, isImposter},
		{"a borrowed chain", app.LieStatic, 0, isImposter},
		{"expired", "", 48 * time.Hour, isImposter},
		{"not yet", "", -48 * time.Hour, isImposter},
		{"garbage", app.LieGarbage, 0, func(err error) bool { _, ok := errors.AsType[*app.NotSpoken](err); return ok }},
		{"mute", app.LieMute, 0, func(err error) bool { n, ok := errors.AsType[net.Error](err); return ok && n.Timeout() }},
	} {
		for wrapped, ws := range map[string]*app.UpgradeInput{"raw": nil, "websocket": {Host: "web.whatsapp.example", Path: "/ws/chat", Origin: "https://web.whatsapp.example"}} {
			t.Run(test.name+"/"+wrapped, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, root := chat(t, test.lie)
					got, err := greet(t, s, app.WhatsAppInput{WebSocket: ws, Root: root, Now: time.Now().Add(test.later)})
					if (test.wrong == nil) != (err == nil) || test.wrong != nil && !test.wrong(err) || got.Verified != (err == nil) {
						t.Errorf("%+v, %v", got, err)
					}
					if got.Signed != (test.lie == "") {
						t.Errorf("signed: %v", got.Signed)
					}
					if got.Sent+got.Received > 3000 || got.Sent == 0 {
						t.Errorf("%d bytes out, %d in", got.Sent, got.Received)
					}
				})
			})
		}
	}
}

// What a server sends may end anywhere; the error says so.
func TestWhatsAppBrokenOff(t *testing.T) {
	for n := 0; n < 340; n += 7 {
		synctest.Test(t, func(t *testing.T) {
			s, root := chat(t, "")
			near, far := net.Pipe()
			go func() { _ = s.Serve(&scissors{Conn: far, left: n}); _ = far.Close() }()
			_, err := app.WhatsApp(t.Context(), near, app.WhatsAppInput{Root: root, Now: time.Now()})
			_ = near.Close()
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("after %d bytes: %v", n, err)
			}
		})
	}
}

// Whatever comes, the handshake ends, reads little and never believes.
func FuzzWhatsApp(f *testing.F) {
	f.Add([]byte("\x00\x00\x04\x1a\x02\x0a\x00"), false)
	f.Add(bytes.Repeat([]byte{0xff}, 5000), false)
	f.Add([]byte("HTTP/1.1 101 Switching Protocols\r\n\r\n"), true)
	f.Fuzz(func(t *testing.T, in []byte, inside bool) {
		var ws *app.UpgradeInput
		if inside {
			ws = &app.UpgradeInput{Host: "a.example", Path: "/"}
		}
		got, err := app.WhatsApp(t.Context(), &peer{in: bytes.NewReader(in)}, app.WhatsAppInput{WebSocket: ws, Root: app.WhatsAppRoot, Now: time.Now()})
		if err == nil || got.Verified || got.Signed || got.Received > 80<<10 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// A server takes whatever a client sends.
func FuzzWhatsAppServer(f *testing.F) {
	f.Add([]byte("WA\x06\x03\x00\x00\x24\x12\x22\x0a\x20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"))
	_, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(_ *testing.T, in []byte) {
		s := app.WhatsAppServer{Root: secret, NotAfter: time.Now().Add(time.Hour)}
		_ = s.Serve(&peer{in: bytes.NewReader(in)})
	})
}

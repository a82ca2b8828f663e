package app_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/gotd/td/exchange"
	"github.com/gotd/td/transport"

	"github.com/telltale-probe/telltale/probe/app"
)

// newKey makes a key as large as Telegram's.
func newKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// gotd serves with the exchange of gotd/td over loopback, and gives its address.
func gotd(t *testing.T, key *rsa.PrivateKey, dc int, obfuscated bool) string {
	t.Helper()
	inner, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if obfuscated {
		inner = transport.ObfuscatedListener(inner)
	}
	l := transport.Listen(inner)
	t.Cleanup(func() { _ = l.Close() })
	serveGotd(l, key, dc)
	return l.Addr().String()
}

// serveGotd makes gotd's side of the exchange on whatever a listener accepts, until it closes.
func serveGotd(l transport.Listener, key *rsa.PrivateKey, dc int) {
	go func() {
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go func() {
					defer conn.Close()
					_, _ = exchange.NewExchanger(conn, dc).WithTimeout(time.Minute).Server(exchange.PrivateKey{RSA: key}).Run(context.Background()) // we end in the middle of it
				}()
			}
		}
	}()
}

func ask(t *testing.T, at string, in app.MTProtoInput) (app.MTProtoAnswer, error) {
	t.Helper()
	return asked(t, at, func(ctx context.Context, conn net.Conn) (app.MTProtoAnswer, error) { return app.MTProto(ctx, conn, in) })
}

func asked(t *testing.T, at string, question func(context.Context, net.Conn) (app.MTProtoAnswer, error)) (app.MTProtoAnswer, error) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return question(ctx, conn)
}

// The exchange with somebody else's server, in every transport, in a WebSocket and in the bodies of HTTP.
func TestInteropMTProto(t *testing.T) {
	t.Parallel()
	key, other := newKey(t), newKey(t)
	plain := func(t *testing.T) string { return gotd(t, key, 2, false) }
	for name, c := range map[string]struct {
		transport app.Transport
		serve     func(*testing.T) string
		ask       func(*testing.T, string, app.MTProtoInput) (app.MTProtoAnswer, error)
	}{
		"abridged":            {app.Abridged, plain, ask},
		"intermediate":        {app.Intermediate, plain, ask},
		"padded intermediate": {app.PaddedIntermediate, plain, ask},
		"obfuscated":          {app.Obfuscated, func(t *testing.T) string { return gotd(t, key, 2, true) }, ask},
		"WebSocket":           {app.Obfuscated, func(t *testing.T) string { return gotdWebSocket(t, key, 2) }, askWebSocket},
		"HTTP":                {app.OverHTTP, func(t *testing.T) string { return gotdHTTP(t, key, 2) }, ask},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := c.serve(t)
			in := app.MTProtoInput{Transport: c.transport, Keys: []*rsa.PublicKey{&other.PublicKey, &key.PublicKey}, DC: 2, Identity: true, Host: "127.0.0.1"}
			got, err := c.ask(t, at, in)
			for range 3 { // gotd hashes nonces as numbers: one in 128 exchanges loses a leading zero there
				if isImposter(err) {
					got, err = c.ask(t, at, in)
				}
			}
			if err != nil || !got.Nonce || !got.Identity || got.Fingerprint != fmt.Sprintf("%016x", app.Fingerprint(&key.PublicKey)) {
				t.Errorf("%+v, %v", got, err)
			}
			if d := time.Since(got.ServerTime).Abs(); d > time.Minute {
				t.Errorf("the server's clock is off by %v", d)
			}
			if got.Sent+got.Received > 3000 || got.Sent == 0 || got.Received == 0 {
				t.Errorf("%d bytes out, %d in", got.Sent, got.Received)
			}
			in.Identity = false
			if got, err = c.ask(t, at, in); err != nil || got.Identity || !got.Nonce {
				t.Errorf("without the proof of identity: %+v, %v", got, err)
			}
			in.Keys = in.Keys[:1]
			if got, err = c.ask(t, at, in); !isImposter(err) || got.Fingerprint != "" || got.Fingerprints != 1 {
				t.Errorf("with a key that we don't know: %+v, %v", got, err)
			}
		})
	}
}

func isImposter(err error) bool { _, ok := errors.AsType[*app.Imposter](err); return ok }

// Keys that others have computed the fingerprints of.
func TestInteropFingerprint(t *testing.T) {
	key := newKey(t)
	if got, want := app.Fingerprint(&key.PublicKey), uint64(exchange.PublicKey{RSA: &key.PublicKey}.Fingerprint()); got != want {
		t.Errorf("%x, want %x", got, want)
	}
}

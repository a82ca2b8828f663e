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
	go func() {
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go func() {
					defer conn.Close()
					_, _ = exchange.NewExchanger(conn, dc).WithTimeout(5 * time.Second).Server(exchange.PrivateKey{RSA: key}).Run(context.Background()) // we end in the middle of it
				}()
			}
		}
	}()
	return l.Addr().String()
}

func ask(t *testing.T, at string, in app.MTProtoInput) (app.MTProtoAnswer, error) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return app.MTProto(ctx, conn, in)
}

// The exchange with somebody else's server, in every transport that it has.
func TestInteropMTProto(t *testing.T) {
	t.Parallel()
	key, other := newKey(t), newKey(t)
	for _, transport := range []app.Transport{app.Abridged, app.Intermediate, app.PaddedIntermediate, app.Obfuscated} {
		t.Run(string(transport), func(t *testing.T) {
			t.Parallel()
			at := gotd(t, key, 2, transport == app.Obfuscated)
			in := app.MTProtoInput{Transport: transport, Keys: []*rsa.PublicKey{&other.PublicKey, &key.PublicKey}, DC: 2, Identity: true}
			got, err := ask(t, at, in)
			for range 3 { // gotd hashes nonces as numbers: one in 128 exchanges loses a leading zero there
				if isImposter(err) {
					got, err = ask(t, at, in)
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
			if got, err = ask(t, at, in); err != nil || got.Identity || !got.Nonce {
				t.Errorf("without the proof of identity: %+v, %v", got, err)
			}
			in.Keys = in.Keys[:1]
			if got, err = ask(t, at, in); !isImposter(err) || got.Fingerprint != "" || got.Fingerprints != 1 {
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

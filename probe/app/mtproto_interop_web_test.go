package app_test

import (
	"context"
	"crypto/rsa"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/exchange"
	"github.com/gotd/td/transport"

	"github.com/telltale-probe/telltale/probe/app"
)

// gotdWebSocket serves gotd's WebSocket door, with its obfuscation inside, over loopback.
func gotdWebSocket(t *testing.T, key *rsa.PrivateKey, dc int) string {
	t.Helper()
	inner, door := transport.WebsocketListener(&net.TCPAddr{})
	mux := http.NewServeMux()
	mux.Handle("/apiws", door)
	server := httptest.NewServer(mux)
	l := transport.Listen(inner)
	t.Cleanup(func() {
		_ = l.Close()
		server.Close()
	})
	serveGotd(l, key, dc)
	return server.Listener.Addr().String()
}

// askWebSocket asks for a WebSocket, and in it for the exchange.
func askWebSocket(t *testing.T, at string, in app.MTProtoInput) (app.MTProtoAnswer, error) {
	t.Helper()
	return asked(t, at, func(ctx context.Context, conn net.Conn) (app.MTProtoAnswer, error) {
		ws, err := app.Upgrade(ctx, conn, app.UpgradeInput{Host: "localhost", Path: "/apiws", Protocol: "binary"})
		if err != nil {
			t.Fatal(err)
		}
		in.Transport = app.Obfuscated
		return app.MTProto(ctx, ws, in)
	})
}

// posted is one connection of gotd's over HTTP: a body that is posted is what it receives, and what it sends is the
// answer to that. gotd has no such transport; its exchange does not mind.
type posted struct {
	in, out chan []byte
	closed  chan struct{}
	once    sync.Once
}

func newPosted() *posted {
	return &posted{in: make(chan []byte), out: make(chan []byte), closed: make(chan struct{})}
}

func (p *posted) Recv(ctx context.Context, b *bin.Buffer) error {
	select {
	case body := <-p.in:
		b.ResetTo(body)
		return nil
	case <-p.closed:
		return net.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *posted) Send(ctx context.Context, b *bin.Buffer) error {
	select {
	case p.out <- append([]byte(nil), b.Raw()...):
		return nil
	case <-p.closed:
		return net.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *posted) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *posted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/api" {
		http.NotFound(w, r)
		return
	}
	select {
	case p.in <- body:
	case <-p.closed:
		return
	}
	select {
	case answer := <-p.out:
		_, _ = w.Write(answer)
	case <-p.closed:
	}
}

// gotdHTTP serves gotd's exchange in the bodies of HTTP, an exchange for each connection.
func gotdHTTP(t *testing.T, key *rsa.PrivateKey, dc int) string {
	t.Helper()
	type connection struct{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Context().Value(connection{}).(*posted).ServeHTTP(w, r)
	}))
	var conns sync.Map
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		p := newPosted()
		conns.Store(c, p)
		go func() {
			defer p.Close()
			_, _ = exchange.NewExchanger(p, dc).WithTimeout(time.Minute).Server(exchange.PrivateKey{RSA: key}).Run(context.Background())
		}()
		return context.WithValue(ctx, connection{}, p)
	}
	server.Config.ConnState = func(c net.Conn, s http.ConnState) {
		if p, ok := conns.Load(c); ok && s == http.StateClosed {
			_ = p.(*posted).Close()
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// An answer over HTTP that is none of MTProto's is no MTProto, whoever's server says it.
func TestInteropMTProtoOverHTTPElsewhere(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>It works!</html>") }))
	defer server.Close()
	_, err := ask(t, server.Listener.Addr().String(), app.MTProtoInput{Transport: app.OverHTTP, Host: "127.0.0.1"})
	if _, ok := errors.AsType[*app.NotSpoken](err); !ok {
		t.Errorf("got %v", err)
	}
}

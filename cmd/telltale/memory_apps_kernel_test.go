package main

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/telltale-probe/telltale/probe/app"
)

// appSecrets are keys of this world's own: nobody has those of the real apps.
type appSecrets struct {
	telegram *rsa.PrivateKey
	whatsapp ed25519.PrivateKey
}

func (w *builtinWorld) makeSecrets() {
	w.t.Helper()
	var err error
	if w.secrets.telegram, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		w.t.Fatal(err)
	}
	if _, w.secrets.whatsapp, err = ed25519.GenerateKey(rand.Reader); err != nil {
		w.t.Fatal(err)
	}
}

var (
	anyKeys = regexp.MustCompile(`(?s)mtproto_keys = """.*?"""`)
	anyRoot = regexp.MustCompile(`noise_root = "[0-9a-f]+"`)
)

// catalogues writes the built-in catalogues of the apps that have keys, with this world's in their place, and
// gives the paths.
func (w *builtinWorld) catalogues() (paths []string) {
	w.t.Helper()
	public := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&w.secrets.telegram.PublicKey)})
	root := app.WhatsAppRootOf(w.secrets.whatsapp)
	for _, name := range []string{"telegram.toml", "whatsapp.toml"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "config", "catalogue", name))
		if err != nil {
			w.t.Fatal(err)
		}
		text = anyKeys.ReplaceAll(text, []byte(`mtproto_keys = """`+"\n"+string(public)+`"""`))
		text = anyRoot.ReplaceAll(text, []byte(`noise_root = "`+hex.EncodeToString(root[:])+`"`))
		paths = append(paths, w.write(name, string(text)))
	}
	return paths
}

// speakMTProto and speakWhatsApp are the apps' servers.
func (w *builtinWorld) speakMTProto(c net.Conn) {
	s := app.MTProtoServer{Key: w.secrets.telegram}
	_ = s.Serve(c) // the prober ends where it likes
}

func (w *builtinWorld) speakWhatsApp(c net.Conn) {
	s := app.NewWhatsAppServer(w.secrets.whatsapp, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	_ = s.Serve(c)
}

// webSocket serves a WebSocket, if one is asked for.
func (w *builtinWorld) webSocket(out http.ResponseWriter, r *http.Request) bool {
	if r.ProtoMajor != 1 || r.Header.Get("Upgrade") == "" {
		return false
	}
	conn, buffered, err := http.NewResponseController(out).Hijack()
	if err != nil {
		return true
	}
	defer conn.Close()
	ws, err := app.TakeWebSocket(conn, buffered.Reader, r)
	if err != nil {
		return true
	}
	if r.URL.Path == "/ws/chat" {
		w.speakWhatsApp(ws)
	} else {
		w.speakMTProto(ws)
	}
	return true
}

// sorted is a port on which two protocols are spoken: what begins as one of the second's goes to other, the
// rest is accepted as usual.
type sorted struct {
	net.Listener
	other func(net.Conn)
	ours  func(first byte) bool
	in    chan net.Conn
	done  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup
}

func sortOut(l net.Listener, ours func(first byte) bool, other func(net.Conn)) *sorted {
	s := &sorted{Listener: l, other: other, ours: ours, in: make(chan net.Conn), done: make(chan struct{})}
	s.wg.Go(s.run)
	return s
}

func (s *sorted) run() {
	for {
		c, err := s.Listener.Accept()
		if err != nil {
			s.once.Do(func() { close(s.done) })
			return
		}
		s.wg.Go(func() {
			_ = c.SetReadDeadline(time.Now().Add(time.Minute))
			in := bufio.NewReader(c)
			first, err := in.Peek(1)
			_ = c.SetReadDeadline(time.Time{})
			if err != nil {
				_ = c.Close()
				return
			}
			peeked := &peekedConn{Conn: c, in: in}
			if !s.ours(first[0]) {
				s.other(peeked)
				_ = c.Close()
				return
			}
			select {
			case s.in <- peeked:
			case <-s.done:
				_ = c.Close()
			}
		})
	}
}

// Accept gives the next connection of the usual protocol.
func (s *sorted) Accept() (net.Conn, error) {
	select {
	case c := <-s.in:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

type peekedConn struct {
	net.Conn
	in *bufio.Reader
}

func (c *peekedConn) Read(b []byte) (int, error) { return c.in.Read(b) }

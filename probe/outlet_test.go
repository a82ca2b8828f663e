package probe

import (
	"encoding/binary"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func outletGet(t *testing.T, o Outlet, address string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := o.Transport().RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// A receiver proves itself by the bundle or by the configured roots.
func TestOutletVerifies(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("here")) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that fails
	server.StartTLS()
	defer server.Close()
	if _, err := outletGet(t, Outlet{}, server.URL); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("a stranger's certificate: %v", err)
	}
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if got, err := outletGet(t, Outlet{Roots: own}, server.URL); got != "here" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// Errors name no address.
func TestOutletErrors(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	if _, err := outletGet(t, Outlet{}, server.URL); err != nil {
		t.Errorf("%v", err)
	}
	_, err := outletGet(t, Outlet{}, "http://"+closed(t, "tcp").String())
	if err == nil || strings.Contains(err.Error(), "127.0.0.1") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
	for text, want := range map[string]string{
		"read tcp 10.0.0.7:4000->198.51.100.1:443: reset":           "read tcp [scrubbed]->[scrubbed]:443: reset",
		"lookup x.example on 192.168.1.1:53: no such host":          "lookup x.example on [scrubbed]:53: no such host",
		"your address [2001:db8::7] may not write, client 10.9.8.7": "your address [[scrubbed]] may not write, client [scrubbed]",
	} {
		if got := ScrubAll(text); got != want {
			t.Errorf("%q", got)
		}
	}
}

// Through a SOCKS proxy (RFC 1928), such as Tor's, also the name goes: nobody here is asked for it.
func TestOutletThroughSOCKS(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.Host)) }))
	defer server.Close()
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = proxy.Close() }()
	asked := make(chan string, 1)
	go func() {
		conn, err := proxy.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		var head [5]byte
		_, _ = io.ReadFull(conn, head[:2])
		_, _ = io.CopyN(io.Discard, conn, int64(head[1])) // its methods
		_, _ = conn.Write([]byte{5, 0})
		_, _ = io.ReadFull(conn, head[:])
		rest := make([]byte, int(head[4])+2)
		_, _ = io.ReadFull(conn, rest)
		name := string(rest[:head[4]])
		asked <- net.JoinHostPort(name, map[bool]string{true: "80"}[binary.BigEndian.Uint16(rest[head[4]:]) == 80])
		_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		out, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			return
		}
		defer func() { _ = out.Close() }()
		go func() { _, _ = io.Copy(out, conn) }()
		_, _ = io.Copy(conn, out)
	}()
	through, err := url.Parse("socks5://" + proxy.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	const name = "receiverreceiverreceiver.onion"
	if got, err := outletGet(t, Outlet{Proxy: through}, "http://"+name+"/"); got != name || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	if got := <-asked; got != name+":80" {
		t.Errorf("the proxy was asked for %q", got)
	}
}

package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The volunteer's own machine may have the evidence, and nobody else, unless he is known.
func TestWhoIsLetIn(t *testing.T) {
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "web.yml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	password := write("basic_auth_users:\n  vera: " + bcryptOfSecret(t) + "\n")
	noUsers := write("basic_auth_users: {}\nhttp_server_config:\n  http2: true\n")
	broken := write("basic_auth_users:\n  vera: x\nno_such_key: 1\n")
	home, lan := net.IPv4(127, 0, 0, 1), net.IPv4(192, 168, 1, 7)
	proved := &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{}}}}
	for _, tt := range []struct {
		name    string
		local   net.IP
		remote  string
		config  string
		tls     *tls.ConnectionState
		headers []string
		in      bool
	}{
		{"this machine", home, "127.0.0.1:4", "", nil, nil, true},
		{"this machine over IPv6", net.IPv6loopback, "[::1]:4", "", nil, nil, true},
		{"this machine, by a browser", home, "127.0.0.1:4", "", nil, []string{"Sec-Fetch-Site", "none"}, true},
		{"another web site in its browser", home, "127.0.0.1:4", "", nil, []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"another port in its browser", home, "127.0.0.1:4", "", nil, []string{"Sec-Fetch-Site", "same-site"}, false},
		{"a proxy for somebody", home, "127.0.0.1:4", "", nil, []string{"X-Forwarded-For", "192.0.2.1"}, false},
		{"a proxy of today", home, "127.0.0.1:4", "", nil, []string{"Forwarded", "for=192.0.2.1"}, false},
		{"a proxy that says only its name", home, "127.0.0.1:4", "", nil, []string{"Via", "1.1 proxy"}, false},
		{"this machine by its address on the network", lan, "192.168.1.7:4", "", nil, nil, false},
		{"the network", lan, "192.168.1.8:4", "", nil, nil, false},
		{"the network, with a password that nobody checked", lan, "192.168.1.8:4", "", nil, []string{"Authorization", "Basic dmVyYTpzZWNyZXQ="}, false},
		{"the network, with a password", lan, "192.168.1.8:4", password, nil, nil, true},
		{"a proxy, with a password", home, "127.0.0.1:4", password, nil, []string{"Via", "1.1 proxy"}, true},
		{"the network, a config without users", lan, "192.168.1.8:4", noUsers, nil, nil, false},
		{"the network, a config that is broken", lan, "192.168.1.8:4", broken, nil, nil, false},
		{"the network, a config that is gone", lan, "192.168.1.8:4", "/nowhere/web.yml", nil, nil, false},
		{"the network, by TLS", lan, "192.168.1.8:4", "", &tls.ConnectionState{}, nil, false},
		{"the network, by a client's certificate", lan, "192.168.1.8:4", "", proved, nil, true},
		{"an address from nowhere", home, "@", "", nil, nil, false},
	} {
		c := config()
		c.WebConfigFile = tt.config
		r := httptest.NewRequest("GET", MeasurementsPath, nil)
		r.RemoteAddr, r.TLS = tt.remote, tt.tls
		for i := 0; i < len(tt.headers); i += 2 {
			r.Header.Set(tt.headers[i], tt.headers[i+1])
		}
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: tt.local, Port: 9877}))
		if in := New(c).letIn(r); in != tt.in {
			t.Errorf("%s: let in %v", tt.name, in)
		}
	}
	if New(config()).letIn(httptest.NewRequest("GET", "/", nil)) {
		t.Error("without a word from the server somebody was let in")
	}
}

// What is refused to the network is told with how to let somebody in; a password does, and the page and the
// metrics stay as they were.
func TestEvidenceOnTheNetwork(t *testing.T) {
	s, _ := kept(t)
	for _, tt := range []struct {
		webConfig, password string
		code                int
		body                string
	}{
		{"", "", 403, "basic_auth_users"},
		{"", "secret", 403, "basic_auth_users"},
		{"basic_auth_users:\n  vera: " + bcryptOfSecret(t) + "\n", "", 401, ""},
		{"basic_auth_users:\n  vera: " + bcryptOfSecret(t) + "\n", "wrong", 401, ""},
		{"basic_auth_users:\n  vera: " + bcryptOfSecret(t) + "\n", "secret", 200, "telltale_telegram"},
	} {
		c := config()
		c.Evidence = s
		if tt.webConfig != "" {
			c.WebConfigFile = filepath.Join(t.TempDir(), "web.yml")
			if err := os.WriteFile(c.WebConfigFile, []byte(tt.webConfig), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		client, stop := onNetwork(t, New(c))
		r, err := http.NewRequest("GET", "http://telltale.example"+MeasurementsPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.password != "" {
			r.SetBasicAuth("vera", tt.password)
		}
		if code, body := done(t, client, r); code != tt.code || !strings.Contains(body, tt.body) {
			t.Errorf("%q, password %q: %d %.300s", tt.webConfig, tt.password, code, body)
		}
		if r.URL.Path = "/metrics"; tt.webConfig == "" {
			if code, body := done(t, client, r); code != http.StatusOK {
				t.Errorf("the metrics are refused, too: %d %s", code, body)
			}
		}
		stop()
	}
}

// done makes a request.
func done(t *testing.T, client *http.Client, r *http.Request) (code int, body string) {
	t.Helper()
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

// network is a listener in memory whose clients are elsewhere.
type network struct {
	conns chan net.Conn
	done  chan struct{}
	local net.IP
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.done:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error {
	select {
	case <-n.done:
	default:
		close(n.done)
	}
	return nil
}

func (n *network) Addr() net.Addr { return &net.TCPAddr{IP: n.local, Port: 9877} }

// wired is a connection with addresses.
type wired struct {
	net.Conn
	at *network
}

func (w wired) LocalAddr() net.Addr  { return w.at.Addr() }
func (w wired) RemoteAddr() net.Addr { return &net.TCPAddr{IP: w.at.local, Port: 40000} }

func (n *network) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	n.conns <- wired{theirs, n}
	return ours, nil
}

// onNetwork serves at an address that is not loopback, and gives a client elsewhere.
func onNetwork(t *testing.T, server *Server) (client *http.Client, stop func()) {
	t.Helper()
	return serve(t, server, net.IPv4(192, 0, 2, 7))
}

func serve(t *testing.T, server *Server, local net.IP) (client *http.Client, stop func()) {
	t.Helper()
	n := &network{make(chan net.Conn), make(chan struct{}), local}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, n) }()
	transport := &http.Transport{DialContext: n.dial}
	return &http.Client{Transport: transport}, func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

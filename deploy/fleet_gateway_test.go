package deploy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements/delivery"
	"github.com/telltale-probe/telltale/probe"
)

// token is the one of gateway/tokens.map.
const token = "00000000000000000000000000000000000000000000000000000000000000aa"

// gateway is nginx with the configuration that we ship, on loopback.
type gateway struct {
	t       *testing.T
	program string
	config  string
	address string
	roots   []byte // PEM
	running *exec.Cmd
}

// newGateway starts one that brings metrics and evidence to receivers, by receivers/*.conf of these names.
func newGateway(t *testing.T, metrics, metricsAt, evidence, evidenceAt string) *gateway {
	t.Helper()
	g := &gateway{t: t, program: tool(t, "nginx"), address: free(t)}
	dir := filepath.Join(t.TempDir(), "gateway")
	if err := os.CopyFS(dir, os.DirFS("fleet/gateway")); err != nil {
		t.Fatal(err)
	}
	g.config = filepath.Join(dir, "nginx.conf")
	text, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	g.roots = certificate(t, dir)
	shipped := changed(t, string(text),
		"listen 443 ssl;", "listen "+g.address+" ssl;", "/etc/nginx/telltale/tls", filepath.Join(dir, "tls"),
		"server 127.0.0.1:8480;", "server "+metricsAt+";", "server 127.0.0.1:8123;", "server "+evidenceAt+";",
		"include receivers/victoriametrics.conf;", "include receivers/"+metrics+".conf;", "include receivers/clickhouse.conf;", "include receivers/"+evidence+".conf;",
		"pid /run/nginx-telltale.pid;", "pid "+filepath.Join(dir, "pid")+";",
	)
	if os.Getuid() != 0 { // the package's folders are not ours
		shipped = strings.Replace(shipped, "http {", "http { client_body_temp_path "+dir+"/body; proxy_temp_path "+dir+"/proxy;", 1)
	}
	if err := os.WriteFile(g.config, []byte(shipped), 0o600); err != nil {
		t.Fatal(err)
	}
	g.start()
	t.Cleanup(g.stop)
	return g
}

// changed is a file that we ship with one text for another, pair by pair, each of which must be there.
func changed(t *testing.T, shipped string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == "" || !strings.Contains(shipped, pairs[i]) {
			t.Fatalf("what we ship has no %q", pairs[i])
		}
		shipped = strings.ReplaceAll(shipped, pairs[i], pairs[i+1])
	}
	return shipped
}

func (g *gateway) start() {
	g.t.Helper()
	g.running = exec.Command(g.program, "-c", g.config, "-p", filepath.Dir(g.config), "-g", "daemon off;")
	said := &output{}
	g.running.Stdout, g.running.Stderr = said, said
	if err := g.running.Start(); err != nil {
		g.t.Fatal(err)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if conn, err := net.Dial("tcp", g.address); err == nil {
			_ = conn.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	g.stop()
	g.t.Fatalf("nginx does not listen:\n%s", said.tail())
}

// stop ends the master, which ends its workers.
func (g *gateway) stop() {
	if g.running != nil {
		_ = g.running.Process.Signal(syscall.SIGTERM)
		_ = g.running.Wait()
		g.running = nil
	}
}

// post is the way of a vantage point to a path of the gateway, as the daemon makes it.
func (g *gateway) post(path, bearer string) *delivery.Post {
	client := delivery.NewClient(probe.Outlet{Roots: g.roots}.Transport())
	return &delivery.Post{Client: client, URL: &url.URL{Scheme: "https", Host: g.address, Path: path}, Bearer: bearer, UserAgent: "telltale/test", Scrub: strings.TrimSpace}
}

// certificate makes one for loopback, signed by itself, as dir/tls.crt and tls.key.
func certificate(t *testing.T, dir string) (roots []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	roots = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, data := range map[string][]byte{"tls.crt": roots, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return roots
}

// What is our own mistake never makes a vantage point throw something away; what is its own does.
func TestGatewayMeansWhatItSays(t *testing.T) {
	var says atomic.Int64
	var asked atomic.Pointer[http.Request]
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked.Store(r)
		w.WriteHeader(int(says.Load()))
	}))
	defer behind.Close()
	at := behind.Listener.Addr().String()
	g := newGateway(t, "mimir", at, "clickhouse", at)
	for _, c := range []struct {
		path, bearer string
		says, want   int
		retry        string
	}{
		{"/api/v1/write", token, 204, 204, ""}, {"/rounds", token, 200, 200, ""},
		{"/api/v1/write", token, 415, 415, ""}, {"/api/v1/write", token, 400, 400, ""}, {"/api/v1/write", token, 409, 409, ""}, {"/rounds", token, 413, 413, ""},
		{"/api/v1/write", token, 429, 429, ""},
		{"/api/v1/write", token, 401, 503, "60"}, {"/rounds", token, 404, 503, "60"}, {"/rounds", token, 403, 503, "60"}, {"/rounds", token, 500, 503, "60"},
		{"/elsewhere", token, 204, 503, "60"}, {"/rounds", "", 204, 503, "600"}, {"/rounds", token + "b", 204, 503, "600"}, {"/api/v1/write", "", 204, 503, "600"},
	} {
		says.Store(int64(c.says))
		asked.Store(nil)
		a, err := g.post(c.path, c.bearer).Send(t.Context(), bytes.Repeat([]byte("x"), 1<<20), nil)
		if err != nil || a.Status != c.want || a.Header.Get("Retry-After") != c.retry {
			t.Errorf("%s, token %.4q, where the receiver says %d: %+v, %v", c.path, c.bearer, c.says, a, err)
			continue
		}
		if reached := asked.Load() != nil; reached != (c.bearer == token && c.path != "/elsewhere") {
			t.Errorf("%s, token %.4q: reached the receiver: %v", c.path, c.bearer, reached)
		}
	}
}

// The receiver is told what the operator says, not what a sender would like.
func TestGatewaySaysWhoAndWhat(t *testing.T) {
	var asked atomic.Pointer[http.Request]
	behind := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked.Store(r) }))
	defer behind.Close()
	at := behind.Listener.Addr().String()
	g := newGateway(t, "mimir", at, "clickhouse", at)
	for path, want := range map[string]string{"/api/v1/write": "/api/v1/push", "/rounds": "/?query=INSERT%20INTO%20telltale.evidence%20(raw)%20FORMAT%20JSONAsString&async_insert=1&wait_for_async_insert=1"} {
		p := g.post(path, token)
		p.Header = http.Header{"X-Scope-Orgid": {"another"}, "X-Clickhouse-User": {"default"}, "X-Forwarded-For": nil}
		p.URL.RawQuery = "query=DROP%20TABLE%20telltale.evidence"
		if path != "/rounds" {
			p.URL.RawQuery = ""
		}
		if _, err := p.Send(t.Context(), []byte("x"), http.Header{"Content-Encoding": {"gzip"}, "Idempotency-Key": {"r"}}); err != nil {
			t.Fatal(err)
		}
		r := asked.Load()
		if r.RequestURI != want {
			t.Errorf("%s: the receiver is asked for %s", path, r.RequestURI)
		}
		h := r.Header
		if h.Get("Authorization") != "" || h.Get("X-Forwarded-For") != "" || h.Get("Content-Encoding") != "gzip" || h.Get("Idempotency-Key") != "r" {
			t.Errorf("%s: headers %v", path, h)
		}
		if path == "/rounds" && h.Get("X-Clickhouse-User") != "telltale_writer" || path != "/rounds" && strings.Join(h["X-Scope-Orgid"], " ") != "telltale" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

// Who asks too often is told to wait, and who waits is served.
func TestGatewayLimits(t *testing.T) {
	behind := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer behind.Close()
	at := behind.Listener.Addr().String()
	g := newGateway(t, "mimir", at, "vector", at)
	p := g.post("/api/v1/write", token)
	statuses := map[int]int{}
	for range 400 {
		a, err := p.Send(t.Context(), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		statuses[a.Status]++
	}
	if statuses[200] < 100 || statuses[429] == 0 || statuses[200]+statuses[429] != 400 {
		t.Errorf("answers %v", statuses)
	}
}

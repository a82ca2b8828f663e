package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/crypto/bcrypt"

	"github.com/telltale-probe/telltale/measurements"
)

// config is that of a server with a metric and a view, both plain.
func config() Config {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "telltale_test", Help: "A test."}))
	return Config{
		View:     func() View { return View{Version: "1.2.3", Consent: true} },
		Gatherer: registry, Registerer: registry,
		Reload: func() error { return nil },
	}
}

// do asks a server as a client on this machine does; headers are name and value in turn.
func do(c Config, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Host = "localhost:9877"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	New(c).Handler().ServeHTTP(w, r)
	return w
}

// Every route answers its methods and no other.
func TestRoutes(t *testing.T) {
	notReady := config()
	notReady.Ready = func() bool { return false }
	noReload := config()
	noReload.Reload = nil
	badReload := config()
	badReload.Reload = func() error { return errors.New("telltale.toml:3: no such key") }
	for _, tt := range []struct {
		name, method, path string
		config             Config
		code               int
		body               string
	}{
		{"the page", "GET", "/", config(), 200, "1.2.3"},
		{"the page's head", "HEAD", "/", config(), 200, ""},
		{"no other page", "GET", "/other", config(), 404, ""},
		{"metrics", "GET", "/metrics", config(), 200, "telltale_test 0"},
		{"metrics of scrapes", "GET", "/metrics", config(), 200, "promhttp_metric_handler_requests_in_flight 1"},
		{"healthy", "GET", "/-/healthy", config(), 200, "healthy"},
		{"ready", "GET", "/-/ready", config(), 200, "ready"},
		{"not ready", "GET", "/-/ready", notReady, 503, "not ready"},
		{"reload", "POST", "/-/reload", config(), 200, "reloaded"},
		{"reload, as Prometheus has it too", "PUT", "/-/reload", config(), 200, "reloaded"},
		{"a wrong configuration is told", "POST", "/-/reload", badReload, 500, "telltale.toml:3: no such key"},
		{"nothing to reload", "POST", "/-/reload", noReload, 501, ""},
		{"reading does not reload", "GET", "/-/reload", config(), 405, ""},
		{"nor does deleting", "DELETE", "/-/reload", config(), 405, ""},
		{"the page takes nothing", "POST", "/", config(), 405, ""},
	} {
		w := do(tt.config, tt.method, tt.path)
		if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.body) {
			t.Errorf("%s: got %d %q, want %d with %q", tt.name, w.Code, w.Body, tt.code, tt.body)
		}
	}
}

// A scraper that knows OpenMetrics gets it.
func TestOpenMetrics(t *testing.T) {
	w := do(config(), "GET", "/metrics", "Accept", "application/openmetrics-text; version=1.0.0")
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "application/openmetrics-text") || !strings.HasSuffix(w.Body.String(), "# EOF\n") {
		t.Errorf("got %s", w.Header().Get("Content-Type"))
	}
}

// No other web site in the volunteer's browser changes or reads anything.
func TestOtherSitesAreKeptOut(t *testing.T) {
	proxied := config()
	proxied.Hosts = []string{"probe.home.example"}
	for _, tt := range []struct {
		name, method, path string
		config             Config
		headers            []string
		code               int
	}{
		{"a script's own POST", "POST", "/-/reload", config(), nil, 200},
		{"our own page's POST", "POST", "/-/reload", config(), []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"another site's POST", "POST", "/-/reload", config(), []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a sister site's POST", "PUT", "/-/reload", config(), []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"another origin, of an old browser", "POST", "/-/reload", config(), []string{"Origin", "https://evil.example"}, 403},
		{"another port is another origin", "POST", "/-/reload", config(), []string{"Origin", "http://localhost:8080"}, 403},
		{"by address", "GET", "/", config(), []string{"Host", "127.0.0.1:9877"}, 200},
		{"by IPv6 address", "GET", "/", config(), []string{"Host", "[::1]:9877"}, 200},
		{"without a port", "GET", "/", config(), []string{"Host", "[::1]"}, 200},
		{"localhost in full", "GET", "/", config(), []string{"Host", "LOCALHOST.:9877"}, 200},
		{"a name that was rebound", "GET", "/", config(), []string{"Host", "evil.example:9877"}, 421},
		{"it reads no metrics either", "GET", "/metrics", config(), []string{"Host", "localhost.evil.example"}, 421},
		{"no name at all", "GET", "/", config(), []string{"Host", ""}, 421},
		{"a name that the volunteer gave", "GET", "/", proxied, []string{"Host", "probe.home.example"}, 200},
	} {
		if w := do(tt.config, tt.method, tt.path, tt.headers...); w.Code != tt.code {
			t.Errorf("%s: got %d %s, want %d", tt.name, w.Code, w.Body, tt.code)
		}
	}
}

// Who listens on the network is asked for by names that we can't know.
func TestNamesOnTheNetwork(t *testing.T) {
	r := httptest.NewRequest("GET", "http://raspberrypi.local:9877/", nil)
	lan := &net.TCPAddr{IP: net.IPv4(192, 168, 1, 7), Port: 9877}
	w := httptest.NewRecorder()
	New(config()).Handler().ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, lan)))
	if w.Code != http.StatusOK {
		t.Errorf("got %d", w.Code)
	}
}

// What is wrong with the configuration names files of the volunteer's: it is told to who may know, others hear that the
// log has it.
func TestMistakesAreToldAtHome(t *testing.T) {
	c := config()
	c.Reload = func() error { return errors.New("open /home/vera/telltale.toml: permission denied") }
	for remote, told := range map[string]bool{"127.0.0.1": true, "192.168.1.20": false} {
		local := &net.TCPAddr{IP: net.ParseIP(map[bool]string{true: "127.0.0.1", false: "192.168.1.7"}[told]), Port: 9877}
		r := httptest.NewRequest("POST", "http://"+local.String()+"/-/reload", nil)
		r.RemoteAddr = remote + ":40000"
		w := httptest.NewRecorder()
		New(c).Handler().ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local)))
		if body := w.Body.String(); w.Code != http.StatusInternalServerError || strings.Contains(body, "vera") != told || !told && !strings.Contains(body, "the log says why") {
			t.Errorf("%s: %d %s", remote, w.Code, body)
		}
	}
}

// The policy allows the page's own style sheet, and there is nothing else to allow.
func TestPageIsSelfContained(t *testing.T) {
	w := do(config(), "GET", "/")
	body := w.Body.String()
	sheets := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllStringSubmatch(body, -1)
	csp := w.Header().Get("Content-Security-Policy")
	if len(sheets) != 1 || !strings.Contains(csp, "'sha256-"+hashOf(sheets[0][1])+"'") || !strings.HasPrefix(csp, "default-src 'none'; ") {
		t.Errorf("the policy %q does not fit the style sheet", csp)
	}
	for _, foreign := range []string{"http://", "https://", "//", "<script", "<img", "<link", "url(", "@import", " style="} {
		if strings.Contains(body, foreign) {
			t.Errorf("the page has %q", foreign)
		}
	}
	if regexp.MustCompile(`(?i)\son[a-z]+=`).MatchString(body) {
		t.Error("the page has an event handler")
	}
	for _, header := range []string{"X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Cross-Origin-Resource-Policy", "Cache-Control"} {
		if w.Header().Get(header) == "" {
			t.Errorf("%s is missing", header)
		}
	}
}

// A verdict with everything that the page has a place for, and text from a hostile network.
func verdict() *measurements.RoundVerdict {
	yes, no := true, false
	return &measurements.RoundVerdict{
		Started: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), DurationSeconds: 3.21,
		Network: measurements.NetworkVerdict{State: measurements.OK, IPv4: &yes, IPv6: &no, Reasons: []string{"IPv6 reaches nothing"}},
		Apps: []measurements.AppVerdict{{App: "telegram", State: measurements.Partial, Targets: []measurements.TargetVerdict{
			{Target: "web", State: measurements.Blocked, Layers: []measurements.LayerVerdict{
				{Layer: measurements.LayerDNS, Family: measurements.IPv4, State: measurements.OK},
				{
					Layer: measurements.LayerTLS, Family: measurements.IPv4, State: measurements.Blocked, Signature: measurements.TLSResetSNI,
					Confidence: measurements.Likely, Reasons: []string{"<script>alert(1)</script>"}, Endpoints: measurements.EndpointCounts{Measured: 2, Failed: 1},
				},
			}},
			{Target: "dc2", State: measurements.Skipped},
		}}},
	}
}

// The page says what was found, why, and when the next round comes.
func TestPageShowsTheVerdict(t *testing.T) {
	c := config()
	v := View{Version: "1", Consent: true, Verdict: verdict(), LastRound: time.Date(2026, 11, 23, 8, 0, 3, 0, time.UTC), NextRound: time.Date(2026, 11, 23, 8, 15, 0, 0, time.UTC)}
	c.View = func() View { return v }
	body := do(c, "GET", "/").Body.String()
	for _, want := range []string{
		"2026-11-23 08:00:03 UTC", "3.2 s", "Next round: about 2026-11-23 08:15:00 UTC", "IPv4 works", "IPv6 does not work", "UDP port 443 not tested", "IPv6 reaches nothing",
		`telegram: <span class="state partial">partial`, `<td class="state blocked">blocked`, "<code>tls.reset.sni</code>, likely, 1 of 2 endpoints",
		"&lt;script&gt;alert(1)&lt;/script&gt;", "fine: dns ipv4", "not measured in this round",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q:\n%s", want, body)
		}
	}
	for _, foreign := range []string{"Nothing is measured", "<script", "No round"} {
		if strings.Contains(body, foreign) {
			t.Errorf("the page has %q", foreign)
		}
	}
	v.Running = true
	if body := do(c, "GET", "/").Body.String(); !strings.Contains(body, "A round is being made now") {
		t.Error("the page does not tell of a running round")
	}
}

// Without consent the page says that nothing is measured, and what to do.
func TestPageWithoutConsent(t *testing.T) {
	c := config()
	c.View = func() View { return View{Version: "1", NextRound: time.Now()} }
	body := do(c, "GET", "/").Body.String()
	for _, want := range []string{"Nothing is measured", "<code>telltale consent</code>", "start telltale again, or reload it", "No round has been made yet."} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "Next round") {
		t.Error("a round is promised that nobody agreed to")
	}
}

// logs is a buffer that a server may write to while a test reads.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A server that is told to stop lets an answer under way end, and takes no further connections. In virtual time: the
// answer has less than a second.
func TestServeAndStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, answer := make(chan bool), make(chan bool)
		c := config()
		c.View = func() View { asked <- true; <-answer; return View{Version: "slow"} }
		n := &network{make(chan net.Conn), make(chan struct{}), net.IPv4(127, 0, 0, 1)}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- New(c).Serve(ctx, n) }()
		body := make(chan string, 1)
		go func() {
			r, err := (&http.Client{Transport: &http.Transport{DialContext: n.dial}}).Get("http://localhost/")
			if err != nil {
				body <- err.Error()
				return
			}
			defer r.Body.Close()
			b, _ := io.ReadAll(r.Body)
			body <- string(b)
		}()
		<-asked
		stop()
		synctest.Wait() // it is stopping
		close(answer)
		if got := <-body; !strings.Contains(got, "version slow") {
			t.Errorf("the answer under way was cut off: %s", got)
		}
		if err := <-done; err != nil {
			t.Errorf("stopping well is %v", err)
		}
		if _, err := n.Accept(); err == nil {
			t.Error("it still listens")
		}
	})
}

// What can't be listened on, and a web config that is wrong, is said at once.
func TestListenAndServeFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := config()
	taken.Listen = []string{l.Addr().String()}
	wrong := config()
	wrong.Listen = []string{"127.0.0.1:0"}
	wrong.WebConfigFile = filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(wrong.WebConfigFile, []byte("no_such_key: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if ValidateConfig(wrong.WebConfigFile) == nil || ValidateConfig("") != nil {
		t.Error("the web config is not validated")
	}
	for name, c := range map[string]Config{"a port that is taken": taken, "a wrong web config": wrong, "nowhere": config()} {
		if err := New(c).ListenAndServe(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// --web.config.file works: a password is asked for. A server that was stopped is gone.
func TestWebConfigFile(t *testing.T) {
	c := config()
	c.WebConfigFile = filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(c.WebConfigFile, []byte("basic_auth_users:\n  vera: "+bcryptOfSecret(t)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- New(c).Serve(ctx, l) }()
	for password, code := range map[string]int{"": 401, "wrong": 401, "secret": 200} {
		r, err := http.NewRequest("GET", "http://"+l.Addr().String()+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("vera", password)
		answer, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{}}}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != code {
			t.Errorf("password %q: got %d, want %d", password, answer.StatusCode, code)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("it still listens")
	}
}

// Listening where others on the network reach it is warned of; a context that is done serves nothing.
func TestPublicAddressIsWarnedOf(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:0": false, "[::1]:9877": false, "localhost:9877": false, "127.9.9.9:1": false,
		":9877": true, "0.0.0.0:9877": true, "[::]:9877": true, "192.168.1.7:9877": true, "raspberrypi:9877": true, "vsock://:9877": true,
	} {
		var out logs
		c := config()
		c.Log = zerolog.New(&out)
		New(c).warnIfPublic(address)
		if got := strings.Contains(out.String(), "others on the network"); got != want {
			t.Errorf("%s: warned %v, want %v", address, got, want)
		}
	}
	var out logs
	c := config()
	c.Log, c.Listen = zerolog.New(&out), []string{"127.0.0.1:0"}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := New(c).ListenAndServe(ctx); err != nil {
		t.Errorf("stopped before it began: %v", err)
	}
	if strings.Contains(out.String(), "others on the network") {
		t.Error("loopback was warned of")
	}
}

func bcryptOfSecret(t *testing.T) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

package config

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"

	"golang.org/x/net/http/httpguts"

	"github.com/telltale-probe/telltale/config/strict"
)

// Push is what is sent to receivers of the volunteer's choice; both are off by default.
type Push struct {
	Metrics  Receiver      // remote write
	Interval time.Duration // a heartbeat after so long without a round
	Evidence Receiver      // gzipped NDJSON
}

// Receiver is where something is sent, and how.
type Receiver struct {
	URL    *url.URL // nil: nothing is sent
	Header http.Header

	Bearer         string // "" = none
	User, Password string // "" = none

	Proxy *url.URL          // http, https or socks5; nil = none
	Roots []byte            // PEM, beside the bundle's; nil = none
	Cert  []tls.Certificate // of ours, for receivers that ask for one
}

// Bounds of the heartbeat: PromQL looks back five minutes (--query.lookback-delta), and the way there takes some
// time; more often than twice a minute would tell nothing new of a round every quarter of an hour.
const (
	leastBeat   = 30 * time.Second
	mostBeat    = 290 * time.Second
	defaultBeat = 4 * time.Minute
)

// Bounds of what a request bears. Chosen by us.
const (
	maxHeaders = 32
	maxSecret  = 8 << 10
)

func (c *Config) readPush(t *strict.Table) {
	c.Push.Interval = t.Duration("interval", defaultBeat, leastBeat, mostBeat)
	c.Push.Metrics = c.readReceiver(t)
	evidence := t.Table("evidence")
	c.Push.Evidence = c.readReceiver(evidence)
	if evidence.String("proxy", "") == "" { // who hides the one wants the other hidden too
		c.Push.Evidence.Proxy = c.Push.Metrics.Proxy
	}
	evidence.Done()
	t.Done()
}

// readReceiver reads the keys that both have.
func (c *Config) readReceiver(t *strict.Table) Receiver {
	r := Receiver{URL: readReceiverURL(t), Header: readHeaders(t), Proxy: readProxy(t)}
	r.Bearer, _ = c.readSecret(t, "bearer_token_file")
	r.User = t.String("username", "")
	password, hasPassword := c.readSecret(t, "password_file")
	r.Password = password
	switch {
	case (r.User != "") != hasPassword:
		t.Fail("username", "username and password_file go together")
	case r.User != "" && t.String("bearer_token_file", "") != "":
		t.Fail("username", "a bearer token or a password: not both")
	case strings.ContainsFunc(r.User, func(c rune) bool { return c == ':' || !unicode.IsPrint(c) }):
		t.Fail("username", "must be printable and without a colon (RFC 7617)")
	}
	r.Roots, _ = c.readFile(t, "ca_file", strict.MaxSize)
	if r.Roots != nil && !x509.NewCertPool().AppendCertsFromPEM(r.Roots) {
		t.Fail("ca_file", "holds no certificate in PEM")
	}
	cert, hasCert := c.readFile(t, "cert_file", strict.MaxSize)
	key, hasKey := c.readFile(t, "key_file", strict.MaxSize)
	if hasCert != hasKey {
		t.Fail("cert_file", "cert_file and key_file go together")
	} else if cert != nil && key != nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fail("cert_file", "with key_file: %v", err)
		}
		r.Cert = []tls.Certificate{pair}
	}
	return r
}

// readReceiverURL wants https where strangers could read along: what is sent says who measures.
func readReceiverURL(t *strict.Table) *url.URL {
	text := t.String("url", "")
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		t.Fail("url", "must be an http or https URL")
	case u.User != nil || u.Fragment != "":
		t.Fail("url", "takes no password and no fragment: see username and password_file")
	case u.Port() != "" && !validPort(u.Port()):
		t.Fail("url", "the port must be between 1 and 65535")
	case u.Scheme == "http" && !near(u.Hostname()):
		t.Fail("url", "must be https: http is for this machine, private addresses, names without a dot or under .local, .internal, .home.arpa, and .onion")
	default:
		return u
	}
	return nil
}

// near says whether a host is in the house, or behind a transport of its own that encrypts.
func near(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !strings.Contains(host, ".") {
		return true
	}
	for _, suffix := range []string{".local", ".internal", ".home.arpa", ".onion"} { // RFC 6762, ICANN 2024, RFC 8375, RFC 7686
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}

func readProxy(t *strict.Table) *url.URL {
	text := t.String("proxy", "")
	if text == "" || text == "direct" {
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5":
	case u.Port() == "" || !validPort(u.Port()), u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "":
	default:
		return u
	}
	t.Fail("proxy", `must be a URL with a port such as "socks5://127.0.0.1:9050" (which resolves names, too), "http://…" or "https://…", or "direct"`)
	return nil
}

// ownHeaders are set by us, on every request.
var ownHeaders = map[string]bool{
	"Authorization": true, "Content-Encoding": true, "Content-Length": true, "Content-Type": true, "Host": true, "Idempotency-Key": true,
	"User-Agent": true, "X-Prometheus-Remote-Write-Version": true, "Connection": true, "Transfer-Encoding": true, "Te": true, "Trailer": true, "Upgrade": true, "Proxy-Authorization": true,
}

func readHeaders(t *strict.Table) http.Header {
	header := http.Header{}
	table := t.Table("headers")
	names := table.Keys()
	if len(names) > maxHeaders {
		t.Fail("headers", "must have at most %d entries", maxHeaders)
	}
	for _, name := range names {
		value := table.String(name, "")
		switch canonical := http.CanonicalHeaderKey(name); {
		case !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) || len(value) > maxSecret:
			table.Fail(name, "is no header of HTTP")
		case ownHeaders[canonical]:
			table.Fail(name, "is set by telltale; a password has keys of its own")
		default:
			header.Set(name, value)
		}
	}
	return header
}

// readSecret reads a file that holds one line.
func (c *Config) readSecret(t *strict.Table, key string) (secret string, has bool) {
	data, has := c.readFile(t, key, maxSecret)
	if data == nil {
		return "", has
	}
	secret = strings.TrimSpace(string(data))
	if secret == "" || strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r == 0x7f || r == unicode.ReplacementChar }) {
		t.Fail(key, "must hold one line of printable text")
	}
	return secret, has
}

// readFile reads a file that the config names; has says whether it names one.
func (c *Config) readFile(t *strict.Table, key string, most int64) (data []byte, has bool) {
	path := t.String(key, "")
	if path == "" {
		return nil, false
	}
	data, err := strict.ReadFile(c.beside(path))
	if err == nil && int64(len(data)) > most {
		t.Fail(key, "%s: larger than %d bytes", path, most)
		return nil, true
	}
	if err != nil {
		t.Fail(key, "%v", err)
		return nil, true
	}
	return data, true
}

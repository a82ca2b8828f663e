package config

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/telltale-probe/telltale/config/catalogue"
	"github.com/telltale-probe/telltale/config/strict"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/reference"
	"github.com/telltale-probe/telltale/probe"
)

// countryForm is ISO 3166-1 alpha-2; ZZ is "not said".
var countryForm = regexp.MustCompile(`^[A-Z]{2}$`)

func (c *Config) readConsent(t *strict.Table) {
	if text := t.String("accepted", ""); text != "" {
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fail("accepted", `must be a date, "YYYY-MM-DD", as 'telltale consent' writes it, or ""`)
		}
		c.Consent = at
	}
	t.Done()
}

func (c *Config) readVantage(t *strict.Table) {
	v := measurements.Vantage{Country: t.String("country", "ZZ"), ASN: int(t.Int("asn", 0, 0, 1<<32-1)), Label: t.String("label", "")}
	if !countryForm.MatchString(v.Country) {
		t.Fail("country", `must be two capital letters (ISO 3166), "ZZ" for none`)
	}
	if len(v.Label) > 64 || strings.ContainsFunc(v.Label, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Fail("label", "must be at most 64 printable bytes")
	}
	c.Vantage = v
	t.Done()
}

// defaultTrusted is control D without a file: two operators over DoH, and one over plain TCP.
var defaultTrusted = []string{
	"https://dns.quad9.net/dns-query#9.9.9.9,149.112.112.112,2620:fe::fe",
	"https://cloudflare-dns.com/dns-query#1.1.1.1,1.0.0.1,2606:4700:4700::1111",
	"tcp://8.8.8.8:53",
}

func (c *Config) readNetwork(t *strict.Table) {
	if text := t.String("resolver", "system"); text != "system" {
		if r, ok := readResolver(t, "resolver", text); ok {
			c.System = &r
		}
	}
	trusted := t.Strings("trusted_resolvers", 16)
	if !t.Has("trusted_resolvers") {
		trusted = defaultTrusted
	}
	for _, text := range trusted {
		if r, ok := readResolver(t, "trusted_resolvers", text); ok {
			c.Trusted = append(c.Trusted, r)
		}
	}
	for _, path := range t.Strings("root_ca_files", 16) {
		if pem, ok := readRoots(t, c.beside(path)); ok {
			c.ExtraRoots = append(c.ExtraRoots, pem)
		}
	}
	c.readFamilies(t)
	c.Locate, c.Opaque = t.Bool("locate", false), t.Bool("opaque", false)
	c.Timeout = t.Duration("timeout", 10*time.Second, leastTimeout, mostTimeout)
	t.Done()
}

func (c *Config) readFamilies(t *strict.Table) {
	in := t.Strings("ip_families", 2)
	if !t.Has("ip_families") {
		in = []string{"ipv4", "ipv6"}
	}
	for _, f := range in {
		if f != "ipv4" && f != "ipv6" {
			t.Fail("ip_families", `must be "ipv4", "ipv6" or both`)
			continue
		}
		if slices.Contains(c.Families, measurements.Family(f)) {
			t.Fail("ip_families", "%q is named twice", f)
			continue
		}
		c.Families = append(c.Families, measurements.Family(f))
	}
	if len(in) == 0 {
		t.Fail("ip_families", `must be "ipv4", "ipv6" or both`)
	}
}

// readResolver reads a resolver's URL. The fragment lists pinned addresses of a host that is a name:
// "https://dns.quad9.net/dns-query#9.9.9.9,2620:fe::fe".
func readResolver(t *strict.Table, key, text string) (probe.Resolver, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil {
		t.Fail(key, `%q: must be a URL such as "udp://192.0.2.53:53" or "https://dns.example/dns-query"`, text)
		return probe.Resolver{}, false
	}
	r := probe.Resolver{}
	for _, part := range strings.FieldsFunc(u.Fragment, func(c rune) bool { return c == ',' }) {
		a, err := netip.ParseAddr(part)
		if err != nil {
			t.Fail(key, "%q: %q behind # is no IP address", text, part)
			return r, false
		}
		r.Addresses = append(r.Addresses, a)
	}
	_, literal := netip.ParseAddr(u.Hostname())
	switch u.Scheme {
	case "udp", "tcp":
		if literal != nil {
			t.Fail(key, "%q: %s needs an IP address", text, u.Scheme)
			return r, false
		}
	case "tls", "https":
	default:
		t.Fail(key, "%q: the scheme must be udp, tcp, tls or https", text)
		return r, false
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			t.Fail(key, "%q: the port must be between 1 and 65535", text)
			return r, false
		}
	}
	u.Fragment = ""
	r.URL = u.String()
	return r, true
}

// readRoots reads further roots; a file without a certificate is a mistake, not an empty list.
func readRoots(t *strict.Table, path string) ([]byte, bool) {
	pem, err := strict.ReadFile(path)
	if err != nil {
		t.Fail("root_ca_files", "%v", err)
		return nil, false
	}
	if len(pem) > strict.MaxSize {
		t.Fail("root_ca_files", "%s: larger than %d bytes", path, strict.MaxSize)
		return nil, false
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		t.Fail("root_ca_files", "%s: holds no certificate in PEM", path)
		return nil, false
	}
	return pem, true
}

func (c *Config) readReference(t *strict.Table) {
	c.Reference = Reference{URL: t.String("url", ""), Serve: t.Bool("serve", false)}
	if c.Reference.URL != "" {
		switch u, err := url.Parse(c.Reference.URL); {
		case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
			t.Fail("url", "must be an http or https URL")
		case u.User != nil || u.Fragment != "":
			t.Fail("url", "takes no password and no fragment: the answer is public, and proves itself by its signature")
		case u.Port() != "" && !validPort(u.Port()):
			t.Fail("url", "the port must be between 1 and 65535")
		}
	}
	if text := t.String("public_key", ""); text != "" {
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(key) != ed25519.PublicKeySize {
			t.Fail("public_key", "must be an Ed25519 public key, 32 bytes in base64")
		}
		c.Reference.PublicKey = key
	} else if c.Reference.URL != "" {
		t.Fail("public_key", "is needed with url: answers that are not signed count for nothing")
	}
	c.readHelper(t)
	t.Done()
}

// readHelper reads both sides of control X: whether a helper is asked, and whether this is one.
func (c *Config) readHelper(t *strict.Table) {
	r := &c.Reference
	if r.ControlX = t.Bool("control_x", false); r.ControlX && r.URL == "" {
		t.Fail("control_x", "needs url: a helper is announced by a reference")
	}
	if r.HelperListen = t.String("helper_listen", ""); r.HelperListen != "" {
		switch {
		case !validListen(r.HelperListen):
			t.Fail("helper_listen", `must be "host:port", with a port up to 65535; an IPv6 address stands in brackets`)
		case !r.Serve:
			t.Fail("helper_listen", "needs serve = true: a helper is announced in the reference's answer")
		}
	}
	for _, text := range t.Strings("helper_addresses", reference.MaxHelperAddresses) {
		ap, err := reference.ParseHelperAddress(text)
		if err != nil {
			t.Fail("helper_addresses", "%v", err)
			continue
		}
		r.HelperAddresses = append(r.HelperAddresses, ap)
	}
	switch has := t.Has("helper_addresses") && !t.Empty("helper_addresses"); {
	case r.HelperListen != "" && !has:
		t.Fail("helper_addresses", "is needed with helper_listen: the addresses at which strangers reach it, which telltale does not guess")
	case r.HelperListen == "" && has:
		t.Fail("helper_addresses", "is for helper_listen alone")
	}
}

func (c *Config) readStore(t *strict.Table) {
	c.StorePath = t.String("path", "")
	c.Retention = t.Duration("retention", 90*24*time.Hour, 24*time.Hour, mostRetention)
	if c.MaxSize = t.Bytes("max_size", defaultStore); c.MaxSize < leastStore {
		t.Fail("max_size", "must be at least 20MB: below, the log and a day of rounds hardly fit")
	}
	t.Done()
}

func (c *Config) readWeb(t *strict.Table) {
	c.Listen = t.String("listen", "127.0.0.1:9877")
	if !validListen(c.Listen) {
		t.Fail("listen", `must be "host:port", with a port up to 65535; an IPv6 address stands in brackets`)
	}
	t.Done()
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n != 0
}

// validListen takes what a listener takes, and a port that can be named in a link: not 0.
func validListen(s string) bool {
	port, ok := ListenPort(s)
	return ok && port != 0
}

// ListenPort gives the port of an address to listen on, "host:port"; ok is false where it is none. Port 0 is any.
func ListenPort(address string) (port uint16, ok bool) {
	if a, err := netip.ParseAddrPort(address); err == nil {
		return a.Port(), true
	}
	host, text, ok := strings.Cut(address, ":")
	n, err := strconv.ParseUint(text, 10, 16)
	return uint16(n), ok && err == nil && (host == "" || host == "localhost" || catalogue.ValidHost(host))
}

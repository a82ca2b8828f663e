package netlab

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// site is what a machine serves for one name.
type site struct {
	name    string
	paths   map[string]http.HandlerFunc // what is there; nil: a page
	h3      uint16                      // the port that Alt-Svc offers; 0: none is said
	h3Until time.Time                   // … and until when; zero: for good
	legy    bool                        // it is a gateway of LINE's
	proof   string                      // a header that the app alone sends; "": there is none
	issuer  *certifier                  // the app's own; nil: the machine's
	trouble siteTrouble
}

// serve puts a page at a path, unless something is there already.
func (s *site) serve(path string) {
	if _, taken := s.paths[path]; !taken {
		s.paths[path] = nil
	}
}

// serveHTTPS serves the machine's sites over TLS, with HTTP/2 and HTTP/1.1.
func (m *machine) serveHTTPS(l net.Listener) {
	server := m.server()
	server.TLSConfig = m.tlsConfig("h2", "http/1.1")
	m.closers = append(m.closers, server.Close)
	m.tasks.Go(func() { _ = server.ServeTLS(l, "", "") })
}

// serveHTTP serves the machine's sites in clear.
func (m *machine) serveHTTP(l net.Listener) {
	server := m.server()
	m.closers = append(m.closers, server.Close)
	m.tasks.Go(func() { _ = server.Serve(l) })
}

func (m *machine) server() *http.Server {
	return &http.Server{
		Handler:           m,
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // failed handshakes are what we are here for
	}
}

// tlsConfig chooses the certificate by SNI. An unknown name gets the operator's own default, as on
// most edges: that is what lets control N be answered. A name that the machine refuses meets a
// configuration without certificates, to which crypto/tls answers unrecognized_name (alert 112,
// RFC 6066 section 3).
func (m *machine) tlsConfig(protocols ...string) *tls.Config {
	refusing := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: protocols}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     protocols,
		GetCertificate: m.certificateOf,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if m.refusesName(hello.ServerName) {
				return refusing, nil
			}
			if m.refusesOld(hello) {
				return &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: protocols, GetCertificate: m.certificateOf}, nil
			}
			return nil, m.hold(hello)
		},
	}
}

var errGone = errors.New("netlab: the machine is gone")

// hold keeps a hello for a name whose backend hangs, until the machine stops.
func (m *machine) hold(hello *tls.ClientHelloInfo) error {
	s := m.sites[strings.ToLower(hello.ServerName)]
	if s == nil || !s.trouble.mute && !(s.trouble.swallowsOld && old(hello)) {
		return nil
	}
	select {
	case <-m.gone:
	case <-hello.Context().Done():
	}
	return errGone
}

// old says whether a hello offers nothing newer than TLS 1.2.
func old(hello *tls.ClientHelloInfo) bool {
	return !slices.Contains(hello.SupportedVersions, tls.VersionTLS13)
}

func (m *machine) refusesOld(hello *tls.ClientHelloInfo) bool {
	s := m.sites[strings.ToLower(hello.ServerName)]
	return s != nil && s.trouble.refusesOld && old(hello)
}

func (m *machine) refusesName(name string) bool {
	s := m.sites[strings.ToLower(name)]
	if s == nil {
		return m.trouble.strictSNI
	}
	return s.trouble.unknown
}

// leafFor says what the certificate shown to a name holds. A resolver's holds its address too, since
// that is how it is dialled.
func (m *machine) leafFor(name string) leaf {
	l := leaf{name: m.ownName(), renewed: m.renewed}
	if s := m.sites[strings.ToLower(name)]; s != nil {
		l.name, l.expired = s.name, s.trouble.expired
		if s.trouble.certificateOf != "" {
			l.name = s.trouble.certificateOf
		}
	}
	if m.dns != nil {
		l.address = m.address
	}
	return l
}

func (m *machine) certificateOf(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return m.certificateFor(hello.ServerName)
}

// certificateFor is the chain that is shown to a name.
func (m *machine) certificateFor(name string) (*tls.Certificate, error) {
	s, issuer := m.sites[strings.ToLower(name)], m.issuer
	switch {
	case s == nil || s.trouble.certificateOf != "":
	case s.trouble.newAuthority:
		issuer = m.newcomer
	case s.issuer != nil:
		issuer = s.issuer
	}
	chain, err := issuer.certificate(m.leafFor(name))
	if err != nil || s == nil || !s.trouble.incomplete {
		return chain, err
	}
	alone := *chain
	alone.Certificate = chain.Certificate[:1]
	return &alone, nil
}

// ownName is the name of the machine's default certificate.
func (m *machine) ownName() string {
	if m.operator == "" {
		return "edge.example"
	}
	return "edge." + m.operator
}

// ServeHTTP answers for every site of the machine, over whatever the request came.
func (m *machine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if m.heard != nil {
		m.heard(r)
	}
	if m.clock != 0 {
		w.Header().Set("Date", time.Now().Add(m.clock).UTC().Format(http.TimeFormat))
	}
	s, w := m.sites[hostOf(r.Host)], m.paced(w, r)
	switch {
	case s != nil:
		s.ServeHTTP(w, r)
	case m.anyHost != nil:
		m.anyHost(w, r)
	default:
		http.NotFound(w, r)
	}
}

// ServeHTTP answers with what is at the path, or with the site's trouble wherever it is asked.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.h3 != 0 && (s.h3Until.IsZero() || time.Now().Before(s.h3Until)) {
		w.Header().Set("Alt-Svc", fmt.Sprintf(`h3=":%d"; ma=86400`, s.h3))
	}
	if s.trouble.hangs {
		<-r.Context().Done()
		return
	}
	if t := s.trouble; t.status != 0 {
		if t.location != "" {
			w.Header().Set("Location", t.location)
		}
		w.WriteHeader(t.status)
		_, _ = io.WriteString(w, http.StatusText(t.status)+"\n") // dropped where a status has no body
		return
	}
	inside := s.prove(w, r)
	handler, known := s.paths[r.URL.Path]
	switch {
	case inside:
		w.WriteHeader(http.StatusOK)
	case !known:
		http.NotFound(w, r)
	case handler != nil:
		handler(w, r)
	case r.URL.Path == "/generate_204":
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page(s.name, r.URL.Path))
	}
}

// hostOf is the name in a Host header.
func hostOf(header string) string {
	if host, _, err := net.SplitHostPort(header); err == nil {
		header = host
	}
	return strings.ToLower(strings.Trim(header, "[]"))
}

// The sizes of answers, chosen by us: a page is the 2 KiB of an app's landing page before it loads
// anything, and a file is longer than a transfer is measured (256 KiB), and so passes the 64 KiB past which no stream
// cutoff known to us begins.
const (
	pageSize = 2 << 10
	fileSize = 320 << 10
)

// page is the body at a path: a file, if the path looks like one, else a page. Its words are its
// own, so that no fingerprint of a block page fits it.
func page(name, at string) []byte {
	size := pageSize
	if path.Ext(at) != "" && at != "/robots.txt" { // whose few lines are no file (RFC 9309)
		size = fileSize
	}
	b := make([]byte, 0, size+size/4)
	b = fmt.Appendf(b, "<!doctype html>\n<title>%s</title>\n<p>This is %s%s, as the emulation serves it.\n", name, name, at)
	for line := int64(1); len(b) < size; line++ { // thousands of them: fmt would be seen in profiles
		b = append(b, "<p>Line "...)
		b = strconv.AppendInt(b, line, 10)
		b = append(b, " of a page that is long enough to be one.\n"...)
	}
	return b
}

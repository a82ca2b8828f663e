package web

import (
	"net"
	"net/http"
	"net/netip"
	"os"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v2"
)

// refusal says why evidence is not served, and what to do.
const refusal = `Evidence says what was measured on this line, and when. It is served to this machine itself;
to others only where they prove who they are: let them in by basic_auth_users, or by client
certificates (client_auth_type), in --web.config.file.`

// letIn says whether a request may have evidence, which is more than what the page and the metrics show:
// whoever reached us by a password, or by a certificate that was verified; and the volunteer himself.
func (s *Server) letIn(r *http.Request) bool {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return true
	}
	return hasPasswords(s.config.WebConfigFile) || fromHere(r)
}

// hasPasswords says whether the web config names users. Where it does, exporter-toolkit lets nobody pass
// without a password; like it we read the file at each request, since it may change while we run.
func hasPasswords(path string) bool {
	if path == "" {
		return false
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	var c web.Config
	return yaml.UnmarshalStrict(text, &c) == nil && len(c.Users) > 0
}

// forwarded are fields of requests that somebody handed on for others (RFC 7239, RFC 9110 section 7.6.3, and
// what proxies wrote before them).
var forwarded = []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"}

// fromHere says whether a program of this machine asks, for itself: over loopback, not as another one's proxy,
// and not for another web site that a browser shows (Fetch Metadata, Sec-Fetch-Site). Without a word from the
// server it is somebody else.
func fromHere(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok || !local.IP.IsLoopback() {
		return false
	}
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !remote.Addr().Unmap().IsLoopback() {
		return false
	}
	for _, field := range forwarded {
		if r.Header.Get(field) != "" {
			return false
		}
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "" || site == "same-origin" || site == "none"
}

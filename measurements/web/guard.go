package web

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

//go:embed style.css
var style string

// policy lets a page use its own style sheet and nothing else: no script, no picture, no form, no
// frame, no request. What a hostile network puts into a reason can't leave the page.
var policy = strings.Join([]string{
	"default-src 'none'",
	"style-src 'sha256-" + hashOf(style) + "'",
	"base-uri 'none'",
	"form-action 'none'",
	"frame-ancestors 'none'",
}, "; ")

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// guard keeps other web sites out, which reach us through the volunteer's own browser. Reading is
// kept from them by the browser as long as our host is not theirs, so a name that somebody made
// point here (DNS rebinding) is refused. Changing is refused by where the request comes from.
func (s *Server) guard(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if onLoopback(r) && !s.knows(r.Host) {
			say(w, http.StatusMisdirectedRequest, "Ask for this page by its address or as localhost, not by another name.")
			return
		}
		sameOrigin.ServeHTTP(w, r)
	})
}

// onLoopback says whether the request came in over loopback, where no name but localhost is ours.
// Who listens on the network on purpose is asked for by names that we can't know. Without a word
// from the server we take the strict side.
func onLoopback(r *http.Request) bool {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return true
	}
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// knows says whether a Host header is one that no other web site can have. Rebinding needs a name:
// an address is always meant.
func (s *Server) knows(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	return host == "localhost" || slices.ContainsFunc(s.config.Hosts, func(own string) bool { return strings.EqualFold(own, host) })
}

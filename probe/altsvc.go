package probe

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// altSvc is what the Alt-Svc fields of an answer say of HTTP/3 at the host itself, at its own port or at 443: an
// offer elsewhere promises nothing about the place that we look at. Drafts of h3 are not counted, and what is not
// well-formed offers nothing. RFC 7838, section 3; RFC 9114, section 3.1.1.
type altSvc struct {
	said bool          // there is such a field: it replaces whatever was offered before
	h3   uint16        // the port at which HTTP/3 is offered; 0: it is not
	age  time.Duration // how long the offer lasts
}

// defaultAge is that of an offer that does not say (RFC 7838, section 3.1).
const defaultAge = 24 * time.Hour

func readAltSvc(fields []string, host string, port uint16) altSvc {
	out := altSvc{said: len(fields) > 0}
	for _, f := range fields {
		for _, alternative := range splitQuoted(f, ',') {
			parts := splitQuoted(alternative, ';')
			if at := isH3(parts[0], host, port); at != 0 && out.h3 == 0 {
				out.h3, out.age = at, ageIn(parts[1:])
			}
		}
	}
	return out
}

// ageIn reads the parameter ma, in seconds. One that is no number counts as none.
func ageIn(parameters []string) time.Duration {
	for _, p := range parameters {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if !strings.EqualFold(name, "ma") {
			continue
		}
		if n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
			return time.Duration(n) * time.Second
		}
	}
	return defaultAge
}

// isH3 reads protocol-id "=" alt-authority, as in h3=":443". It gives the port, or 0.
func isH3(alternative, host string, port uint16) uint16 {
	id, authority, ok := strings.Cut(strings.TrimSpace(alternative), "=")
	if !ok {
		return 0 // "clear" is no offer
	}
	// The id is percent-encoded where it has to be: other spellings of h3 mean the same.
	if id, err := url.PathUnescape(id); err != nil || id != "h3" {
		return 0
	}
	if len(authority) < 2 || authority[0] != '"' || authority[len(authority)-1] != '"' {
		return 0
	}
	authority = strings.ReplaceAll(authority[1:len(authority)-1], `\`, "") // quoted-pair (RFC 9110, section 5.6.4)
	i := strings.LastIndexByte(authority, ':')
	if i < 0 {
		return 0
	}
	at, err := strconv.ParseUint(authority[i+1:], 10, 16)
	elsewhere := i > 0 && !strings.EqualFold(authority[:i], host)
	if err != nil || elsewhere || at != 443 && uint16(at) != port {
		return 0
	}
	return uint16(at)
}

// splitQuoted splits at a separator outside quoted strings. It gives one part at least.
func splitQuoted(s string, sep byte) []string {
	var parts []string
	quoted, start := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

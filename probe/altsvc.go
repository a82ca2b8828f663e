package probe

import (
	"net/url"
	"strconv"
	"strings"
)

// offersH3 says whether Alt-Svc fields offer HTTP/3 at the host itself, at its own port or at 443: an
// offer elsewhere promises nothing about the place that we look at. Drafts of h3 are not counted.
// What is not well-formed offers nothing. RFC 7838, section 3; RFC 9114, section 3.1.1.
func offersH3(fields []string, host string, port uint16) bool {
	for _, f := range fields {
		for _, alternative := range splitQuoted(f, ',') {
			if isH3(splitQuoted(alternative, ';')[0], host, port) {
				return true
			}
		}
	}
	return false
}

// isH3 reads protocol-id "=" alt-authority, as in h3=":443".
func isH3(alternative, host string, port uint16) bool {
	id, authority, ok := strings.Cut(strings.TrimSpace(alternative), "=")
	if !ok {
		return false // "clear" is no offer
	}
	// The id is percent-encoded where it has to be: other spellings of h3 mean the same.
	if id, err := url.PathUnescape(id); err != nil || id != "h3" {
		return false
	}
	if len(authority) < 2 || authority[0] != '"' || authority[len(authority)-1] != '"' {
		return false
	}
	authority = strings.ReplaceAll(authority[1:len(authority)-1], `\`, "") // quoted-pair (RFC 9110, section 5.6.4)
	i := strings.LastIndexByte(authority, ':')
	if i < 0 {
		return false
	}
	at, err := strconv.ParseUint(authority[i+1:], 10, 16)
	elsewhere := i > 0 && !strings.EqualFold(authority[:i], host)
	return err == nil && !elsewhere && (at == 443 || uint16(at) == port)
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

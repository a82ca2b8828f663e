package privacy

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"strings"
)

// token is a part of a text that says something else when it is decoded.
type token struct {
	span
	text string
}

const (
	// leastEncoded is the shortest run of letters that is taken for base64 or hexadecimal: it holds eight bytes or
	// more, the shortest IPv4 address (RFC 4648).
	leastEncoded = 11
	// mostUnescaped is how often a percent sign may be encoded itself, as in an address inside an address.
	mostUnescaped = 3
)

// encoded finds what portals and filters put into addresses and forms: percent-encoding (RFC 3986), HTML's
// numbers of characters, base64 and hexadecimal digits.
func encoded(s string) (out []token) {
	if strings.Contains(s, "%") {
		out = append(out, runs(s, isURL, unescape)...)
	}
	if strings.Contains(s, "&#") {
		out = append(out, runs(s, isHTML, func(t string) string {
			if !strings.Contains(t, "&#") {
				return ""
			}
			return html.UnescapeString(t)
		})...)
	}
	out = append(out, runs(s, isBase64, unbase64)...)
	return append(out, runs(s, isSegment, unbase64)...)
}

// runs decodes each longest run of such bytes; "" is nothing.
func runs(s string, of func(byte) bool, decode func(string) string) (out []token) {
	for at := 0; at < len(s); {
		if !of(s[at]) {
			at++
			continue
		}
		end := at
		for end < len(s) && of(s[end]) {
			end++
		}
		if text := decode(s[at:end]); text != "" {
			out = append(out, token{span{at, end}, text})
		}
		at = end
	}
	return out
}

func isURL(c byte) bool     { return c > ' ' && !strings.ContainsRune(`"'\<>&=;,()#?`, rune(c)) }
func isHTML(c byte) bool    { return c > ' ' && !strings.ContainsRune(`"'\<>=?`, rune(c)) }
func isBase64(c byte) bool  { return isWord(c) || c == '+' || c == '/' || c == '-' || c == '_' }
func isSegment(c byte) bool { return isBase64(c) && c != '/' }

func unescape(t string) string {
	if !strings.Contains(t, "%") {
		return ""
	}
	for range mostUnescaped {
		next := unescapeOnce(t)
		if next == t {
			break
		}
		t = next
	}
	return t
}

// unescapeOnce takes what is well-formed, and leaves the rest: hostile texts are not well-formed.
func unescapeOnce(t string) string {
	var b strings.Builder
	for i := 0; i < len(t); i++ {
		if t[i] == '%' && i+2 < len(t) && isHex(t[i+1]) && isHex(t[i+2]) {
			c, _ := hex.DecodeString(t[i+1 : i+3])
			b.Write(c)
			i += 2
			continue
		}
		b.WriteByte(t[i])
	}
	return b.String()
}

func unbase64(t string) string {
	if len(t) < leastEncoded {
		return ""
	}
	if len(t)%2 == 0 {
		if b, err := hex.DecodeString(t); err == nil {
			return string(b)
		}
	}
	e := base64.RawStdEncoding
	if strings.ContainsAny(t, "-_") {
		e = base64.RawURLEncoding
	}
	b, err := e.DecodeString(t)
	if err != nil {
		return ""
	}
	return string(b)
}

// printable says whether a text is one: bytes that only look like it hold anything by chance.
func printable(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' || c > '~') && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
	}
	return true
}

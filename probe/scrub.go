package probe

import (
	"net"
	"net/netip"
	"regexp"
	"strings"
)

// scrubbed stands where an address of our own stood; the word is OONI's (ooni/spec df-007).
const scrubbed = "[scrubbed]"

var (
	// nearEnd is the near end in Go's "read tcp 192.0.2.1:4000->198.51.100.1:443: …" (net.OpError).
	nearEnd = regexp.MustCompile(`[^\s"'(]+->`)
	// ipLike is whatever may be an IP address, with a zone; netip says whether it is one.
	ipLike = regexp.MustCompile(`[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]*[0-9A-Fa-f:](%[\w.-]+)?`)
	// dotted is what may be an IPv4 address.
	dotted = regexp.MustCompile(`\d+(\.\d+){3}`)
)

// scrub takes our own address out of an error's text: the near end of every pair, whatever it is,
// and the address of local (nil where there is none) in any spelling.
func scrub(text string, local net.Addr) string {
	text = nearEnd.ReplaceAllLiteralString(text, scrubbed+"->")
	if local == nil {
		return text
	}
	near, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return text
	}
	return scrubWhere(text, func(a netip.Addr) bool { return a == plain(near.Addr()) })
}

// scrubExcept takes out all addresses but one, the endpoint's: what a peer writes into its error may
// be the address that it sees us under.
func scrubExcept(text string, keep netip.Addr) string {
	return scrubWhere(text, func(a netip.Addr) bool { return a != plain(keep) })
}

func scrubWhere(text string, ours func(netip.Addr) bool) string {
	return ipLike.ReplaceAllStringFunc(text, func(s string) string {
		a, port, ok := addressIn(s)
		switch {
		case !ok: // perhaps behind letters that could be hexadecimal, as in "refused:192.0.2.1"
			return dotted.ReplaceAllStringFunc(s, func(d string) string {
				if a, err := netip.ParseAddr(d); err == nil && ours(a) {
					return scrubbed
				}
				return d
			})
		case ours(plain(a)):
			return scrubbed + port
		}
		return s
	})
}

// addressIn reads an address at the start of what looks like one; rest is a port, or the colon that
// error texts put behind an address.
func addressIn(s string) (a netip.Addr, rest string, ok bool) {
	for t := s; ; {
		if a, err := netip.ParseAddr(t); err == nil {
			return a, s[len(t):], true
		}
		i := strings.LastIndexByte(t, ':')
		if i < 0 {
			return netip.Addr{}, "", false
		}
		t = t[:i]
	}
}

// plain is an address in the one spelling that compares.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

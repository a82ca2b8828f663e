package probe

import (
	"net"
	"net/netip"
	"regexp"

	"github.com/telltale-probe/telltale/probe/privacy"
)

// A step takes what it can't help knowing out of its error at once. The rest, and whatever a step overlooks, is
// taken out of the round as a whole (Plan.Run, package privacy).

// nearEnd is the near end in Go's "read tcp 192.0.2.1:4000->198.51.100.1:443: …" (net.OpError).
var nearEnd = regexp.MustCompile(`[^\s"'(]+->`)

// scrub takes our own address out of an error's text: the near end of every pair, whatever it is,
// and the address of local (nil where there is none) in any spelling.
func scrub(text string, local net.Addr) string {
	text = nearEnd.ReplaceAllLiteralString(text, "[scrubbed]->")
	if local == nil {
		return text
	}
	near, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return text
	}
	return privacy.Addresses(text, func(a netip.Addr) bool { return a == plain(near.Addr()) })
}

// scrubExcept takes out all addresses but one, the endpoint's: what a peer writes into its error may
// be the address that it sees us under.
func scrubExcept(text string, keep netip.Addr) string {
	return privacy.Addresses(text, func(a netip.Addr) bool { return a != plain(keep) })
}

// ScrubAll takes all IP addresses out of a text, and what stands for our end of a connection.
func ScrubAll(text string) string {
	return privacy.Addresses(scrub(text, nil), func(netip.Addr) bool { return true })
}

// plain is an address in the one spelling that compares.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

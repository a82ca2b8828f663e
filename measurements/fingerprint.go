package measurements

import (
	"bytes"
	"net/netip"
	"net/url"
	"strings"
)

// blockAddresses are addresses that only block pages use. Seeing one in an answer is proof in hand.
//
// Iran: 10.10.34.34 and .35 stand in ooni/blocking-fingerprints; .36 and d0::11 in ooni/backend#543.
var blockAddresses = map[netip.Addr]string{
	netip.MustParseAddr("10.10.34.34"): "IR",
	netip.MustParseAddr("10.10.34.35"): "IR",
	netip.MustParseAddr("10.10.34.36"): "IR",
	netip.MustParseAddr("d0::11"):      "IR",
}

// blockPages are strings that only block pages hold. They are long enough that no ordinary page has
// them by chance, and they are looked for only where the channel is not the app's own. Their kind and
// countries follow the public collection ooni/blocking-fingerprints; the strings are the pages' own words.
var blockPages = []struct {
	pattern string
	country string
}{
	{`<iframe src="http://10.10.34.3`, "IR"},
	{"as per the directions received from Department of Telecommunications", "IN"},
	{"This website is not available in Malaysia as it violates the National law", "MY"},
	{"lamanlabuh.aduankonten.id", "ID"},
	{"internetpositif.id", "ID"},
	{"blocked by order of the Information and Communication Technologies Authority", "TR"},
	{"warning.or.kr", "KR"},
}

// knownBlockAddress gives the country whose block pages live at a, "" for any other address.
func knownBlockAddress(a netip.Addr) string { return blockAddresses[a.Unmap()] }

// knownBlockPage gives the country whose block page the body, or the Location of a redirect, shows.
func knownBlockPage(h *HTTP) string {
	if h == nil || h.Verified {
		return ""
	}
	if u, err := url.Parse(h.Location); err == nil && h.Location != "" {
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && knownBlockAddress(a) != "" {
			return knownBlockAddress(a)
		}
		for _, p := range blockPages {
			if strings.Contains(u.Hostname(), p.pattern) {
				return p.country
			}
		}
	}
	for _, p := range blockPages {
		if bytes.Contains(h.Body, []byte(p.pattern)) {
			return p.country
		}
	}
	return ""
}

// BlockPage gives the country whose block page an answer shows, in its body or in where it leads; "" for
// any other answer, and for whatever came over a verified channel. Bodies are kept by it.
func (h *HTTP) BlockPage() string { return knownBlockPage(h) }

// BlockAddress says whether only block pages live at an address.
func BlockAddress(a netip.Addr) bool { return knownBlockAddress(a) != "" }

// BlockPageWords are what block pages are known by: nothing that is taken out of a record may hurt them.
func BlockPageWords() []string {
	out := make([]string, len(blockPages))
	for i, p := range blockPages {
		out[i] = p.pattern
	}
	return out
}

// sameSite says whether a Location leads to one of the hosts, or to a host under the same last two
// labels: good enough to tell "to the login page of the same app" from "to somebody else's page".
func sameSite(location string, hosts []string) bool {
	u, err := url.Parse(location)
	if err != nil {
		return false
	}
	to := strings.ToLower(u.Hostname())
	if to == "" {
		return true // a path alone
	}
	for _, h := range hosts {
		if to == h || site(to) == site(h) {
			return true
		}
	}
	return false
}

func site(host string) string {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(labels) > 2 {
		labels = labels[len(labels)-2:]
	}
	return strings.Join(labels, ".")
}

// notRoutable says whether an address can't be a public server's: private, loopback, link-local,
// shared (RFC 6598), benchmarking (RFC 2544), multicast or unspecified (RFC 6890). The documentation
// ranges are left out on purpose: our laboratories live there.
func notRoutable(a netip.Addr) bool {
	a = a.Unmap()
	return !a.IsValid() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() ||
		sharedSpace.Contains(a) || benchmarking.Contains(a) || knownBlockAddress(a) != ""
}

var (
	sharedSpace  = netip.MustParsePrefix("100.64.0.0/10")
	benchmarking = netip.MustParsePrefix("198.18.0.0/15")
)

// network is a coarse stand-in for "who announces this address": the /16 of an IPv4 and the /32 of
// an IPv6 address. Two endpoints in different ones can belong to one operator, so that what rests on
// it alone is never more than suspected.
func network(a netip.Addr) netip.Prefix {
	bits := 16
	if !a.Unmap().Is4() {
		bits = 32
	}
	p, _ := a.Unmap().Prefix(bits)
	return p
}

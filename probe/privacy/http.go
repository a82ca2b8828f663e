package privacy

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/telltale-probe/telltale/measurements"
)

// mostBody bounds a page that is kept, as the probe does: what stands for an address may be longer than it.
const mostBody = 8 << 10

// http is an exchange without what is ours. A body is kept where it is a block page, which is what rules read in
// it, and no other: pages of portals and routers greet people by their names.
func (p *pass) http(in *measurements.HTTP) *measurements.HTTP {
	if in == nil {
		return nil
	}
	h := *in
	h.Location = p.location(h.Location)
	if _, err := http.ParseTime(h.Date); err != nil {
		h.Date = "" // it is no date
	}
	h.Body = nil
	if in.BlockPage() != "" && len(in.Body) > 0 {
		h.Body = []byte(p.text(string(in.Body)))
	}
	if cut := h; len(h.Body) > mostBody {
		if cut.Body = h.Body[:mostBody]; cut.BlockPage() != "" {
			h = cut
		}
	}
	return &h
}

// What the host of a redirect is replaced by: rules ask whether it is a name that homes alone have.
const (
	homeStandIn  = "scrubbed.home.arpa" // RFC 8375
	otherStandIn = "scrubbed.invalid"   // RFC 2606, section 2
)

// location is where a redirect leads, without what is ours. Its host is what rules look at, and stays what it is
// unless it is ours.
func (p *pass) location(s string) string {
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	begin := strings.Index(s, "//")
	if err != nil || u.Host == "" || begin < 0 {
		return p.text(s)
	}
	begin += len("//")
	end := len(s)
	if i := strings.IndexAny(s[begin:], "/?#"); i >= 0 {
		end = begin + i
	}
	authority := s[begin:end]
	authority = authority[strings.LastIndexByte(authority, '@')+1:] // without a name and a password
	if host := p.host(u.Hostname()); host != u.Hostname() {
		if authority = host; strings.Contains(host, ":") {
			authority = "[" + host + "]"
		}
		if u.Port() != "" {
			authority += ":" + u.Port()
		}
	}
	return s[:begin] + authority + p.text(s[end:])
}

// leadsTo is the address in a redirect; invalid where it leads to a name.
func leadsTo(location string) netip.Addr {
	u, err := url.Parse(location)
	if err != nil {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(u.Hostname())
	return a
}

// host is that of an address in the web.
func (p *pass) host(name string) string {
	if a, err := netip.ParseAddr(name); err == nil {
		if p.ours.has(a) {
			return p.standIn(a).String()
		}
		return name
	}
	low := bare(name)
	switch {
	case p.lexicon.known[low]:
	case slices.ContainsFunc(p.spared, func(w string) bool { return strings.Contains(low, w) }):
	case homeName(low):
		return homeStandIn
	case p.tells(low):
		return otherStandIn
	}
	return name
}

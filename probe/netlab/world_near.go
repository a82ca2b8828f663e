package netlab

import (
	"net/http"
	"net/netip"
	"time"
)

// Where block pages and the captive portal live. 198.51.100.0/24 is for documentation (RFC 5737):
// a page there is recognised by its words alone. 10.10.34.34 is the address that Iranian resolvers
// answer with (ooni/blocking-fingerprints), and its page frames that address.
var (
	blockPageHost = netip.AddrFrom4([4]byte{198, 51, 100, 99})
	blockPageIran = netip.AddrFrom4([4]byte{10, 10, 34, 34})
	captivePortal = netip.AddrFrom4([4]byte{192, 168, 8, 1})
)

// nearby is how far the ISP's own machines and those at home lie behind the access line, one way.
const nearby = 2 * time.Millisecond

const (
	blockPage = "<!doctype html>\n<html><head><title>Access to this site is restricted</title></head>\n" +
		"<body><h1>Access to this site is restricted</h1>\n" +
		"<p>Your requested URL has been blocked as per the directions received from Department of Telecommunications,\n" +
		"Government of India.\n</body></html>\n"
	blockPageFramed = "<html><head><meta charset=\"windows-1256\"><title>M5-8</title></head>\n" +
		"<body><iframe src=\"http://10.10.34.34?type=Invalid Site&policy=MainPolicy\" " +
		"style=\"width: 100%; height: 100%\" scrolling=\"no\"></iframe></body></html>\n"
	portalPage = "<!doctype html>\n<title>Welcome</title>\n<p>Log in to use this network.\n"
)

// blockPages puts up the machines that a forged answer, or a portal's redirect, leads to. They
// answer for every name, and their certificates lead to no root that anybody trusts.
func (p *plan) blockPages() {
	p.impostor(blockPageHost, http.StatusForbidden, blockPage, 80, 443)
	p.impostor(blockPageIran, http.StatusForbidden, blockPageFramed, 80)
	p.impostor(captivePortal, http.StatusOK, portalPage, 80, 443)
}

func (p *plan) impostor(at netip.Addr, status int, body string, ports ...uint16) {
	m := p.machine(at, "filter.example")
	m.issuer, m.near = p.forger, true
	m.anyHost = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
	for _, port := range ports {
		m.tcp[port] = overTLS
		if port == 80 {
			m.tcp[port] = clearHTTP
		}
	}
}

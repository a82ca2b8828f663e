package netlab

import "net/netip"

// PortalLogin is where the captive portal sends everybody.
const PortalLogin = "http://portal.lan/login"

// portalRedirect is what it answers every clear request with.
const portalRedirect = "HTTP/1.1 302 Found\r\nLocation: " + PortalLogin + "\r\n" +
	"Content-Length: 0\r\nConnection: close\r\n\r\n"

// PortalRules are a captive portal before the login, as rules for the wire: requests in clear are
// sent to the login page, TLS is answered with the portal's own certificate, everything else is
// eaten. forgeDNS makes it answer every name with its own address too; other portals leave DNS
// honest. The portal stands at the first hop.
func PortalRules(forgeDNS bool) []Rule {
	const here = 0.01
	rules := []Rule{
		{ID: "portal-http", Protocol: HTTP, Action: Page, Page: portalRedirect, Position: here},
		{ID: "portal-tls", Protocol: TLS, Action: Intercept, Page: portalRedirect, Position: here},
		{ID: "portal-quic", Protocol: UDP, Ports: []uint16{443}, Action: Drop, Position: here},
		// Chats and DoT go on ports where a portal has nothing to say.
		{ID: "portal-ports", Protocol: TCP, Ports: []uint16{853, 5222, 5223, 5228}, Action: Drop, Position: here},
	}
	if forgeDNS {
		rules = append(rules, Rule{
			ID: "portal-dns", Protocol: DNS, Names: []string{"*"}, Action: DNSForge,
			Answer: []netip.Addr{captivePortal}, Position: here,
		})
	}
	return rules
}

// CaptivePortal puts a captive portal on the vantage's line. Network.SetRules without arguments is
// the login.
func (w *World) CaptivePortal(forgeDNS bool) {
	w.network.Censor(PortalRules(forgeDNS)...)
}

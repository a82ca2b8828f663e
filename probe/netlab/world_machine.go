package netlab

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/telltale-probe/telltale/probe"
)

// service is what listens on a port.
type service int

// The services. Silent accepts, swallows what comes and says nothing: what a data centre looks like
// to somebody who does not speak its protocol.
const (
	silent service = iota
	mtproto
	whatsapp
	stun
	clearHTTP
	overTLS
	overQUIC
	plainDNS
	dnsOverTLS
	handedOver // to OtherHost
)

// machine is one address and all that listens there: an edge of some operator, a data centre, a
// resolver.
type machine struct {
	address  netip.Addr
	operator string
	issuer   *certifier
	newcomer *certifier       // issues what no bundle knows yet
	sites    map[string]*site // by lower-case name
	anyHost  http.HandlerFunc // answers for every name that is not in sites; nil: 404
	dns      *resolver        // behind plainDNS and dnsOverTLS
	tcp, udp map[uint16]service
	clock    time.Duration // ahead of the vantage's
	heard    func(*http.Request)
	inside   func([]byte, int) // what is said in WebSockets; may be nil
	own      *OtherHost        // behind handedOver
	near     bool              // with the ISP or at home
	renewed  time.Time         // when its certificates were made anew; zero: they are the first
	trouble  trouble

	// While it runs.
	closers []func() error
	gone    chan struct{} // closed when it stops
	tasks   sync.WaitGroup
}

// site gives the site of that name, and makes an empty one if there is none.
func (m *machine) site(name string) *site {
	name = strings.ToLower(name)
	s := m.sites[name]
	if s == nil {
		s = &site{name: name, paths: make(map[string]http.HandlerFunc)}
		m.sites[name] = s
	}
	return s
}

// open opens what a target's probes ask for on its ports. A port that two targets want for
// different things gets the more talkative service: one that is to stay silent is served by it too.
func (m *machine) open(ports []uint16, probes []probe.Probe) {
	secure := slices.ContainsFunc(probes, isSecure)
	inClear := slices.Contains(probes, probe.ProbeHTTP)
	for _, port := range ports {
		kind := silent
		switch {
		case slices.Equal(probes, []probe.Probe{probe.ProbeSTUN}):
			m.udp[port] = max(m.udp[port], stun)
			continue
		case slices.Contains(probes, probe.ProbeMTProto):
			kind = mtproto
		case slices.Contains(probes, probe.ProbeWhatsApp):
			kind = whatsapp
		case secure && (!inClear || port != 80): // with both, port 80 is the clear one
			kind = overTLS
		case inClear:
			kind = clearHTTP
		case slices.Equal(probes, []probe.Probe{probe.ProbeH3}):
			kind = overTLS // h3 alone: Alt-Svc has to be said somewhere
		}
		m.tcp[port] = max(m.tcp[port], kind)
	}
	if slices.Contains(probes, probe.ProbeH3) {
		m.udp[quicPort(ports)] = overQUIC
	}
}

func isSecure(p probe.Probe) bool {
	switch p {
	case probe.ProbeTLS, probe.ProbeHTTPS, probe.ProbeWSS, probe.ProbeLEGY:
		return true
	}
	return false
}

// quicPort is the port of h3: 443 where it is among the target's, else the first.
func quicPort(ports []uint16) uint16 {
	if len(ports) == 0 || slices.Contains(ports, 443) {
		return 443
	}
	return ports[0]
}

func (m *machine) answerDNS(r *resolver) {
	m.dns = r
	m.tcp[53], m.udp[53] = plainDNS, plainDNS
}

// answerEncryptedDNS adds what the URL of a resolver names to what every public one has.
func (m *machine) answerEncryptedDNS(name string, u *url.URL) {
	m.tcp[853], m.tcp[443] = dnsOverTLS, overTLS
	path := "/dns-query" // RFC 8484 leaves it open; this is the usual one
	switch u.Scheme {
	case "tls":
		m.tcp[portOf(u, 853)] = dnsOverTLS
	case "https":
		m.tcp[portOf(u, 443)] = overTLS
		path = pathOf(u.Path)
	}
	// Asked by address, a client sends no SNI and the address as Host.
	host := m.address.String()
	if name != "" {
		host = name
	}
	for _, h := range []string{host, m.address.String()} {
		m.site(h).paths[path] = m.dns.overHTTPS
	}
}

package probe

import (
	"crypto/x509"
	"net/netip"

	"github.com/telltale-probe/telltale/measurements"
)

// App is what people use; its targets are what we measure of it.
type App struct {
	ID       string // "telegram"; never shown as "service" (it clashes with Prometheus target labels)
	Name     string
	Reviewed string // date of the last review, YYYY-MM-DD
	Targets  []Target
}

// Target is one role in an app. Its id is keyed by role, not by host name, so that a rename of a
// host is no false change.
type Target struct {
	ID        string
	Why       string       // why it stands for the app
	Source    string       // where its endpoints are published
	Reviewed  string       // date of the last review, YYYY-MM-DD
	Hosts     []string     // empty for a target that is addresses alone (data centres)
	Addresses []netip.Addr // known-good; used when the resolver lies
	Ports     []uint16     // at least one
	// Roots are the app's own, and then the only ones that prove it; none: the host's.
	Roots     []*x509.Certificate
	Neutral   string  // a name that the same edge serves too (control N); "" = a random label under example.com
	Path      string  // of the HTTP exchange
	Probes    []Probe // at least one
	Essential bool
	Group     string // targets of one group are alternatives: one of them is enough
}

// Probe is a word of the catalogue: which steps a target wants.
type Probe string

// The words. MTProto and WhatsApp measure TCP alone until their handshakes are spoken: data
// centres speak no TLS, and the chat hosts show a self-signed certificate.
const (
	ProbeTCP      Probe = "tcp"      // connect, stay silent a moment
	ProbeTLS      Probe = "tls"      // … and a verified handshake
	ProbeHTTPS    Probe = "https"    // … and one exchange over it
	ProbeHTTP     Probe = "http"     // one exchange in clear
	ProbeH3       Probe = "h3"       // a QUIC handshake and one exchange over it
	ProbeWSS      Probe = "wss"      // like https; the upgrade itself comes with the app handshakes
	ProbeMTProto  Probe = "mtproto"  // like tcp, until the app handshakes
	ProbeWhatsApp Probe = "whatsapp" // like tcp, until the app handshakes
	ProbeLEGY     Probe = "legy"     // like https, until the app handshakes
)

// Probes lists every word, in the order of the documentation.
var Probes = []Probe{ProbeTCP, ProbeTLS, ProbeHTTPS, ProbeHTTP, ProbeH3, ProbeWSS, ProbeMTProto, ProbeWhatsApp, ProbeLEGY}

// Control is a neutral host of the gate: it says whether our own line works.
type Control struct {
	Host      string
	Operator  string // the gate wants several
	Scope     string // "foreign" or "domestic"
	Country   string // of a domestic one
	Addresses []netip.Addr
	Path      string
	Probes    []Probe // of "https", "h3", "http"
}

// Resolver is a way to resolve names.
//
// The URL's scheme is the transport: "udp", "tcp" (RFC 1035), "tls" (DoT, RFC 7858), "https" (DoH,
// RFC 8484). The host of "tls" and "https" may be a name: Addresses then says where to reach it, and
// without Addresses the system's resolver is asked for it.
type Resolver struct {
	URL       string
	Addresses []netip.Addr
}

// Layers lists the layers at which a target's probes make steps, in order.
func (t *Target) Layers() []measurements.Layer {
	want := map[measurements.Layer]bool{measurements.LayerDNS: len(t.Hosts) > 0}
	for _, w := range t.Probes {
		for _, l := range layersOf[w] {
			want[l] = true
		}
	}
	var out []measurements.Layer
	for _, l := range measurements.Layers {
		if want[l] {
			out = append(out, l)
		}
	}
	return out
}

var layersOf = map[Probe][]measurements.Layer{
	ProbeTCP:      {measurements.LayerTCP},
	ProbeMTProto:  {measurements.LayerTCP},
	ProbeWhatsApp: {measurements.LayerTCP},
	ProbeTLS:      {measurements.LayerTCP, measurements.LayerTLS},
	ProbeHTTPS:    {measurements.LayerTCP, measurements.LayerTLS, measurements.LayerHTTP},
	ProbeWSS:      {measurements.LayerTCP, measurements.LayerTLS, measurements.LayerHTTP},
	ProbeLEGY:     {measurements.LayerTCP, measurements.LayerTLS, measurements.LayerHTTP},
	ProbeHTTP:     {measurements.LayerTCP, measurements.LayerHTTP},
	ProbeH3:       {measurements.LayerQUIC, measurements.LayerHTTP},
}

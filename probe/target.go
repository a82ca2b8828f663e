package probe

import (
	"crypto/rsa"
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
	Roots []*x509.Certificate
	// ProofHeader is a header of answers over HTTP that the app alone sends; "": there is none.
	ProofHeader string
	// Speaks is the app's protocol inside a WebSocket (measurements.MTProto, …); "": the upgrade is all.
	Speaks string
	// Origin and Subprotocol go into the request for a WebSocket; "": left out.
	Origin, Subprotocol string
	// Keys are those of Telegram's servers, and DC is which of its data centres this is.
	Keys []*rsa.PublicKey
	DC   int
	// NoiseRoot signs the certificates of WhatsApp's chat servers.
	NoiseRoot [32]byte

	Neutral   string  // a name that the same edge serves too (control N); "" = a random label under example.com
	Path      string  // of the HTTP exchange
	Probes    []Probe // at least one
	Essential bool
	Group     string // targets of one group are alternatives: one of them is enough
}

// Probe is a word of the catalogue: which steps a target wants.
type Probe string

// The words. Telegram's data centres speak no TLS, and WhatsApp's chat hosts show a certificate of their
// own making: there, only the app's own handshake can tell who answers.
const (
	ProbeTCP      Probe = "tcp"      // connect, stay silent a moment
	ProbeTLS      Probe = "tls"      // … and a verified handshake
	ProbeHTTPS    Probe = "https"    // … and one exchange over it
	ProbeHTTP     Probe = "http"     // one exchange in clear
	ProbeH3       Probe = "h3"       // a QUIC handshake and one exchange over it
	ProbeWSS      Probe = "wss"      // … and the upgrade to a WebSocket, and what the target speaks in it
	ProbeMTProto  Probe = "mtproto"  // connect, and Telegram's first exchange
	ProbeWhatsApp Probe = "whatsapp" // connect, and WhatsApp's first exchange where that is allowed (Plan.Opaque)
	ProbeLEGY     Probe = "legy"     // like https, and the status of LINE's gateway inside the answer
	ProbeSTUN     Probe = "stun"     // a binding request over UDP
)

// Probes lists every word, in the order of the documentation.
var Probes = []Probe{ProbeTCP, ProbeTLS, ProbeHTTPS, ProbeHTTP, ProbeH3, ProbeWSS, ProbeMTProto, ProbeWhatsApp, ProbeLEGY, ProbeSTUN}

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
		want[measurements.LayerApp] = want[measurements.LayerApp] || t.asksForProof(w)
	}
	var out []measurements.Layer
	for _, l := range measurements.Layers {
		if want[l] {
			out = append(out, l)
		}
	}
	return out
}

// asksForProof says whether a probe asks more of an answer over HTTP than that it came.
func (t *Target) asksForProof(w Probe) bool {
	switch w {
	case ProbeHTTPS, ProbeH3:
		return t.ProofHeader != ""
	case ProbeWSS:
		return t.Speaks != ""
	}
	return false
}

var layersOf = map[Probe][]measurements.Layer{
	ProbeTCP:      {measurements.LayerTCP},
	ProbeMTProto:  {measurements.LayerTCP, measurements.LayerApp},
	ProbeWhatsApp: {measurements.LayerTCP, measurements.LayerApp},
	ProbeTLS:      {measurements.LayerTCP, measurements.LayerTLS},
	ProbeHTTPS:    {measurements.LayerTCP, measurements.LayerTLS, measurements.LayerHTTP},
	ProbeWSS:      {measurements.LayerTCP, measurements.LayerTLS, measurements.LayerHTTP},
	ProbeLEGY:     {measurements.LayerTCP, measurements.LayerTLS, measurements.LayerHTTP, measurements.LayerApp},
	ProbeSTUN:     {measurements.LayerApp},
	ProbeHTTP:     {measurements.LayerTCP, measurements.LayerHTTP},
	ProbeH3:       {measurements.LayerQUIC, measurements.LayerHTTP},
}

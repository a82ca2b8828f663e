package measurements

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"time"
)

// Operation is the kind of a step: one network operation with one way to fail.
type Operation string

// The operations. HTTPExchange runs over clear TCP, TLS or QUIC: Observation.Transport tells.
const (
	Resolve       Operation = "resolve"
	Connect       Operation = "connect"
	Settle        Operation = "settle" // stay silent on a fresh connection: does it die before we sent a byte?
	TLSHandshake  Operation = "tls_handshake"
	HTTPExchange  Operation = "http_exchange"
	QUICHandshake Operation = "quic_handshake"
	QUICVersion   Operation = "quic_version_ping" // control V
	AppHandshake  Operation = "app_handshake"     // the app's own first exchange
	Transfer      Operation = "transfer"          // how a large body comes; it belongs to no layer of a visit
)

// Layer is where a failure shows.
type Layer string

// The layers, in the order in which a connection passes them.
const (
	LayerDNS  Layer = "dns"
	LayerTCP  Layer = "tcp"
	LayerTLS  Layer = "tls"
	LayerHTTP Layer = "http"
	LayerQUIC Layer = "quic"
	LayerApp  Layer = "app"
)

// Layers lists all layers in order.
var Layers = []Layer{LayerDNS, LayerTCP, LayerTLS, LayerHTTP, LayerQUIC, LayerApp}

// Layer maps the operation to its layer.
func (op Operation) Layer() Layer {
	switch op {
	case Resolve:
		return LayerDNS
	case Connect, Settle:
		return LayerTCP
	case TLSHandshake:
		return LayerTLS
	case HTTPExchange:
		return LayerHTTP
	case QUICHandshake, QUICVersion:
		return LayerQUIC
	case AppHandshake:
		return LayerApp
	}
	return ""
}

// Family is the IP family. Findings are made for each apart (IPv6 that is dead at home is not censorship).
type Family string

// The two families.
const (
	IPv4 Family = "ipv4"
	IPv6 Family = "ipv6"
)

// FamilyOf gives the family of an address; a v4-mapped v6 address is IPv4.
func FamilyOf(a netip.Addr) Family {
	if a.Unmap().Is4() {
		return IPv4
	}
	return IPv6
}

// other is the other family.
func (f Family) other() Family {
	if f == IPv4 {
		return IPv6
	}
	return IPv4
}

// Control names what was changed against the target's own step; see DESIGN's table. "" is the
// target T itself.
type Control string

// The controls of a round.
const (
	T Control = ""  // the target itself
	N Control = "N" // a neutral name at the same place
	X Control = "X" // the target's name at another address: a helper's
	D Control = "D" // another way to resolve
	V Control = "V" // a QUIC version-negotiation ping
	P Control = "P" // another port of the same address
	F Control = "F" // the other IP family
	R Control = "R" // the reference vantage; it makes no observations of ours
)

// Origin says how we came by an address.
type Origin string

// The origins.
const (
	FromSystem    Origin = "system"    // the resolver under test
	FromTrusted   Origin = "trusted"   // control D
	FromCatalogue Origin = "catalogue" // known-good, from the catalogue or the config
	FromHelper    Origin = "helper"    // announced by the reference vantage for control X: no address of the target's
)

// Shape is the form of our ClientHello. The first two differ in size alone: what a filter that does not
// reassemble, or a path that loses large packets, treats differently.
type Shape string

// The shapes. Small fits one TCP segment and one QUIC datagram (X25519 alone); Default is Go's
// own, with the post-quantum key share, and needs two of each. Old offers TLS 1.2 alone, in which the
// server's certificate passes in clear (RFC 5246, section 7.4.2).
const (
	Small   Shape = "small"
	Default Shape = "default"
	Old     Shape = "tls12"
)

// Seconds is a duration that JSON shows in seconds.
type Seconds time.Duration

// MarshalJSON writes seconds with the precision of a microsecond.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(s).Round(time.Microsecond).Seconds())
}

// UnmarshalJSON reads seconds.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	ns := math.Round(f * float64(time.Second))
	if math.Abs(ns) >= math.MaxInt64 { // what a float64 is rounded to; a conversion would give anything
		return fmt.Errorf("a time of %g s is out of bounds", f)
	}
	*s = Seconds(ns)
	return nil
}

// Observation is what one step saw. It is complete on failure too. Steps fill everything but
// Target, Control, Trial, Conn, Origin and Again, which say what the step was for, and SinceTrigger: the
// round fills those, and in DNS what it alone knows (Behind, Pinned, Further).
type Observation struct {
	Target  string  `json:"target"`            // the target's id; a control host's name in the gate
	Control Control `json:"control,omitempty"` // what was changed against the target's own step
	Trial   int     `json:"trial,omitempty"`   // N and T of one trial share it; 0 outside a trial
	Conn    int     `json:"conn,omitempty"`    // steps on one connection share it
	Origin  Origin  `json:"origin,omitempty"`  // how we came by the address
	// Again: of a neutral host whose handshake the gate saw answered or killed, asked once more because
	// something failed, or was silent for long, at that moment.
	Again bool `json:"again,omitempty"`

	Operation Operation `json:"operation"`
	Transport string    `json:"transport,omitempty"` // "udp" or "tcp" for resolve; "tcp", "tls" or "quic" below HTTP
	Family    Family    `json:"ip_family,omitempty"` // of the endpoint; of the wanted addresses for resolve
	Endpoint  string    `json:"endpoint,omitempty"`  // "ip:port"
	Name      string    `json:"name,omitempty"`      // the name asked for, sent as SNI, or as Host

	Failure Failure   `json:"failure,omitempty"`
	Error   string    `json:"error,omitempty"` // the Go error verbatim, but for what tells who the volunteer is
	Started time.Time `json:"started"`
	// Duration of the step; for a failure, the time until it showed.
	Duration Seconds `json:"duration"`
	// SinceTrigger is how long before this step a target of ours had failed at the same (transport, ip, port),
	// before this visit: what fails within minutes of that may be residual blocking, not the name (Bock et al.,
	// WOOT 2021). 0 where none is known to have failed within a day.
	SinceTrigger Seconds `json:"since_trigger,omitempty"`
	// Sent and Received count payload bytes of this step (not headers below TCP or UDP).
	Sent     int64 `json:"sent"`
	Received int64 `json:"received"`

	LocalPort uint16     `json:"local_port,omitempty"` // our source port: some filters look at it
	DNS       *DNS       `json:"dns,omitempty"`
	TCP       *TCPInfo   `json:"tcp_info,omitempty"`
	ICMP      *ICMPError `json:"icmp,omitempty"`
	TLS       *TLS       `json:"tls,omitempty"`
	HTTP      *HTTP      `json:"http,omitempty"`
	QUIC      *QUICInfo  `json:"quic,omitempty"`
	Transfer  *Body      `json:"transfer,omitempty"`
	App       *Handshake `json:"app,omitempty"`
}

// OK says whether the step succeeded.
func (o *Observation) OK() bool { return o.Failure == "" }

// Layer is where this step's failure would show.
func (o *Observation) Layer() Layer { return o.Operation.Layer() }

// Addr is the address of the endpoint; invalid where there is none.
func (o *Observation) Addr() netip.Addr {
	ap, err := netip.ParseAddrPort(o.Endpoint)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr()
}

// roundTrip is the time of a connect that passed: the kernel's own where it is less.
func (o *Observation) roundTrip() Seconds {
	if o.TCP != nil && o.TCP.MinRTT > 0 {
		return min(o.Duration, o.TCP.MinRTT)
	}
	return o.Duration
}

// TCPInfo is the kernel's view of the connection when the step ended (Linux, TCP_INFO). There is none
// where the platform does not give it, and netlab gives BytesAcked alone: times of 0 are not known.
type TCPInfo struct {
	RTT           Seconds `json:"rtt"`
	MinRTT        Seconds `json:"min_rtt"`
	Retransmits   uint32  `json:"retransmits"`
	BytesAcked    uint64  `json:"bytes_acked"`
	BytesReceived uint64  `json:"bytes_received"`
}

// HTTP is what an HTTP exchange saw.
type HTTP struct {
	Method   string `json:"method"`
	Path     string `json:"path"`
	Proto    string `json:"proto,omitempty"` // "http/1.1", "h2", "h3"
	Status   int    `json:"status"`          // 0 where no answer came
	Location string `json:"location,omitempty"`
	AltSvcH3 bool   `json:"alt_svc_h3,omitempty"` // the answer's Alt-Svc offers h3
	Date     string `json:"date,omitempty"`       // the answer's Date header
	// Proved: the answer has the header that the app alone sends (Target.ProofHeader, x-lc of LEGY).
	Proved bool `json:"proved,omitempty"`
	// AppStatus is the status inside that header, where it holds one; 0 where not.
	AppStatus     int   `json:"app_status,omitempty"`
	BodyBytes     int64 `json:"body_bytes"`
	BodyTruncated bool  `json:"body_truncated,omitempty"`
	// Body is kept only where it is a block page (BlockPage): up to 8 KiB, without what tells who the volunteer is.
	Body     []byte `json:"body,omitempty"`
	Verified bool   `json:"verified"` // over TLS or QUIC with a chain that verifies for the name
}

// QUICInfo is what a QUIC handshake saw beside TLS.
type QUICInfo struct {
	Version           string `json:"version,omitempty"`
	DatagramsSent     int    `json:"datagrams_sent"`
	DatagramsReceived int    `json:"datagrams_received"`
	// FirstHop, of a version ping that was not to get far: this machine or the first router refused it; or, after
	// silence, the first router or what stands right behind it swallowed it, while one to another port got farther.
	// False also where nobody can tell.
	FirstHop bool `json:"first_hop,omitempty"`
	// Farther, of such a ping: it got beyond the first router.
	Farther bool `json:"farther,omitempty"`
}

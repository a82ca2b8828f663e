package measurements

import (
	"crypto/x509"
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
// Target, Control, Trial, Conn, Origin and Again, which say what the step was for: the round fills those.
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

// SystemResolver is DNS.Resolver for the resolvers that the machine's own programs use: their
// addresses may be the home's own, and stay out of the record.
const SystemResolver = "system"

// DNS is what a resolve step saw.
type DNS struct {
	Resolver string `json:"resolver"` // "system", or the URL of a configured one
	// Behind: it is the one that a stub on this machine asks in turn, asked directly. The name was asked
	// of the stub as well, and that answer is what programs get.
	Behind    bool         `json:"behind,omitempty"`
	Class     string       `json:"class"`     // "home" (private or loopback address), "public", or "" when not known
	Transport string       `json:"transport"` // "udp", "tcp", "dot", "doh"
	Type      string       `json:"type"`      // "A" or "AAAA"
	Rcode     int          `json:"rcode"`     // -1 where no answer came
	Attempts  int          `json:"attempts"`  // UDP is asked up to three times
	Addresses []netip.Addr `json:"addresses,omitempty"`
	CNAMEs    []string     `json:"cnames,omitempty"`
	TTL       uint32       `json:"ttl"` // least TTL of the answers, seconds
	// Late holds the further answers to the same query (same id and question), in order of
	// arrival, until half a second after the first. Identical repeats are left out.
	Late []DNSAnswer `json:"late,omitempty"`
	Raw  []byte      `json:"raw,omitempty"` // the first answer's wire form; left out where it tells of the home
	// Identity is what the resolver calls itself (version.bind CH TXT, RFC 4892): it tells another
	// resolver behind the same address. Of one at home there is a mark alone, the same for the same name.
	Identity string `json:"identity,omitempty"`
	// Pinned is where this machine's hosts file leads the name, whatever a resolver says: a "loopback",
	// "private" or "public" address; "" where it has no entry. The address itself may be the home's.
	Pinned string `json:"pinned,omitempty"`
	// Further says what was changed in a further question to the resolver under test about a name for which it had
	// just failed: a word below; "" in the first question.
	Further string `json:"further,omitempty"`
	// Extended are the codes with which the resolver says why it failed (RFC 8914); none where it does not.
	Extended []int `json:"extended_errors,omitempty"`
	// Negative is how long, in seconds, a denial may be kept, by the SOA of a zone that the name belongs to
	// (RFC 2308, section 5); 0 where it came without one.
	Negative uint32 `json:"negative_ttl,omitempty"`
	// HopLimit is the IP hop limit (TTL) with which the first answer over UDP came; 0 where the platform
	// does not tell. One who answers in the resolver's place stands elsewhere (Anonymous et al., FOCI 2020).
	HopLimit int `json:"hop_limit,omitempty"`
}

// The words of DNS.Further.
const (
	AskedAgain     = "again"     // nothing but the time
	AskedUnchecked = "unchecked" // the resolver was asked not to validate (RFC 4035, section 3.2.2)
	AskedPatiently = "patiently" // longer than programs wait
)

// DNSAnswer is one further answer to a query that had one already.
type DNSAnswer struct {
	After     Seconds      `json:"after"` // after the query was sent
	HopLimit  int          `json:"hop_limit,omitempty"`
	Rcode     int          `json:"rcode"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
}

// TCPInfo is the kernel's view of the connection when the step ended, where the platform gives it
// (Linux, TCP_INFO). All zero in netlab and elsewhere means "not known".
type TCPInfo struct {
	RTT           Seconds `json:"rtt"`
	MinRTT        Seconds `json:"min_rtt"`
	Retransmits   uint32  `json:"retransmits"`
	BytesAcked    uint64  `json:"bytes_acked"`
	BytesReceived uint64  `json:"bytes_received"`
}

// TLS is what a TLS handshake saw, over TCP or inside QUIC.
type TLS struct {
	Shape      Shape    `json:"shape"`
	JA4        string   `json:"ja4,omitempty"` // of the hello that we sent
	Version    string   `json:"version,omitempty"`
	Cipher     string   `json:"cipher,omitempty"`
	ALPN       string   `json:"alpn,omitempty"`
	Chain      [][]byte `json:"-"`                     // DER, leaf first; kept on failure too, unless it names the home (evidence stores it apart)
	ChainRoot  string   `json:"chain_root,omitempty"`  // where it leads, whatever the name and the date: a word below; "" no chain
	LeafNames  []string `json:"leaf_names,omitempty"`  // DNS names of the leaf, the first 8
	LeafIssuer string   `json:"leaf_issuer,omitempty"` // issuer of the leaf; of a box at home a mark, the same for the same one
	// Logged: the leaf says that it stands in a public log (RFC 6962, section 3.3), as those of public
	// authorities do, and those that a box makes up do not.
	Logged bool `json:"logged,omitempty"`
	// ValidFrom and ValidUntil are the leaf's time; set only where the chain proves the server but for the
	// date: it was refused, and holds for the name at one end of that time.
	ValidFrom  time.Time `json:"valid_from,omitzero"`
	ValidUntil time.Time `json:"valid_until,omitzero"`
	// FirstBytes are the first bytes that the peer sent, up to 256: proof of a not-TLS answer. Of TLS there is the
	// server's hello at most: a certificate may follow it.
	FirstBytes []byte `json:"first_bytes,omitempty"`
}

// The words of TLS.ChainRoot, in the order in which they are tried.
const (
	RootBundle = "bundle" // the dated bundle of Mozilla's roots
	RootExtra  = "extra"  // a root that the configuration adds
	RootTarget = "target" // the target's own root, as the catalogue has it
	RootSystem = "system" // a root that this machine's own store alone trusts: no proof of the server
	RootNone   = "none"   // no root
)

// proves says whether the chain leads to a root that proves a server.
func (t *TLS) proves() bool {
	return t != nil && (t.ChainRoot == RootBundle || t.ChainRoot == RootExtra || t.ChainRoot == RootTarget)
}

// outOfDate says whether a chain was refused that proves the server but for the date.
func (t *TLS) outOfDate() bool { return t != nil && !t.ValidUntil.IsZero() }

// foreignTo says whether a certificate was shown that is not for a name.
func (t *TLS) foreignTo(name string) bool {
	if t == nil || len(t.Chain) == 0 {
		return false
	}
	leaf, err := x509.ParseCertificate(t.Chain[0])
	return err == nil && leaf.VerifyHostname(name) != nil
}

// foreign says whether a chain was shown that leads to no such root.
func (t *TLS) foreign() bool {
	return t != nil && (t.ChainRoot == RootSystem || t.ChainRoot == RootNone)
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

package netlab

import (
	"net/netip"
	"time"
)

// Rule is one censor, impairment or fault on the path: what it matches, and what it does then.
// Rules are data: a scenario file's [[rule]] is decoded into this. An empty matcher matches all;
// the matchers that are set must all match. Rules are tried in order; the first that fires on a
// packet decides (throttle, loss and delay compose with what follows).
type Rule struct {
	ID string `toml:"id"` // unique in its scenario; the mutation test switches rules off by it

	// What it matches.

	Addresses []netip.Prefix `toml:"addresses"` // the server's address
	Ports     []uint16       `toml:"ports"`     // the server's port
	// Names are DNS names, matched against the trigger of the protocol: the query name, the SNI of
	// a ClientHello or of a decrypted QUIC Initial, the Host of a clear HTTP request. ".x.org"
	// matches x.org and everything below it; "*" any name; a name is matched whole otherwise.
	Names []string `toml:"names"`
	// Substring makes Names match anywhere inside the name (the t.co mistake of 2021).
	Substring bool     `toml:"substring"`
	Protocol  Protocol `toml:"protocol"`  // where it looks; "" = any packet
	Direction string   `toml:"direction"` // "out" (default: from the vantage), "in", "both"
	Family    string   `toml:"family"`    // "ipv4", "ipv6" or ""
	// Spares and SparesNames are what a white list lets pass: servers' addresses, and names as in Names.
	Spares      []netip.Prefix `toml:"spares"`
	SparesNames []string       `toml:"spares_names"`
	// Prefixes, in hex, are how the first bytes of a stream in clear begin; Random: they look like chance.
	Prefixes []string      `toml:"prefixes"`
	Random   bool          `toml:"random"`
	Shape    string        `toml:"shape"` // "small": hello of one segment or datagram; "large": of several; ""
	From     time.Duration `toml:"-"`     // window of activity since the lab's start; zero Until = no end
	Until    time.Duration `toml:"-"`
	// Probability that it fires where it matches; 0 means always.
	Probability float64 `toml:"probability"`

	// What it does.

	Action Action `toml:"action"`
	// ICMP type 3 code (IPv4 numbers) of action "icmp": 0, 1, 3, 9, 10, 13.
	Code int `toml:"code"`
	// Answer is what "dns_forge" answers with.
	Answer []netip.Addr `toml:"answer"`
	// OnPath: the genuine packet goes on too (an injector that races); otherwise it is eaten. An
	// injector of DNS answers that races does not keep others from the query: several may answer it. A
	// drop on the path lets the packet pass that shows its trigger, and waits for Delay.
	OnPath bool `toml:"on_path"`
	// Page is the HTTP message that "page" injects, and "intercept" serves behind its false chain.
	Page string `toml:"page"`
	// Expired: what "intercept" forges has expired three days ago.
	Expired bool `toml:"expired"`
	// Lie is how "imposter" lies: a word of app.MTProtoLie or app.WhatsAppFalsity; "" names keys of its own.
	Lie string `toml:"lie"`
	// After lets that many bytes of the server's stream pass before "cut" acts.
	After int64 `toml:"after"`
	// Rate of "throttle", bit/s.
	Rate int64 `toml:"rate"`
	// Alert is the TLS alert number of "alert"; of "quic_close" the close code (0x100+alert for TLS alerts).
	Alert int `toml:"alert"`
	// Delay of "delay"; how much later than it could a forged DNS answer comes; how long after its trigger
	// an on-path drop with Residual begins.
	Delay time.Duration `toml:"-"`
	// Residual: after it fired, everything between the vantage and that (address, port) over that
	// transport meets the same action for so long.
	Residual time.Duration `toml:"-"`
	// Position on the path, 0 at the vantage, 1 at the server: how early an injected answer comes,
	// and whose address an ICMP error bears. 0 means 0.25.
	Position float64 `toml:"position"`
}

// Protocol says where in a flow a rule looks for its trigger.
type Protocol string

// The protocols. TCP matches the SYN, TLS the ClientHello, HTTP a clear request, DNS a query over
// UDP or TCP port 53, QUIC a version-1 Initial (decrypted if Names is set), UDP any datagram. Any
// matches SYNs and datagrams, and with Names whatever bears a name.
const (
	Any  Protocol = ""
	TCP  Protocol = "tcp"
	TLS  Protocol = "tls"
	HTTP Protocol = "http"
	DNS  Protocol = "dns"
	UDP  Protocol = "udp"
	QUIC Protocol = "quic"
	// Other matches the first bytes of a stream that is none of these; Clear those and a clear HTTP request.
	Other Protocol = "other"
	Clear Protocol = "clear"
	// Certificate matches the names in a certificate that a server shows in clear, in TLS 1.2.
	Certificate Protocol = "certificate"
)

// Action is what a rule does.
type Action string

// The actions.
const (
	Pass        Action = "pass"         // let it through, whatever the rules behind it say
	Drop        Action = "drop"         // eat the flow from here on: silence
	Reset       Action = "reset"        // RST to the vantage; to a SYN: refused
	AcceptReset Action = "accept_reset" // answer the SYN, then RST before any byte
	AcceptClose Action = "accept_close" // answer the SYN, then FIN before any byte
	Close       Action = "close"        // FIN
	ICMP        Action = "icmp"         // destination unreachable, with Code
	AlertAction Action = "alert"        // a TLS alert, with Alert
	Page        Action = "page"         // bytes in clear, then FIN
	Imposter    Action = "imposter"     // speak an app's protocol in its server's place, with Lie
	Intercept   Action = "intercept"    // complete the TLS handshake under another root
	Cut         Action = "cut"          // stall after After bytes of the server's stream
	CutReset    Action = "cut_reset"    // RST after After bytes of the server's stream
	CutClose    Action = "cut_close"    // FIN after After bytes of the server's stream
	Throttle    Action = "throttle"     // limit the flow to Rate
	Delay       Action = "delay"        // add Delay one way
	Lose        Action = "lose"         // lose single packets with Probability (TCP retransmits)

	DNSForge    Action = "dns_forge" // answer with Answer
	DNSNXDomain Action = "dns_nxdomain"
	DNSServfail Action = "dns_servfail"
	DNSRefused  Action = "dns_refused"
	DNSEmpty    Action = "dns_empty" // NOERROR without an answer
	// DNSRedirect sends UDP queries to the resolver Answer instead, and its answers back as if from
	// the one that was asked.
	DNSRedirect Action = "dns_redirect"

	QUICVersion Action = "quic_version" // a forged version negotiation
	QUICClose   Action = "quic_close"   // a forged CONNECTION_CLOSE, with Alert as its code
)

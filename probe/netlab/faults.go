package netlab

import (
	"net/netip"
	"time"

	"github.com/telltale-probe/telltale/probe/app"
)

// Fault is innocent trouble at a server: what a prober must never take for censorship. Faults are
// data: a scenario file's [[fault]] is decoded into this. They are in place from the world's start.
type Fault struct {
	Kind FaultKind `toml:"kind"`

	// Host says whose trouble it is. What concerns a whole machine (down, refuse, mute …) hits every
	// name that shares its addresses.
	Host string `toml:"host"`
	// Address narrows it to one machine; without Host it concerns all that is there. Data centres
	// and resolvers are named so.
	Address netip.Addr `toml:"address"`

	Status     int    `toml:"status"`     // of http_status; of app_refuses, whose errors have the same numbers (0: 404)
	Location   string `toml:"location"`   // of http_status with a redirect
	Advertised bool   `toml:"advertised"` // of no_h3: Alt-Svc goes on offering it

	Framing app.Transport `toml:"framing"` // of no_framing
	Port    uint16        `toml:"port"`    // of no_framing; 0 is every port

	Latency Span    `toml:"latency"` // of slow: added one way
	Rate    int64   `toml:"rate"`    // of slow and slow_name: bit/s; 0 = unlimited
	Loss    float64 `toml:"loss"`    // of slow: share of packets, each way
}

// Span is a duration that a file writes in words: "300ms".
type Span time.Duration

// UnmarshalText reads what time.ParseDuration reads.
func (s *Span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*s = Span(d)
	return err
}

// FaultKind says what is wrong.
type FaultKind string

// The kinds of faults.
const (
	FaultDown               FaultKind = "down"                // nothing at the address: silence
	FaultRefuse             FaultKind = "refuse"              // the machine is up, its services are not
	FaultMute               FaultKind = "mute"                // accepts, and never says a word
	FaultMuteName           FaultKind = "mute_name"           // swallows hellos for this name: what is behind the edge hangs
	FaultSlowName           FaultKind = "slow_name"           // sends no more than Rate under this name: an answer in TLS that began with it
	FaultHTTPStatus         FaultKind = "http_status"         // answers everything with Status
	FaultHangs              FaultKind = "hangs"               // takes requests, and never answers: its back end is gone
	FaultExpiredCertificate FaultKind = "expired_certificate" // three days ago
	FaultWrongCertificate   FaultKind = "wrong_certificate"   // another name's, under the trusted root
	FaultNoH3               FaultKind = "no_h3"               // QUIC is off
	FaultIncompleteChain    FaultKind = "incomplete_chain"    // the leaf alone: the intermediate was forgotten
	FaultNewAuthority       FaultKind = "new_authority"       // under a public root that is younger than everybody's bundle
	FaultStaleEdge          FaultKind = "stale_edge"          // no longer knows this name: alert 112
	FaultNoSNIDefault       FaultKind = "no_sni_default"      // alert 112 to every name that it doesn't know
	FaultResetsPQ           FaultKind = "resets_pq"           // chokes on a hello of more than one segment
	FaultMovedAddress       FaultKind = "moved_address"       // DNS leads elsewhere; the old address refuses
	FaultGone               FaultKind = "gone"                // the name no longer exists, for anybody
	FaultServfail           FaultKind = "servfail"            // a zone that no resolver can validate
	FaultSlow               FaultKind = "slow"                // far away, thin or lossy
	FaultNegativeCache      FaultKind = "negative_cache"      // the ISP's resolver has kept a denial of Host
	FaultBogus              FaultKind = "bogus"               // Host's zone is signed wrongly, and the ISP's resolver alone validates
	FaultNoAuthority        FaultKind = "no_authority"        // the ISP's resolver can't reach Host's name servers, and says so late
	FaultNewKeys            FaultKind = "new_keys"            // the app's servers have changed their keys
	FaultAppRefuses         FaultKind = "app_refuses"         // a data centre answers with its transport's error
	FaultAppStalls          FaultKind = "app_stalls"          // a data centre is silent after its first answer: what has the key hangs
	FaultNoFraming          FaultKind = "no_framing"          // a data centre does not speak MTProto in Framing, on Port
	FaultUnproved           FaultKind = "unproved"            // no longer sends the header that the app alone sent
	FaultRefusesOld         FaultKind = "refuses_old"         // has given up TLS 1.2 for Host: alert 70
	FaultSwallowsOld        FaultKind = "swallows_old"        // the same, without a word
	FaultDNSFilter          FaultKind = "dns_filter"          // the home router answers 0.0.0.0 for Host
)

// FaultKinds lists every kind, in the order of the documentation.
var FaultKinds = []FaultKind{
	FaultDown, FaultRefuse, FaultMute, FaultMuteName, FaultSlowName, FaultHTTPStatus, FaultHangs, FaultExpiredCertificate, FaultWrongCertificate,
	FaultIncompleteChain, FaultNewAuthority,
	FaultNoH3, FaultStaleEdge, FaultNoSNIDefault, FaultResetsPQ, FaultMovedAddress, FaultGone,
	FaultServfail, FaultSlow, FaultNegativeCache, FaultBogus, FaultNoAuthority, FaultDNSFilter,
	FaultNewKeys, FaultAppRefuses, FaultAppStalls, FaultNoFraming, FaultUnproved, FaultRefusesOld, FaultSwallowsOld,
}

// trouble is what is wrong with a machine.
type trouble struct {
	down, refuses, mute bool
	noQUIC              bool
	strictSNI           bool
	smallHellos         bool
	refusal             int // of refusesApp
	newKeys, refusesApp bool
	stallsApp           bool
	deaf                []deaf
	slow                bool
	latency             time.Duration
	rate                int64
	loss                float64
}

// siteTrouble is what is wrong with one name on a machine.
type siteTrouble struct {
	status        int
	location      string
	expired       bool
	certificateOf string
	incomplete    bool
	hangs         bool
	newAuthority  bool
	unknown       bool
	unproved      bool
	refusesOld    bool
	swallowsOld   bool
	mute          bool
	rate          int64
}

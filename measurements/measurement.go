package measurements

import "time"

// ControlApp is the app id under which the gate's neutral hosts are measured.
const ControlApp = "control"

// PlaceboApp is the app id under which targets are measured that nobody blocks: exactly like the apps, so
// that what is found there says how often our findings about them are false.
const PlaceboApp = "placebo"

// Measurement is everything seen of one app in one round: observations of its targets and of their
// controls. It is kept, and can be judged again later: nothing that a rule needs lives outside it
// and the gate's measurement of the same round.
type Measurement struct {
	ID      string    `json:"id"`    // random
	Round   string    `json:"round"` // measurements of one round share it
	App     string    `json:"app"`   // ControlApp for the gate
	Started time.Time `json:"started"`
	Runtime Seconds   `json:"runtime"`

	Targets      []TargetInfo  `json:"targets"`
	Observations []Observation `json:"observations"`
	Skipped      []Skip        `json:"skipped,omitempty"`
	Hops         []HopScan     `json:"hops,omitempty"`
	// Made is how many observations there were when the round ended: one that is missing may be the one that
	// excuses. 0: nobody counted.
	Made int `json:"made,omitempty"`
	// ClockOffset is how far the neutral hosts' clocks were ahead of this machine's in this round; nil
	// where nobody could tell. It is told for readers: judging goes by the gate's observations.
	ClockOffset *Seconds `json:"clock_offset,omitempty"`
	// Reference is what control R says of the app; nil where none is configured.
	Reference *Reference `json:"reference,omitempty"`

	Software Software `json:"software"`
	Vantage  Vantage  `json:"vantage"`
}

// TargetInfo is what a rule must know of a target beside what was seen of it.
type TargetInfo struct {
	ID        string   `json:"id"`
	Hosts     []string `json:"hosts,omitempty"`
	Probes    []string `json:"probes"`
	Essential bool     `json:"essential,omitempty"`
	Group     string   `json:"group,omitempty"`
	// Operator, Scope and Country are a gate host's: who runs it, and "foreign" or "domestic".
	Operator string `json:"operator,omitempty"`
	Scope    string `json:"scope,omitempty"`
	Country  string `json:"country,omitempty"`
}

// Skip says what was planned and not done, and why. Missing evidence is said, not guessed.
type Skip struct {
	Target   string `json:"target"`
	Layer    Layer  `json:"layer,omitempty"`
	Family   Family `json:"ip_family,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	Reason   string `json:"reason"`
}

// Reasons for a Skip.
const (
	SkipResidual = "residual"  // this (transport, ip, port) failed less than schedule.residual ago
	SkipPenalty  = "penalty"   // it goes on failing there, and one more look is not due: a day has few that the household can bear
	SkipBudget   = "budget"    // the daily budget is spent, or would be
	SkipOffline  = "offline"   // the gate found no line at all
	SkipNoFamily = "no_family" // this machine has no route for the family
	SkipNoAddr   = "no_address"
	SkipTurn     = "turn"      // the other family was measured this time
	SkipNoHelper = "no_helper" // control X: none is announced in this family, or it does not answer
	SkipStopped  = "stopped"   // the program was told to stop in mid-round
)

// Software names the versions that made a measurement.
type Software struct {
	Version   string `json:"version"`
	Revision  string `json:"revision,omitempty"`
	Rules     string `json:"rules"`     // RulesVersion
	Catalogue string `json:"catalogue"` // hash over the catalogue in use
	// Roots is the day of the bundle of certificate roots, YYYY-MM-DD; "" where it is not known.
	Roots string `json:"roots,omitempty"`
	// OS, Architecture and GoVersion are those of the program that measured, in Go's words (GOOS, GOARCH): what
	// fails on one of them alone is a defect of ours. "" in evidence of before they were recorded.
	OS           string `json:"os,omitempty"`
	Architecture string `json:"architecture,omitempty"`
	GoVersion    string `json:"go_version,omitempty"`
}

// Access is how this machine is connected, as far as the platform tells without rights: never by which
// interface, and to nobody's network by name. A telephone on a cable, and a virtual machine, look wired.
type Access string

// The ways of access.
const (
	AccessUnknown Access = "" // bridges, a container's pair of interfaces, PPP, and where the platform does not say
	AccessWiFi    Access = "wifi"
	AccessWired   Access = "wired"
	AccessMobile  Access = "mobile"
	AccessTunnel  Access = "tunnel" // whatever it goes through
)

// Vantage is what the volunteer chose to say about the place. Never an address.
type Vantage struct {
	Country string `json:"country,omitempty"`
	ASN     int    `json:"asn,omitempty"`
	Label   string `json:"label,omitempty"`
	Epoch   string `json:"epoch,omitempty"` // a change of network starts a new one; "" offline, or not known
	// Tunnel: a VPN is the default route. The place is not home then, and has no country, network or label.
	Tunnel bool `json:"tunnel,omitempty"`
	// Access is how the network is reached, by the way that names it.
	Access Access `json:"access,omitempty"`
	// Moved: at the end of the round the network was another than at its start, whose epoch this is.
	Moved bool `json:"moved,omitempty"`
}

// Round is one pass over all enabled apps: the gate, then the apps.
type Round struct {
	ID      string        `json:"id"`
	Started time.Time     `json:"started"`
	Runtime Seconds       `json:"runtime"`
	Gate    Measurement   `json:"gate"`
	Apps    []Measurement `json:"apps"`
}

// Package scenarios is a set of worlds as data: what is wrong with the network, who documented it,
// and what telltale has to make of it. The files beside this one are the scenarios; this package
// reads them, runs the whole program against them in virtual time, and compares.
//
// At least as many scenarios are innocent as are censored: a site that is down, a lossy line or a
// captive portal must never be called a block.
package scenarios

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/netlab"
)

//go:embed worlds/*.toml
var worlds embed.FS

//go:embed demo/composite.toml
var demo []byte

// Demo is the scenario of `telltale demo`: its rules come and go while one watches.
func Demo() (Scenario, error) { return Parse("composite", demo) }

// Scenario is one world and what has to be found in it.
type Scenario struct {
	Name     string `toml:"-"`        // of the file
	Sentence string `toml:"sentence"` // what happens, in a sentence
	Source   string `toml:"source"`   // who documented it
	Innocent bool   `toml:"innocent"` // nobody censors here
	// Suspicion is why an innocent world may be suspected, and no more: the evidence is the same as of a block, and
	// the design lets it be suspected. Without it, nothing that is innocent may be called blocked at all.
	Suspicion string `toml:"suspicion"`

	// Apps limits the built-in apps that are measured; empty means all.
	Apps []string `toml:"apps"`
	// Catalogue is a further app, in the form of a catalogue file.
	Catalogue string `toml:"catalogue"`
	// Rounds to make, one after the other; 0 means 1. They are thorough.
	Rounds int `toml:"rounds"`
	// Every is the time from one round to the next; "" is longer than any for which what fails is left alone.
	Every string `toml:"every"`
	// Placebo: the targets that nobody blocks are measured too.
	Placebo bool `toml:"placebo"`
	// Watched: the rounds are those of the daemon that watches, not of `once`: one shape of hello, and
	// control N under suspicion or in its turn.
	Watched bool `toml:"watched"`
	// Shape of every first hello of such rounds, which is otherwise left to chance.
	Shape measurements.Shape `toml:"shape"`
	// Opaque: the volunteer lets first packets that look like chance be sent without suspicion.
	Opaque bool `toml:"opaque"`
	// Volume: transfers are measured, in every round.
	Volume bool `toml:"volume"`
	// Controls, if set, keeps only the gate's hosts of these operators.
	Controls []string `toml:"controls"`
	// Files are hosts of the gate whose page is a file: large enough to gauge the line by.
	Files []string `toml:"files"`
	// Domestic are further hosts of the gate, inside the vantage's country.
	Domestic []Domestic `toml:"domestic"`
	// Country is where the volunteer says that the vantage is.
	Country string `toml:"country"`
	// Household names a host that another device behind the same address opens just before each round.
	Household string `toml:"household"`
	// Home: the resolver under test is a forwarder inside the home.
	Home bool `toml:"home_resolver"`
	// Stub: that forwarder is the machine's own, and the resolver behind it is known.
	Stub bool `toml:"stub"`
	// NoIPv4 and NoIPv6: the machine has no route for the family.
	NoIPv4 bool `toml:"no_ipv4"`
	NoIPv6 bool `toml:"no_ipv6"`
	// NAT64: it has IPv6 alone, and the network makes IPv4 reachable through it.
	NAT64 bool `toml:"nat64"`
	// RootInstalled: the machine's own store trusts the root under which boxes intercept.
	RootInstalled bool `toml:"root_installed"`
	// Portal: the line ends at a captive portal.
	Portal bool `toml:"captive_portal"`
	// Clock is how far the world's clocks are ahead of the machine's ("-9600h": this machine lives 400 days
	// in the future); "" means not at all.
	Clock string `toml:"clock"`
	// Pinned is the machine's hosts file: names, and where it leads them.
	Pinned map[string][]netip.Addr `toml:"pinned"`
	// Tunnel: a VPN is the machine's default route.
	Tunnel bool `toml:"tunnel"`
	// Roams, if set, is when the machine moves to another network: "2s" after the first round began.
	Roams string `toml:"roams"`
	// Reference is a second vantage that can be asked; without an answer there is none.
	Reference Reference `toml:"reference"`
	// Access is the line.
	Access Access `toml:"access"`

	// Offers are hosts with HTTP/3 that no word of the catalogue asks for.
	Offers []netlab.Offer `toml:"offer"`

	Rules  []Rule         `toml:"rule"`
	Faults []netlab.Fault `toml:"fault"`
	Expect []Expect       `toml:"expect"`
	// Network is what the gate has to say; the zero value expects "ok".
	Network ExpectNetwork `toml:"network"`
	// Stands is what has to stand by the history after the last round: empty, nothing is asked of it.
	Stands []Expect `toml:"stands"`
	// States of whole apps, where they are part of the expectation.
	States map[string]measurements.State `toml:"states"`
}

// Access is the volunteer's line. Zero values mean 25 ms one way, no loss, unlimited.
type Access struct {
	Latency string  `toml:"latency"`
	Jitter  string  `toml:"jitter"`
	Loss    float64 `toml:"loss"`
	Burst   string  `toml:"burst"` // mean length of a burst of losses; "" means that each packet is lost by itself
	Rate    int64   `toml:"rate"`  // bit/s
	// Full is the share of new flows for which a translator of addresses has no room.
	Full float64 `toml:"full"`
	// MTU is the largest payload of a packet that passes, unsaid; "out" or "in" limits it to one direction.
	MTU          int    `toml:"mtu"`
	MTUDirection string `toml:"mtu_direction"`
}

// Rule is a netlab.Rule with its times in words and its addresses by name.
type Rule struct {
	netlab.Rule
	// Hosts add the addresses to which these names honestly lead, SparesHosts those to be spared.
	Hosts       []string `toml:"hosts"`
	SparesHosts []string `toml:"spares_hosts"`

	From     string `toml:"from"`
	Until    string `toml:"until"`
	Delay    string `toml:"delay"`
	Residual string `toml:"residual"`
}

// Expect is a finding that must be made. Empty fields match anything. What is found and not expected
// is wrong, ok apart; what is expected and not found is wrong too.
type Expect struct {
	App        string                  `toml:"app"`
	Target     string                  `toml:"target"`
	Layer      measurements.Layer      `toml:"layer"`
	Family     measurements.Family     `toml:"ip_family"`
	State      measurements.State      `toml:"state"`
	Signature  measurements.Signature  `toml:"signature"`
	Confidence measurements.Confidence `toml:"confidence"`
	Rule       string                  `toml:"rule"` // the id of the rule that has to say so
	// Maybe: it may be found as well as not. What a censor does by chance may leave the last round alone.
	Maybe bool `toml:"maybe"`
}

// Domestic is a neutral host inside a country.
type Domestic struct {
	Host     string `toml:"host"`
	Operator string `toml:"operator"`
	Country  string `toml:"country"`
}

// ExpectNetwork is what the gate must say.
type ExpectNetwork struct {
	State     measurements.State     `toml:"state"`
	Signature measurements.Signature `toml:"signature"`
}

// All reads every scenario, sorted by name. An error names the file.
func All() ([]Scenario, error) {
	files, err := fs.Glob(worlds, "worlds/*.toml")
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var out []Scenario
	for _, file := range files {
		data, err := worlds.ReadFile(file)
		if err != nil {
			return nil, err
		}
		s, err := Parse(strings.TrimSuffix(path.Base(file), ".toml"), data)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// Parse reads one scenario. Unknown keys are an error, and so is a scenario that expects nothing of
// a censor: it could not be wrong.
func Parse(name string, data []byte) (Scenario, error) {
	s := Scenario{Name: name}
	dec := toml.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		var strict *toml.StrictMissingError
		if errors.As(err, &strict) {
			return s, fmt.Errorf("scenario %s: %s", name, strict.String())
		}
		return s, fmt.Errorf("scenario %s: %w", name, err)
	}
	if s.Sentence == "" || s.Source == "" {
		return s, fmt.Errorf("scenario %s: sentence and source are needed", name)
	}
	if !s.Innocent && len(s.Expect) == 0 {
		return s, fmt.Errorf("scenario %s: a censored world must expect a finding", name)
	}
	if s.Suspicion != "" && !s.Innocent {
		return s, fmt.Errorf("scenario %s: a suspicion is what an innocent world may meet", name)
	}
	if len(s.Stands) > 0 && s.Rounds < 2 {
		return s, fmt.Errorf("scenario %s: one round makes no history", name)
	}
	if _, err := time.ParseDuration(s.Every); s.Every != "" && err != nil {
		return s, fmt.Errorf("scenario %s: every: %w", name, err)
	}
	if _, err := s.roams(); err != nil {
		return s, fmt.Errorf("scenario %s: roams: %w", name, err)
	}
	for i := range s.Rules {
		if err := s.Rules[i].times(); err != nil {
			return s, fmt.Errorf("scenario %s: rule %d: %w", name, i+1, err)
		}
		if s.Rules[i].ID == "" {
			s.Rules[i].ID = fmt.Sprintf("rule-%d", i+1)
		}
	}
	return s, nil
}

// roams is when the machine moves; 0 where it stays.
func (s *Scenario) roams() (time.Duration, error) {
	if s.Roams == "" {
		return 0, nil
	}
	return time.ParseDuration(s.Roams)
}

// times reads the durations that TOML has no type for.
func (r *Rule) times() error {
	for _, f := range []struct {
		text string
		to   *time.Duration
	}{{r.From, &r.Rule.From}, {r.Until, &r.Rule.Until}, {r.Delay, &r.Rule.Delay}, {r.Residual, &r.Rule.Residual}} {
		if f.text == "" {
			continue
		}
		d, err := time.ParseDuration(f.text)
		if err != nil {
			return err
		}
		if d < 0 {
			return fmt.Errorf("%s is before the beginning", f.text)
		}
		*f.to = d
	}
	return nil
}

// Suspects says whether the scenario is innocent and expects a suspicion all the same: what it shows can't be told
// from a block in so few rounds.
func (s *Scenario) Suspects() bool {
	return s.Innocent && slices.ContainsFunc(s.Expect, func(e Expect) bool {
		return (e.State == measurements.Blocked || e.State == measurements.Throttled) && e.Confidence == measurements.Suspected
	})
}

// Measures says whether the scenario measures this app.
func (s *Scenario) Measures(app string) bool {
	if len(s.Apps) == 0 {
		return s.Catalogue == ""
	}
	return slices.Contains(s.Apps, app)
}

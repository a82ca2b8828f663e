package scenarios

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// Lab is what scenarios are run with: the apps and neutral hosts of the catalogue, and the trusted
// resolvers of the configuration. The emulated internet is derived from these.
type Lab struct {
	Apps     []probe.App // measured where a scenario names none
	More     []probe.App // there for scenarios that name them
	Placebo  probe.App
	Controls []probe.Control
	Trusted  []probe.Resolver
	// Parse reads a scenario's own catalogue.
	Parse func(name string, data []byte) (probe.App, error)
	// Without switches controls off, WithoutRule one of the scenario's rules or faults, counted from 1
	// (rules first; 0 none): the mutation tests show that verdicts depend on them.
	Without     map[measurements.Control]bool
	WithoutRule int

	// Listen, if set, is handed a scenario's plan before its first round, and may stand between it and the world. Heard, if
	// set, is told of every request that a server or a box gets, in clear or out of TLS and QUIC.
	Listen func(*probe.Plan)
	Heard  func(*http.Request)
	// HeardInside is told of what is said in WebSockets.
	HeardInside func(piece []byte, nth int)
}

// Gate is the name under which Lab.Without switches off the gate.
const Gate measurements.Control = "gate"

// home is what the volunteer of the lab has said about the place: a code that is given to no
// country (ISO 3166-1, 8.1.3), and a network for documentation (RFC 5398).
var home = measurements.Vantage{Country: "XA", ASN: 64496, Label: "lab"}

// vantage is home, in the scenario's country if it names one.
func (s *Scenario) vantage() measurements.Vantage {
	v := home
	if s.Country != "" {
		v.Country = s.Country
	}
	return v
}

// between is the time from one round of a scenario to the next, where its file says none: past any time for which what fails is left alone
// (schedule.Ledger.Due).
const between = 8 * time.Hour

func (s *Scenario) pause() time.Duration {
	if every, err := time.ParseDuration(s.Every); err == nil {
		return every
	}
	return between
}

// Run makes a scenario's rounds in virtual time, so that a minute's timeout costs nothing, and
// compares the last verdict with what is expected. An error says that the scenario could not be run.
func (l *Lab) Run(s *Scenario) (result *Result, err error) {
	synctest.Test(&testing.T{}, func(*testing.T) { result, err = l.run(s) })
	return result, err
}

func (l *Lab) run(s *Scenario) (*Result, error) {
	apps, err := l.apps(s)
	if err != nil {
		return nil, err
	}
	far, err := l.outside(s, apps)
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
	}
	if far != nil {
		defer func() { _ = far.world.Close() }()
	}
	world, err := l.world(s, apps, far)
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
	}
	defer func() { _ = world.Close() }()
	plan, err := l.plan(s, apps, world)
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
	}
	if far != nil {
		plan.Reference, plan.AskHelper = far.ask(), far.helper != nil
	}
	if l.Listen != nil {
		l.Listen(plan)
	}
	result := &Result{Scenario: s, History: &measurements.History{}}
	for i := range max(s.Rounds, 1) {
		if i > 0 {
			result.History.Learn(&result.Round, &result.Verdict)
			probe.Suspect(plan.Suspicion, &result.Verdict, result.History)
			plan.Rotation = plan.Rotation.Next()
			time.Sleep(s.pause())
		}
		if err := household(s, world); err != nil {
			return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
		}
		if far != nil {
			if err := far.round(); err != nil {
				return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
			}
		}
		result.Round = plan.Run(context.Background())
		result.Verdict = measurements.Judge(&result.Round, result.History)
	}
	result.Wrong = s.Compare(&result.Verdict)
	return result, nil
}

func (l *Lab) apps(s *Scenario) ([]probe.App, error) {
	var out []probe.App
	for i, a := range slices.Concat(l.Apps, l.More) {
		if i < len(l.Apps) && len(s.Apps) == 0 && s.Catalogue == "" || slices.Contains(s.Apps, a.ID) {
			out = append(out, a)
		}
	}
	if s.Catalogue != "" {
		a, err := l.Parse(s.Name, []byte(s.Catalogue))
		if err != nil {
			return nil, fmt.Errorf("scenario %s: catalogue: %w", s.Name, err)
		}
		out = append(out, a)
	}
	return out, nil
}

// household opens a host from another device behind the vantage's address, at each of the addresses that
// the name has: what becomes of it is of no matter.
func household(s *Scenario, w *netlab.World) error {
	if s.Household == "" {
		return nil
	}
	at := w.Addresses(s.Household)
	if len(at) == 0 {
		return fmt.Errorf("household: no such host: %s", s.Household)
	}
	for _, a := range at {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		if conn, o := w.Host().Connect(ctx, netip.AddrPortFrom(a, 443)); o.OK() {
			_, _ = w.Host().TLS(ctx, conn, probe.TLSInput{Name: s.Household, Shape: measurements.Default})
			_ = conn.Close()
		}
		cancel()
	}
	return nil
}

// gate are the hosts of the scenario's gate, and those whose internet it is.
func (l *Lab) gate(s *Scenario) []probe.Control {
	out := slices.Clone(l.Controls)
	for i := range out {
		if slices.Contains(s.Files, out[i].Host) {
			out[i].Path = "/file.js"
		}
	}
	for _, d := range s.Domestic {
		out = append(out, probe.Control{Host: d.Host, Operator: d.Operator, Scope: "domestic", Country: d.Country, Path: "/", Probes: []probe.Probe{probe.ProbeHTTPS}})
	}
	return out
}

func (l *Lab) controls(s *Scenario) []probe.Control {
	if l.Without[Gate] {
		return nil
	}
	return slices.DeleteFunc(l.gate(s), func(c probe.Control) bool {
		return len(s.Controls) > 0 && c.Scope != "domestic" && !slices.Contains(s.Controls, c.Operator)
	})
}

// world builds the scenario's internet.
func (l *Lab) world(s *Scenario, apps []probe.App, far *outside) (*netlab.World, error) {
	access, err := s.Access.link()
	if err != nil {
		return nil, err
	}
	clock, err := duration(s.Clock)
	if err != nil {
		return nil, err
	}
	o := netlab.Options{
		Apps: append(slices.Clone(apps), l.Placebo), Controls: l.gate(s), Trusted: l.Trusted, Seed: 1, Access: access,
		HomeRouter: s.Home, CaptivePortal: s.Portal, Clock: clock, Faults: l.faults(s), Offers: s.Offers, Tunnel: s.Tunnel, Pinned: s.Pinned, Stub: s.Stub, NAT64: s.NAT64,
		Heard: l.Heard, HeardInside: l.HeardInside,
	}
	if o.Roams, err = s.roams(); err != nil {
		return nil, err
	}
	if far != nil {
		hosts, faults, err := far.hosts()
		if err != nil {
			return nil, err
		}
		o.OtherHosts, o.Faults = hosts, append(o.Faults, faults...)
	}
	w, err := netlab.New(o)
	if err != nil {
		return nil, err
	}
	if far != nil && far.helper != nil {
		far.announce(w.Addresses(helperHost))
	}
	w.Network().SetRoutes(!s.NoIPv4 && !s.NAT64, !s.NoIPv6)
	w.Network().Censor(l.rules(s, w)...)
	return w, nil
}

// faults are the scenario's, but for one that a mutation test switched off.
func (l *Lab) faults(s *Scenario) []netlab.Fault {
	var out []netlab.Fault
	for i, f := range s.Faults {
		if i+1+len(s.Rules) != l.WithoutRule {
			out = append(out, f)
		}
	}
	return out
}

// World builds the internet of a scenario, in whatever time the caller lives in. The caller closes it.
func (l *Lab) World(s *Scenario) (*netlab.World, error) {
	apps, err := l.apps(s)
	if err != nil {
		return nil, err
	}
	return l.world(s, apps, nil)
}

// rules are the scenario's, but for one that a mutation test switched off.
func (l *Lab) rules(s *Scenario, w *netlab.World) []netlab.Rule {
	var out []netlab.Rule
	for i, r := range s.Rules {
		if i+1 == l.WithoutRule {
			continue
		}
		r.Addresses = append(r.Addresses, addressesOf(w, r.Hosts)...)
		r.Spares = append(r.Spares, addressesOf(w, r.SparesHosts)...)
		out = append(out, r.Rule)
	}
	return out
}

func addressesOf(w *netlab.World, hosts []string) (out []netip.Prefix) {
	for _, host := range hosts {
		for _, a := range w.Addresses(host) {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return out
}

func (l *Lab) plan(s *Scenario, apps []probe.App, w *netlab.World) (*probe.Plan, error) {
	host, measured := w.Host(), w.Apps(apps...)
	if s.RootInstalled {
		root, err := w.Network().InterceptCA()
		if err != nil {
			return nil, err
		}
		host.System = x509.NewCertPool()
		host.System.AddCert(root)
	}
	volume := 0
	if s.Volume {
		volume = 1
	}
	var placebo probe.App
	if s.Placebo {
		placebo = l.Placebo
	}
	return &probe.Plan{
		VolumeEvery: volume, Placebo: placebo, IdentityEvery: 7 * 24 * time.Hour,
		Host: host, Apps: measured, Controls: l.controls(s), Trusted: l.Trusted,
		Families: []measurements.Family{measurements.IPv4, measurements.IPv6},
		Timeout:  10 * time.Second, Parallel: 8, Thorough: !s.Watched, Shape: s.Shape, Opaque: s.Opaque, Suspicion: &schedule.Suspicion{},
		Ledger: schedule.NewLedger(10 * time.Minute), Without: l.Without,
		Software: measurements.Software{Version: "lab", Rules: measurements.RulesVersion},
		Vantage:  s.vantage(), EpochKey: []byte("the lab's own"), // a fixed one: rounds of one world are alike
	}, nil
}

// duration reads a time in words; "" is none.
func duration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	return time.ParseDuration(text)
}

func (a Access) link() (netlab.Link, error) {
	link := netlab.Link{Latency: 25 * time.Millisecond, Loss: a.Loss, Rate: a.Rate, Full: a.Full, MTU: a.MTU, MTUDirection: a.MTUDirection}
	for _, f := range []struct {
		text string
		to   *time.Duration
	}{{a.Latency, &link.Latency}, {a.Jitter, &link.Jitter}, {a.Burst, &link.Burst}} {
		if f.text == "" {
			continue
		}
		d, err := time.ParseDuration(f.text)
		if err != nil {
			return link, err
		}
		*f.to = d
	}
	return link, nil
}

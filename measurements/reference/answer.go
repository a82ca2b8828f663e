package reference

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// Schema names the form of an Answer.
const Schema = "telltale/reference/v1"

// Answer is what a reference vantage met in its last round. It holds no address of the vantage but those
// that its operator announces for control X; which edges a CDN gave it may tell its continent.
type Answer struct {
	Schema string `json:"schema"`
	// Time is when the round began: whatever is in the answer was measured later.
	Time time.Time `json:"time"`
	Apps []App     `json:"apps"`
	// Helper is set where others may make handshakes with this vantage (control X).
	Helper *Helper `json:"helper,omitempty"`
}

// App is one app of an answer.
type App struct {
	App     string                         `json:"app"`
	Targets []measurements.ReferenceTarget `json:"targets"`
}

// About gives an answer's word on one app, as a measurement keeps it.
func (a *Answer) About(app string) *measurements.Reference {
	for i := range a.Apps {
		if a.Apps[i].App == app {
			return &measurements.Reference{At: a.Time, Targets: a.Apps[i].Targets}
		}
	}
	return &measurements.Reference{None: "it does not measure this app"}
}

// Bounds of an answer's lists and texts, chosen by us at about ten times what the default catalogue
// makes: a reference that is taken over must not fill a volunteer's evidence.
const (
	maxApps      = 64
	maxTargets   = 64
	maxEntries   = 64 // names, layers and endpoints of a target
	maxAddresses = 16 // of a name
	maxKeys      = 4  // of an endpoint
	maxText      = 255
)

var (
	errSchema = errors.New("the answer's schema is not " + Schema)
	errLarge  = errors.New("the answer has lists or texts that are too long")
)

// check refuses what no reference says.
func (a *Answer) check() error {
	switch {
	case a.Schema != Schema:
		return errSchema
	case a.Time.IsZero() || a.Time.Year() > 9999:
		return errors.New("the answer has no time")
	case len(a.Apps) > maxApps:
		return errLarge
	}
	if err := a.Helper.check(); err != nil {
		return err
	}
	for i := range a.Apps {
		if len(a.Apps[i].Targets) > maxTargets || len(a.Apps[i].App) > maxText {
			return errLarge
		}
		for j := range a.Apps[i].Targets {
			if err := checkTarget(&a.Apps[i].Targets[j]); err != nil {
				return fmt.Errorf("app %.40q: %w", a.Apps[i].App, err)
			}
		}
	}
	return nil
}

func checkTarget(t *measurements.ReferenceTarget) error {
	if len(t.Target) > maxText || len(t.Names) > maxEntries || len(t.Layers) > maxEntries || len(t.Transfers) > maxEntries {
		return errLarge
	}
	for i := range t.Names {
		n := &t.Names[i]
		if len(n.Name) > maxText || len(n.Failure) > maxText || len(n.Addresses) > maxAddresses {
			return errLarge
		}
		if !families[n.Family] {
			return fmt.Errorf("%.40q is no IP family", n.Family)
		}
		for _, a := range n.Addresses {
			if _, err := netip.ParseAddr(a); err != nil {
				return fmt.Errorf("%.40q is no IP address", a)
			}
		}
	}
	for i := range t.Transfers {
		if err := checkTransfer(&t.Transfers[i]); err != nil {
			return err
		}
	}
	for i := range t.Layers {
		if err := checkLayer(&t.Layers[i]); err != nil {
			return err
		}
	}
	return nil
}

var families = map[measurements.Family]bool{measurements.IPv4: true, measurements.IPv6: true}

// checkLayer holds a layer's state against its endpoints, too: "down" with one that passes is no word.
func checkLayer(l *measurements.ReferenceLayer) error {
	if !slices.Contains(measurements.Layers, l.Layer) || !families[l.Family] {
		return fmt.Errorf("%.40q of %.40q is no layer of a family", l.Layer, l.Family)
	}
	if len(l.Endpoints) == 0 || len(l.Endpoints) > maxEntries {
		return errLarge
	}
	passes := false
	for i := range l.Endpoints {
		e := &l.Endpoints[i]
		if len(e.Name) > maxText || len(e.Failure) > maxText || len(e.Neutral) > maxText || len(e.Keys) > maxKeys {
			return errLarge
		}
		for _, k := range e.Keys {
			if len(k) > maxText {
				return errLarge
			}
		}
		if _, err := netip.ParseAddrPort(e.Endpoint); err != nil {
			return fmt.Errorf("%.60q is no endpoint", e.Endpoint)
		}
		passes = passes || e.Failure == ""
	}
	switch {
	case l.State == measurements.OK && passes:
	case (l.State == measurements.Down || l.State == measurements.Blocked) && !passes:
	default:
		return fmt.Errorf("%.40q is not the state of these endpoints", l.State)
	}
	return nil
}

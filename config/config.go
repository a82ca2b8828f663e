// Package config turns TOML into a Config whose invariants hold: who has one need not check again.
// Every mistake of a file is named at once, with file, line, key and what is allowed.
package config

import (
	_ "embed"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/telltale-probe/telltale/config/catalogue"
	"github.com/telltale-probe/telltale/config/strict"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
)

// Config is what telltale runs with (DESIGN section 6).
type Config struct {
	Consent time.Time // when the volunteer agreed; zero: nothing is measured
	Vantage measurements.Vantage

	Interval    time.Duration // mean time between rounds
	Jitter      float64       // 0 to 1
	Parallel    int           // endpoints measured at the same time
	DailyBudget int64         // bytes both ways; 0 = no limit
	Residual    time.Duration // a failed place is left alone for so long

	System     *probe.Resolver // under test; nil = the machine's own
	Trusted    []probe.Resolver
	ExtraRoots [][]byte // PEM
	Families   []measurements.Family
	Timeout    time.Duration // of one step

	Apps          []probe.App // the enabled ones
	CatalogueHash string
	Controls      []probe.Control // the gate's neutral hosts

	Reference Reference

	StorePath string // "" = StoreDir
	Retention time.Duration
	Listen    string
}

// Reference is control R.
type Reference struct {
	URL       string
	PublicKey []byte // Ed25519
	Serve     bool
}

//go:embed controls.toml
var controls []byte

// Default is the configuration without a file. It panics if the embedded files are broken, which
// the tests rule out.
func Default() *Config {
	c, err := Parse("defaults", nil)
	if err != nil {
		panic(err)
	}
	return c
}

// Load reads a file; "" gives the defaults. Mistakes in it are strict.Errors.
func Load(path string) (*Config, error) {
	if path == "" {
		return Default(), nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// Bounds, chosen by us: below a minute rounds would overlap their own residual blocking and stand
// out; a step of less than a second reads a lost SYN as a block (its first retransmission comes
// after one second, RFC 6298); more than 64 at once is a scan, not a household.
const (
	leastInterval = time.Minute
	mostInterval  = 7 * 24 * time.Hour
	leastTimeout  = time.Second
	mostTimeout   = time.Minute
	mostParallel  = 64
	mostResidual  = 24 * time.Hour
	mostRetention = 10 * 365 * 24 * time.Hour
)

// Parse reads a file's content; name is shown in errors.
func Parse(name string, data []byte) (*Config, error) {
	doc, root, err := strict.Parse(name, data)
	if err != nil {
		return nil, err
	}
	c := &Config{}
	c.readConsent(root.Table("consent"))
	c.readVantage(root.Table("vantage"))
	c.readSchedule(root.Table("schedule"))
	c.readNetwork(root.Table("network"))
	c.readApps(root.Table("apps"))
	c.readControls(root)
	c.readReference(root.Table("reference"))
	c.readStore(root.Table("store"))
	c.readWeb(root.Table("web"))
	root.Done()
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Config) readSchedule(t *strict.Table) {
	c.Interval = t.Duration("interval", 15*time.Minute, leastInterval, mostInterval)
	c.Jitter = t.Float("jitter", 0.5, 0, 1)
	c.Parallel = int(t.Int("parallel", 8, 1, mostParallel))
	c.DailyBudget = t.Bytes("daily_budget", 100<<20)
	c.Residual = t.Duration("residual", 10*time.Minute, 0, mostResidual)
	t.Done()
}

// readApps picks the enabled apps out of the built-in ones and the further files.
func (c *Config) readApps(t *strict.Table) {
	all, err := catalogue.Builtin()
	if err != nil {
		t.Fail("catalogue", "the built-in catalogue is broken: %v", err)
		return
	}
	for _, path := range t.Strings("catalogue", 64) {
		app, err := catalogue.Load(path)
		if err != nil {
			t.Fail("catalogue", "%v", err)
			continue
		}
		if i := slices.IndexFunc(all, func(a probe.App) bool { return a.ID == app.ID }); i >= 0 {
			all[i] = app
		} else {
			all = append(all, app)
		}
	}
	ids := t.Strings("enabled", 64)
	if !t.Has("enabled") {
		ids = []string{"telegram", "whatsapp", "line", "instagram"}
	}
	for _, id := range ids {
		i := slices.IndexFunc(all, func(a probe.App) bool { return a.ID == id })
		if i < 0 {
			t.Fail("enabled", "%q is no app of the catalogue; there are %v", id, idsOf(all))
			continue
		}
		c.Apps = append(c.Apps, all[i])
	}
	c.CatalogueHash = catalogue.Hash(c.Apps)
	t.Done()
}

func idsOf(apps []probe.App) []string {
	var out []string
	for _, a := range apps {
		out = append(out, a.ID)
	}
	return out
}

// readControls reads the gate's hosts; the built-in list where the file has none.
func (c *Config) readControls(root *strict.Table) {
	tables := root.Tables("control", 64)
	if len(tables) == 0 {
		_, own, err := strict.Parse("controls.toml", controls)
		if err != nil {
			panic(fmt.Sprintf("the built-in gate is broken: %v", err)) // a test parses it
		}
		tables = own.Tables("control", 64)
	}
	for _, t := range tables {
		n := probe.Control{
			Host: t.String("host", ""), Operator: t.String("operator", ""), Scope: t.String("scope", "foreign"), Country: t.String("country", ""),
			Addresses: catalogue.Addresses(t), Path: t.String("path", "/"), Probes: catalogue.Probes(t, []probe.Probe{probe.ProbeHTTPS, probe.ProbeH3, probe.ProbeHTTP}),
		}
		if !catalogue.ValidHost(n.Host) {
			t.Fail("host", "is needed: a host name in lower case")
		}
		if n.Operator == "" {
			t.Fail("operator", "is needed: the gate wants several, and must tell them apart")
		}
		if n.Scope != "foreign" && n.Scope != "domestic" {
			t.Fail("scope", `must be "foreign" or "domestic"`)
		}
		if n.Scope == "domestic" && !countryForm.MatchString(n.Country) {
			t.Fail("country", "is needed for a domestic host: two capital letters")
		}
		if len(n.Path) == 0 || n.Path[0] != '/' {
			t.Fail("path", "must begin with /")
		}
		c.Controls = append(c.Controls, n)
		t.Done()
	}
}

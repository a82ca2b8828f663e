// Package config turns TOML into a Config whose invariants hold: who has one need not check again.
// Every mistake of a file is named at once, with file, line, key and what is allowed.
package config

import (
	"net/netip"
	"path/filepath"
	"time"

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
	Opaque     bool          // first packets that look like chance are sent without suspicion, too
	Locate     bool          // on suspicion, look for the hop at which a handshake dies

	Apps          []probe.App // the enabled ones
	NotEnabled    []string    // apps of further catalogue files that are not among them
	CatalogueHash string
	Controls      []probe.Control // the gate's neutral hosts
	Placebo       probe.App       // hosts that nobody blocks, measured like an app; without targets there are none

	Reference Reference
	Push      Push

	StorePath string // "" = StoreDir
	Retention time.Duration
	MaxSize   int64 // bytes of the store's database with its log
	Listen    string

	dir string // of the file
}

// Reference is control R, and control X, which needs it.
type Reference struct {
	URL       string
	PublicKey []byte // Ed25519
	ControlX  bool   // a helper that the reference announces may be asked
	Serve     bool

	HelperListen    string           // "" = no helper for others
	HelperAddresses []netip.AddrPort // at which strangers reach it; some where it listens
}

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
	data, err := strict.ReadFile(path)
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
	defaultStore  = 500_000_000
	// leastStore leaves 12 MB beside the log's 8 (measurements/store): a week of default rounds on a clean
	// line, a day of such as hold a page of a stranger at every step.
	leastStore = 20_000_000
)

// Parse reads a file's content; name is shown in errors.
func Parse(name string, data []byte) (*Config, error) {
	doc, root, err := strict.Parse(name, data)
	if err != nil {
		return nil, err
	}
	c := &Config{dir: filepath.Dir(name), Placebo: probe.App{ID: measurements.PlaceboApp, Name: "Placebo"}}
	c.readConsent(root.Table("consent"))
	c.readVantage(root.Table("vantage"))
	c.readSchedule(root.Table("schedule"))
	c.readNetwork(root.Table("network"))
	c.readApps(root.Table("apps"))
	c.readControls(root)
	c.readReference(root.Table("reference"))
	c.readStore(root.Table("store"))
	c.readWeb(root.Table("web"))
	c.readPush(root.Table("push"))
	root.Done()
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// beside finds a file that the config names: a relative path begins where the config lies, so that a
// service that starts elsewhere reads the same files as a shell beside it.
func (c *Config) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.dir, path)
}

func (c *Config) readSchedule(t *strict.Table) {
	c.Interval = t.Duration("interval", 15*time.Minute, leastInterval, mostInterval)
	c.Jitter = t.Float("jitter", 0.5, 0, 1)
	c.Parallel = int(t.Int("parallel", 8, 1, mostParallel))
	c.DailyBudget = t.Bytes("daily_budget", 100<<20)
	c.Residual = t.Duration("residual", 10*time.Minute, 0, mostResidual)
	t.Done()
}

package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/config/strict"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/metrics"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/measurements/web"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/privacy"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// version is set by the release build; a build from source says so.
var version = "0.1.0-dev"

// file is the configuration's; "" where there is none.
func (c *cli) file() string {
	if c.ConfigFile == "" {
		if _, err := os.Stat(config.DefaultPath()); err == nil {
			return config.DefaultPath()
		}
	}
	return c.ConfigFile
}

// config reads the file and lets the flags win over it. Mistakes of both come at once.
func (c *cli) config() (*config.Config, error) {
	cfg, err := config.Load(c.file())
	var mistakes strict.Errors
	if err != nil && !errors.As(err, &mistakes) {
		return nil, usagef("%w", err) // no such file, a directory, not ours to read: a wrong --config.file
	}
	if mistakes = append(mistakes, c.mistakes()...); len(mistakes) > 0 {
		return nil, mistakes
	}
	if c.StorePath != "" {
		cfg.StorePath = c.StorePath
	}
	if cfg.StorePath == "" {
		cfg.StorePath = config.StoreDir()
	}
	return cfg, nil
}

// mistakes are those of the flags about the page.
func (c *cli) mistakes() (out strict.Errors) {
	for _, address := range c.ListenAddress {
		if _, ok := config.ListenPort(address); !ok {
			out = append(out, strict.Error{File: "--web.listen-address", Message: fmt.Sprintf(`%q: must be "host:port", with a port up to 65535; an IPv6 address stands in brackets`, address)})
		}
	}
	if err := web.ValidateConfig(c.WebConfigFile); err != nil {
		out = append(out, strict.Error{File: "--web.config.file", Message: err.Error()})
	}
	return out
}

// listen is where the page is served: the flag's addresses, else the file's.
func (c *cli) listen(cfg *config.Config) []string {
	if len(c.ListenAddress) > 0 {
		return c.ListenAddress
	}
	return []string{cfg.Listen}
}

// logger writes to stderr: people's form on a terminal, JSON where asked.
// learnt gives what is known of the volunteer beside what this machine says; nil is nothing.
func (c *cli) logger(w io.Writer, cfg *config.Config, learnt func() *privacy.Own) zerolog.Logger {
	return c.loggerOf(&privacy.Writer{To: w, Own: probe.Host{}.OwnNow, Learnt: learnt, Known: privacy.Known{Addresses: c.configured(cfg)}})
}

// loggerOf is logger for any machine. Whatever a part of ours or a library says, what tells who and where the
// volunteer is gets no further than here.
func (c *cli) loggerOf(w *privacy.Writer) zerolog.Logger {
	level, err := zerolog.ParseLevel(c.LogLevel)
	if err != nil {
		level = zerolog.InfoLevel
	}
	if c.Quiet {
		level = max(level, zerolog.WarnLevel)
	}
	if c.LogFormat == "console" {
		w.To = zerolog.ConsoleWriter{Out: w.To, TimeFormat: time.DateTime, NoColor: !isTerminal(w.To)}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

// configured are the addresses that the operator has written down himself, and expects in a log: of the page and
// of receivers.
func (c *cli) configured(cfg *config.Config) (out []netip.Addr) {
	add := func(host string) {
		if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
			out = append(out, a)
		}
	}
	for _, address := range c.listen(cfg) {
		if i := strings.LastIndexByte(address, ':'); i >= 0 {
			add(address[:i])
		}
	}
	for _, u := range []*url.URL{cfg.Push.Metrics.URL, cfg.Push.Evidence.URL} {
		if u != nil {
			add(u.Hostname())
		}
	}
	return out
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// realHost is the real network. The configured roots stand beside the bundle's.
func realHost(cfg *config.Config) probe.Host {
	if len(cfg.ExtraRoots) == 0 {
		return probe.Host{}
	}
	extra := x509.NewCertPool()
	for _, pem := range cfg.ExtraRoots {
		extra.AppendCertsFromPEM(pem) // config has seen that it is one
	}
	return probe.Host{Extra: extra}
}

// volumeEvery is in how many rounds each target's transfers are measured once: at the default interval
// three times a day, a few megabytes in all where pages are large.
const volumeEvery = 32

// identityEvery is how long a server's proof of its key lasts: the proof costs it an operation of RSA
// (core.telegram.org/mtproto/auth_key), which politeness does not ask for every quarter of an hour. Chosen by us.
const identityEvery = 7 * 24 * time.Hour

// newPlan makes the plan of a configuration on a host.
func newPlan(cfg *config.Config, host probe.Host) (*probe.Plan, error) {
	var system []probe.Resolver
	if cfg.System != nil {
		system = append(system, *cfg.System)
	} else if _, err := host.ResolversOfSystem(); err != nil { // each round reads them for itself
		return nil, err
	}
	return &probe.Plan{
		Host: host, Apps: cfg.Apps, Placebo: cfg.Placebo, Controls: cfg.Controls, System: system, Trusted: cfg.Trusted,
		Families: cfg.Families, Timeout: cfg.Timeout, Parallel: cfg.Parallel,
		Ledger: schedule.NewLedger(cfg.Residual), Budget: schedule.NewBudget(cfg.DailyBudget),
		Spread: schedule.Spread(cfg.Interval), VolumeEvery: volumeEvery, Locate: cfg.Locate, Opaque: cfg.Opaque, IdentityEvery: identityEvery, Suspicion: &schedule.Suspicion{}, Reference: asked(cfg), AskHelper: cfg.Reference.ControlX,
		Software: software(cfg), Vantage: cfg.Vantage,
	}, nil
}

func software(cfg *config.Config) measurements.Software {
	s := measurements.Software{
		Version: version, Rules: measurements.RulesVersion, Catalogue: cfg.CatalogueHash, Roots: probe.RootsDate(),
		OS: runtime.GOOS, Architecture: runtime.GOARCH, GoVersion: runtime.Version(),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, kv := range info.Settings {
			if kv.Key == "vcs.revision" {
				s.Revision = kv.Value
			}
		}
	}
	return s
}

// storeOptions are those of a store that is written to; its troubles are counted.
func storeOptions(cfg *config.Config, log zerolog.Logger, m *metrics.Metrics) store.Options {
	return store.Options{Retention: cfg.Retention, MaxSize: cfg.MaxSize, Log: log, Trouble: m.StoreFailed, Dropped: m.OutboxDropped}
}

// newMetrics makes the metrics of a configuration, with all that the catalogue asks for at 0.
func newMetrics(cfg *config.Config) *metrics.Metrics { return metrics.New(metricsOptions(cfg)) }

func metricsOptions(cfg *config.Config) metrics.Options {
	o := metrics.Options{Families: cfg.Families, Software: software(cfg), Vantage: cfg.Vantage, GoVersion: runtime.Version()}
	for _, app := range append(slices.Clone(cfg.Apps), cfg.Placebo) {
		info := metrics.AppInfo{ID: app.ID}
		for _, t := range app.Targets {
			info.Targets = append(info.Targets, metrics.TargetInfo{ID: t.ID, Layers: t.Layers()})
		}
		if app.ID == measurements.PlaceboApp {
			info.ID = measurements.ControlApp
		}
		o.Apps = append(o.Apps, info)
	}
	return o
}

package deploy

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/config/catalogue"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/metrics"
	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
)

// households are what the lines of a fleet are like: most are clean, one has no IPv6, some are censored.
var households = []string{"innocent-clean-line", "innocent-no-ipv6", "tls-reset-by-name", "dns-nxdomain-at-the-isp", "innocent-clean-line", "tls-timeout-by-name", "innocent-lossy-line", "quic-timeout-by-name"}

// line is one of them: a round of all apps of the built-in catalogue, as the daemon makes it on the emulated
// internet, and what is judged of it.
type line struct {
	round   measurements.Round
	verdict measurements.RoundVerdict
}

// lines plays the households, in virtual time.
func lines(t *testing.T, names ...string) (out []line) {
	t.Helper()
	cfg := config.Default()
	lab := &scenarios.Lab{Apps: cfg.Apps, More: config.More(), Placebo: cfg.Placebo, Controls: cfg.Controls, Trusted: cfg.Trusted, Parse: catalogue.Parse}
	all, err := scenarios.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		i := slices.IndexFunc(all, func(s scenarios.Scenario) bool { return s.Name == name })
		if i < 0 {
			t.Fatalf("there is no scenario %s", name)
		}
		s := all[i]
		s.Apps, s.Placebo, s.Watched, s.Rounds = nil, true, true, 2 // everything is measured, by who has seen it before
		r, err := lab.Run(&s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, line{r.Round, r.Verdict})
	}
	return out
}

// at is the line's round as of another time, under ids that tell it from others.
func (l line) at(begin time.Time, id string) line {
	by := begin.Sub(l.round.Started)
	move := func(m measurements.Measurement) measurements.Measurement {
		m.ID, m.Round, m.Started = fmt.Sprintf("%s-%s", id, m.App), id, m.Started.Add(by)
		m.Observations = slices.Clone(m.Observations)
		for i := range m.Observations {
			m.Observations[i].Started = m.Observations[i].Started.Add(by)
		}
		return m
	}
	l.round.ID, l.round.Started, l.round.Gate = id, begin, move(l.round.Gate)
	l.round.Apps = slices.Clone(l.round.Apps)
	for i := range l.round.Apps {
		l.round.Apps[i] = move(l.round.Apps[i])
	}
	l.verdict.Started = begin
	return l
}

// shown are the metrics of a daemon with the default configuration, as cmd/telltale makes them.
func shown() *metrics.Metrics {
	cfg := config.Default()
	o := metrics.Options{Families: cfg.Families, GoVersion: runtime.Version(), Vantage: cfg.Vantage,
		Software: measurements.Software{Version: "0.1.0", Rules: measurements.RulesVersion, Catalogue: cfg.CatalogueHash}}
	for _, app := range append(slices.Clone(cfg.Apps), cfg.Placebo) {
		info := metrics.AppInfo{ID: app.ID}
		if app.ID == measurements.PlaceboApp {
			info.ID = measurements.ControlApp
		}
		for _, t := range app.Targets {
			info.Targets = append(info.Targets, metrics.TargetInfo{ID: t.ID, Layers: t.Layers()})
		}
		o.Apps = append(o.Apps, info)
	}
	return metrics.New(o)
}

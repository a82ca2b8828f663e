package scenarios_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
)

// Each record of a round tells how the network is reached.
func TestAccessIsInTheRecord(t *testing.T) {
	for _, tunnel := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			cfg := config.Default()
			w, err := netlab.New(netlab.Options{Apps: cfg.Apps[:1], Controls: cfg.Controls, Trusted: cfg.Trusted, Tunnel: tunnel})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = w.Close() }()
			plan := &probe.Plan{Host: w.Host(), Apps: w.Apps(cfg.Apps[:1]...), Controls: cfg.Controls, Trusted: cfg.Trusted,
				Families: cfg.Families, Timeout: cfg.Timeout, Parallel: cfg.Parallel}
			round := plan.Run(context.Background())
			want := map[bool]measurements.Access{false: measurements.AccessWiFi, true: measurements.AccessTunnel}[tunnel]
			for _, m := range append(round.Apps, round.Gate) {
				if m.Vantage.Access != want {
					t.Errorf("%s, through a tunnel %v: %q", m.App, tunnel, m.Vantage.Access)
				}
			}
		})
	}
}

package scenarios_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// Behind a stub that answers well each name is asked once in eight rounds; the address of no resolver is
// in the record. Without a stub there is nothing behind.
func TestBehindAStubIsAskedNowAndThen(t *testing.T) {
	for _, stub := range []bool{true, false} {
		asked, named := map[string]int{}, map[string]bool{}
		synctest.Test(t, func(t *testing.T) {
			cfg := config.Default()
			w, err := netlab.New(netlab.Options{Apps: cfg.Apps[:1], Controls: cfg.Controls, Trusted: cfg.Trusted, HomeRouter: true, Stub: stub})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = w.Close() }()
			plan := &probe.Plan{Host: w.Host(), Apps: w.Apps(cfg.Apps[:1]...), Controls: cfg.Controls, Trusted: cfg.Trusted,
				Families: cfg.Families, Timeout: cfg.Timeout, Parallel: cfg.Parallel, Ledger: schedule.NewLedger(cfg.Residual)}
			for range schedule.Turns {
				round := plan.Run(context.Background())
				for _, o := range round.Apps[0].Observations {
					if o.Operation != measurements.Resolve {
						continue
					}
					key := o.Target + " " + o.Name + " " + string(o.Family)
					named[key] = named[key] || o.OK()
					if o.DNS.Behind {
						asked[key]++
					}
				}
				text, err := json.Marshal(round)
				if err != nil {
					t.Fatal(err)
				}
				for _, resolver := range []string{"192.0.2.53", "192.168.1.1"} {
					if bytes.Contains(text, []byte(resolver)) {
						t.Errorf("the record names the resolver %s", resolver)
					}
				}
				plan.Rotation = plan.Rotation.Next()
			}
		})
		for key := range named {
			if want := map[bool]int{true: 1}[stub]; asked[key] != want {
				t.Errorf("stub %v: %s was asked of the resolver behind it %d times in eight rounds, want %d", stub, key, asked[key], want)
			}
		}
		if len(named) < 4 {
			t.Errorf("names: %v", named)
		}
	}
}

package scenarios_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// place is where a step was made, as a residual block remembers it; "" for what asks a resolver.
func place(o *measurements.Observation) string {
	switch {
	case o.Operation == measurements.Resolve:
		return ""
	case o.Transport == "quic", o.Operation == measurements.QUICHandshake, o.Operation == measurements.QUICVersion:
		return "udp " + o.Endpoint
	}
	return "tcp " + o.Endpoint
}

// Each step says how long before it a target failed at its own place, and at no other.
func TestTimeSinceTheLastTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config.Default()
		w, err := netlab.New(netlab.Options{Apps: cfg.Apps[:1], Controls: cfg.Controls, Trusted: cfg.Trusted})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.Close() }()
		w.Network().SetRules(netlab.Rule{Protocol: netlab.TLS, Names: []string{"web.telegram.org"}, Action: netlab.Reset})
		plan := &probe.Plan{Host: w.Host(), Apps: w.Apps(cfg.Apps[:1]...), Controls: cfg.Controls, Trusted: cfg.Trusted, Thorough: true,
			Families: cfg.Families, Timeout: cfg.Timeout, Parallel: cfg.Parallel, Ledger: schedule.NewLedger(cfg.Residual)}
		failed := map[string]time.Time{} // when a target did so last
		first := plan.Run(context.Background())
		for i := range first.Apps[0].Observations {
			o := &first.Apps[0].Observations[i]
			if o.SinceTrigger != 0 {
				t.Errorf("in the first round, at %s: %s", place(o), time.Duration(o.SinceTrigger))
			}
			if !o.OK() && o.Control == measurements.T && place(o) != "" {
				failed[place(o)] = o.Started.Add(time.Duration(o.Duration))
			}
		}
		time.Sleep(time.Hour)
		second, met := plan.Run(context.Background()), map[string]bool{}
		for _, m := range append(second.Apps, second.Gate) {
			for i := range m.Observations {
				o := &m.Observations[i]
				want := measurements.Seconds(0)
				if at, ok := failed[place(o)]; ok && place(o) != "" {
					want, met[place(o)+string(o.Control)] = measurements.Seconds(o.Started.Sub(at)), true
				}
				if o.SinceTrigger != want || want != 0 && time.Duration(want) < time.Hour {
					t.Errorf("%s at %s: %s since the last failure there, want %s", o.Operation, place(o), time.Duration(o.SinceTrigger), time.Duration(want))
				}
			}
		}
		if len(failed) == 0 || len(met) < 2*len(failed) { // control N, too
			t.Errorf("%d places failed, %v were met again", len(failed), met)
		}
	})
}

package scenarios_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// The server that STUN's control N asks is a place like any other: after it was silent nothing of ours touches it until
// the residual time is over, while the target goes on being asked.
func TestNeutralSTUNServerRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config.Default()
		more := config.More()
		messenger := more[slices.IndexFunc(more, func(a probe.App) bool { return a.ID == "messenger" })]
		messenger.Targets = slices.DeleteFunc(messenger.Targets, func(target probe.Target) bool { return target.ID != "stun" })
		w, err := netlab.New(netlab.Options{Apps: []probe.App{messenger}, Controls: cfg.Controls})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.Close() }()
		silent := netlab.Rule{ID: "silent", Protocol: netlab.UDP, Ports: []uint16{3478}, Action: netlab.Drop}
		for _, a := range w.Addresses(messenger.Targets[0].Hosts[0]) {
			silent.Spares = append(silent.Spares, netip.PrefixFrom(a, a.BitLen()))
		}
		w.Network().Censor(silent)
		plan := &probe.Plan{Host: w.Host(), Apps: []probe.App{messenger}, Controls: cfg.Controls, Families: []measurements.Family{measurements.IPv4},
			Timeout: 5 * time.Second, Parallel: 8, Ledger: schedule.NewLedger(10 * time.Minute)}
		for i, want := range []struct{ neutral, target, rests int }{{1, 1, 0}, {0, 1, 1}, {1, 1, 0}} {
			round := plan.Run(context.Background())
			var neutral, target, rests int
			for _, o := range round.Apps[0].Observations {
				switch {
				case o.Operation != measurements.AppHandshake:
				case o.Control == measurements.N && !o.OK():
					neutral++
				case o.Control == measurements.T && o.OK():
					target++
				}
			}
			for _, k := range round.Apps[0].Skipped {
				if k.Reason == measurements.SkipResidual {
					rests++
				}
			}
			if neutral != want.neutral || target != want.target || rests != want.rests {
				t.Errorf("round %d: %d N, %d T, %d rest; want %+v", i+1, neutral, target, rests, want)
			}
			if i == 1 {
				time.Sleep(11 * time.Minute)
			}
		}
	})
}

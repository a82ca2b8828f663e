package scenarios_test

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// With resolvers that are asked by DNS over TLS alone: a router that closes their port filters nothing that we could
// tell, and hellos with their names that are reset do.
func TestDNSOverTLS(t *testing.T) {
	trusted := []probe.Resolver{
		{URL: "tls://dns.quad9.net", Addresses: []netip.Addr{netip.MustParseAddr("9.9.9.9")}},
		{URL: "tls://one.one.one.one", Addresses: []netip.Addr{netip.MustParseAddr("1.1.1.1")}},
	}
	for what, test := range map[string]struct {
		rule netlab.Rule
		want measurements.Signature
	}{
		"nothing":        {netlab.Rule{ID: "none", Protocol: netlab.TCP, Ports: []uint16{9}, Action: netlab.Drop}, ""},
		"a closed port":  {netlab.Rule{ID: "router", Protocol: netlab.TCP, Ports: []uint16{853}, Action: netlab.Drop}, ""},
		"resets by name": {netlab.Rule{ID: "names", Protocol: netlab.TLS, Ports: []uint16{853}, Names: []string{"dns.quad9.net", "one.one.one.one"}, Action: netlab.Reset}, measurements.DNSEncrypted},
	} {
		synctest.Test(t, func(t *testing.T) {
			cfg := config.Default()
			w, err := netlab.New(netlab.Options{Apps: cfg.Apps[:1], Controls: cfg.Controls, Trusted: trusted})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = w.Close() }()
			w.Network().Censor(test.rule)
			plan := &probe.Plan{Host: w.Host(), Apps: w.Apps(cfg.Apps[:1]...), Controls: cfg.Controls, Trusted: trusted, Thorough: true,
				Families: cfg.Families, Timeout: cfg.Timeout, Parallel: cfg.Parallel, Ledger: schedule.NewLedger(cfg.Residual)}
			round := plan.Run(context.Background())
			v := measurements.Judge(&round, nil)
			if v.Network.State != measurements.OK || v.Network.Signature != test.want {
				t.Errorf("%s: %+v", what, v.Network)
			}
			for _, o := range round.Gate.Observations {
				if o.Control == measurements.D && o.Operation == measurements.TLSHandshake && o.OK() != (what == "nothing") {
					t.Errorf("%s: %+v", what, o)
				}
			}
		})
	}
}

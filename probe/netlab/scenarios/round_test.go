package scenarios_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/config/catalogue"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
	"github.com/telltale-probe/telltale/probe/schedule"
)

func lab() *scenarios.Lab {
	cfg := config.Default()
	return &scenarios.Lab{Apps: cfg.Apps, More: config.More(), Placebo: cfg.Placebo, Controls: cfg.Controls, Trusted: cfg.Trusted, Parse: catalogue.Parse}
}

// defaultRound makes one round as `run` makes it, by the default configuration, in virtual time. The turn says what goes
// round in turns.
func defaultRound(t testing.TB, turn schedule.Rotation, access time.Duration, rules ...netlab.Rule) (round measurements.Round, wire int64) {
	synctest.Test(&testing.T{}, func(*testing.T) {
		cfg := config.Default()
		w, err := netlab.New(netlab.Options{Apps: append(cfg.Apps, cfg.Placebo), Controls: cfg.Controls, Trusted: cfg.Trusted, Access: netlab.Link{Latency: access}})
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = w.Close() }()
		w.Network().Censor(rules...)
		system, err := w.Host().ResolversOfSystem()
		if err != nil {
			t.Error(err)
			return
		}
		var total atomic.Int64
		plan := &probe.Plan{Host: w.Host(), Apps: w.Apps(cfg.Apps...), Placebo: cfg.Placebo, Controls: cfg.Controls, System: system, Trusted: cfg.Trusted,
			Families: cfg.Families, Rotation: turn, Timeout: cfg.Timeout, Parallel: cfg.Parallel, Ledger: schedule.NewLedger(cfg.Residual),
			Bytes: func(out, in int64) { total.Add(out + in) }}
		round = plan.Run(context.Background())
		wire = total.Load()
	})
	return round, wire
}

// A default round fits the household: it is short on a clean line, bounded on a dead one, and small.
func TestDefaultRoundIsShortAndSmall(t *testing.T) {
	// The emulated paths add 5 to 45 ms one way to the access line: with 1 ms the mean RTT is about 50 ms.
	rounds := schedule.Rotation(schedule.Turns) // who has control N goes round, and the dearest of the turns counts
	if exhaustive() {
		rounds = 30 // … with some luck in what is drawn
	}
	sum, most := int64(0), int64(0)
	for turn := range rounds {
		round, wire := defaultRound(t, turn, time.Millisecond)
		sum, most = sum+wire, max(most, wire)
		if took := time.Duration(round.Runtime); took > 5*time.Second {
			t.Errorf("a clean round took %v, want at most 5 s", took)
		}
		if wire > 600_000 {
			t.Errorf("a clean round took %d bytes on the wire, want at most 600000", wire)
		}
	}
	t.Logf("clean: %d bytes on the wire in the mean of %d rounds, %d at most", sum/int64(rounds), rounds, most)
	round, _ := defaultRound(t, 0, time.Millisecond, netlab.Rule{ID: "dead", Action: netlab.Drop})
	took := time.Duration(round.Runtime)
	t.Logf("black-holed: %v", took)
	if limit := 3 * config.Default().Timeout; took > limit {
		t.Errorf("a black-holed round took %v, want at most %v", took, limit)
	}
}

// headers is what ten segments of a handshake and its connection add on the wire: 20 bytes of TCP with 12 of
// options, and 40 of IPv6 (RFC 9293, RFC 7323, RFC 8200).
const headers = 10 * (20 + 12 + 40)

// An app's own first exchange takes 3 kB on the wire at most, whatever is asked of it.
func TestHandshakesAreSmall(t *testing.T) {
	all, err := scenarios.All()
	if err != nil {
		t.Fatal(err)
	}
	largest := map[string]int64{}
	for _, s := range all {
		if s.Name != "innocent-clean-line" && s.Name != "innocent-apps-off-by-default" && s.Name != "app-mtproto-recognised-and-dropped" {
			continue
		}
		s.Opaque = true
		r, err := lab().Run(&s)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range r.Round.Apps {
			probes := map[string]string{}
			for _, t := range m.Targets {
				probes[t.ID] = t.Probes[0]
			}
			for i := range m.Observations {
				o, what := &m.Observations[i], ""
				switch word := probes[o.Target]; {
				case o.Operation == measurements.AppHandshake && o.App != nil:
					what = o.App.Protocol + " " + o.App.Arm + " " + o.App.Proof
				case o.Operation == measurements.HTTPExchange && o.Control == measurements.T && (word == "legy" || word == "wss"):
					what = word // the answer to the request, or to the question for a WebSocket
				default:
					continue
				}
				largest[what] = max(largest[what], o.Sent+o.Received+headers)
			}
		}
	}
	t.Logf("with headers: %v", largest)
	for what, n := range largest {
		if n > 3000 {
			t.Errorf("%s: %d bytes, want at most 3000", what, n)
		}
	}
	if len(largest) < 10 || largest["legy"] == 0 || largest["wss"] == 0 {
		t.Errorf("only these were made: %v", largest)
	}
}

func BenchmarkDefaultRound(b *testing.B) {
	probe.DisableScrambling()
	turn := schedule.Rotation(0)
	for b.Loop() {
		turn = turn.Next()
		round, wire := defaultRound(b, turn, time.Millisecond)
		b.ReportMetric(time.Duration(round.Runtime).Seconds(), "virtual-s/round")
		b.ReportMetric(float64(wire), "wire-B/round")
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/probe"
)

// The store has the configuration's bounds, and its troubles are counted: a damaged database costs the
// daemon nothing but a series.
func TestStoreOfADaemon(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "telltale.db"), []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	counted := newMetrics(cfg)
	o := storeOptions(cfg, zerolog.Nop(), counted)
	if o.Retention != cfg.Retention || o.MaxSize != cfg.MaxSize {
		t.Errorf("bounds: %+v", o)
	}
	kept, err := store.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kept.Close() }()
	plan, err := newPlan(cfg, realHost(cfg))
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{log: zerolog.Nop(), store: kept, metrics: counted, watch: &probe.Watch{Plan: plan}}
	d.restore()
	d.keep(&measurements.Round{ID: "a", Started: time.Now()}, &measurements.RoundVerdict{Schema: measurements.RoundSchema, Apps: []measurements.AppVerdict{}})
	for name, want := range map[string]float64{"telltale_store_errors_total": 1, "telltale_store_size_bytes": float64(kept.Size())} {
		families, err := counted.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := -1.0
		for _, f := range families {
			if f.GetName() == name {
				m := f.GetMetric()[0]
				got = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
		if got != want || want == 0 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	for _, state := range []string{stateHistory, stateMetrics, stateLedger, stateBudget, stateTurns} {
		var v any
		if err := kept.LoadState(state, &v); err != nil {
			t.Error(err)
		}
	}
	again := &daemon{log: zerolog.Nop(), store: kept, metrics: counted, watch: &probe.Watch{Plan: &probe.Plan{Ledger: plan.Ledger, Budget: plan.Budget, Suspicion: plan.Suspicion}}}
	if again.restore(); again.watch.Plan.Rotation != plan.Rotation || plan.Rotation == 0 {
		t.Errorf("after a restart it is turn %d, was %d", again.watch.Plan.Rotation, plan.Rotation)
	}
}

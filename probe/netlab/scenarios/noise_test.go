package scenarios

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/noise"
)

func ofDefault() *Lab {
	cfg := config.Default()
	return &Lab{Apps: cfg.Apps, Placebo: cfg.Placebo, Controls: cfg.Controls, Trusted: cfg.Trusted}
}

// What goes wrong follows from the seed, comes in the order of time, and is of every kind.
func TestTroublesFollowTheSeed(t *testing.T) {
	const week = 7 * 24 * time.Hour
	lab := ofDefault()
	drawn := func(seed uint64) (out []time.Duration, moves int) {
		for _, tr := range lab.troubles(rand.New(rand.NewPCG(seed, 0)), week) {
			out = append(out, tr.at)
			if len(tr.moves) > 0 {
				moves++
			}
		}
		return out, moves
	}
	a, moves := drawn(1)
	b, _ := drawn(1)
	if !slices.Equal(a, b) || !slices.IsSorted(a) {
		t.Error("the same seed gives other troubles, or in no order")
	}
	if c, _ := drawn(2); slices.Equal(a, c) {
		t.Error("another seed gives the same")
	}
	if moves < 10 || len(a) < 80 {
		t.Errorf("%d troubles, %d names that move", len(a), moves)
	}
}

// Troubles hit those who are there at the time: a target that has moved is out at its new addresses. What is over is
// taken off the wire.
func TestTroublesFollowWhoMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := ofDefault().Apps[0]
		w, err := netlab.New(netlab.Options{Apps: []probe.App{app}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.Close() }()
		target := app.Targets[slices.IndexFunc(app.Targets, func(t probe.Target) bool { return len(t.Hosts) > 0 })]
		before := w.Addresses(target.Hosts[0])
		if err := drawMove(rand.New(rand.NewPCG(1, 1)), 0, target.Hosts).begin(w); err != nil {
			t.Fatal(err)
		}
		how := drawOutage(rand.New(rand.NewPCG(1, 2)), 0, time.Hour)
		afflict(w, at(prefixes(w, target), how...)...)
		rules := w.Network().Rules()
		if len(rules) != 2 || len(rules[0].Addresses) < 3 || slices.ContainsFunc(rules[0].Addresses, func(p netip.Prefix) bool { return slices.ContainsFunc(before, p.Contains) }) {
			t.Errorf("%v moved from %v, and is out by %+v", target.Hosts, before, rules)
		}
		time.Sleep(2 * time.Hour)
		if afflict(w, at(nil, how...)...); len(w.Network().Rules()) != 0 {
			t.Errorf("left over: %+v", w.Network().Rules())
		}
	})
}

// The bar is about blocks by name: hard resets in three hours, and a quarter of any in a day. A few that are late, of few or
// of many, do not miss it.
func TestLate(t *testing.T) {
	const hour = time.Hour
	found := func(n, never int, likely, confirmed time.Duration) *noise.Delays {
		d := &noise.Delays{}
		for range n {
			d.Note(likely, confirmed)
		}
		for range never {
			d.Note(0, 0)
		}
		return d
	}
	for _, b := range Blocks() {
		reset := b.What == "SNI reset" && b.Share == 1
		quarter := b.What != "IP drop" && b.Share < 0.5
		if late := b.Late(found(8, 4, hour, hour)) != ""; late != (reset || quarter) {
			t.Errorf("%s of %.2f: a third is never found, late: %v", b.What, b.Share, late)
		}
		if late := b.Late(found(4, 0, hour, 5*hour)) != ""; late != reset {
			t.Errorf("%s of %.2f: confirmed after five hours, late: %v", b.What, b.Share, late)
		}
		for _, few := range [][2]int{{0, 0}, {3, 1}, {9, 1}, {9, 2}, {36, 4}} {
			if late := b.Late(found(few[0], few[1], hour, hour)); late != "" {
				t.Errorf("%s of %.2f: %d are found and %d not, late: %s", b.What, b.Share, few[0], few[1], late)
			}
		}
	}
}

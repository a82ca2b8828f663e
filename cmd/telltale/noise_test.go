package main

import (
	"context"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
)

// Hours on a lossy line with its troubles: nothing is called likely.
func TestNoise(t *testing.T) {
	if underRace {
		t.Skip("hours of virtual time make the race detector itself give up; the rounds are raced elsewhere")
	}
	t.Parallel()
	const rounds = 20
	r, err := newLab().Noise(t.Context(), scenarios.Noise{Loss: 0.05, Burst: 300 * time.Millisecond, Weeks: 1, Seed: 7, Rounds: rounds})
	if err != nil {
		t.Fatal(err)
	}
	if r.Rounds != rounds || r.Visits < 31*rounds || r.Troubles < 80 || r.Time < 4*time.Hour || len(r.History) == 0 {
		t.Errorf("%d rounds, %d visits in %v, %d troubles, a history of %d bytes", r.Rounds, r.Visits, r.Time, r.Troubles, len(r.History))
	}
	if len(r.Worst) > 0 {
		t.Errorf("false findings: %v", r.Worst)
	}
}

// The tables fit a terminal, and a run that was stopped says so.
func TestNoiseTables(t *testing.T) {
	if underRace {
		t.Skip("as TestNoise")
	}
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	time.AfterFunc(2*time.Second, stop)
	var out strings.Builder
	n := labNoiseCmd{Burst: 300 * time.Millisecond, Weeks: 1, Seeds: 1, Seed: 1, Onsets: 1}
	err := n.play(ctx, &cli{}, terminal{out: &out, err: io.Discard}, []float64{0.05, 0})
	if err == nil || !strings.Contains(err.Error(), "stopped before the end") {
		t.Errorf("%v", err)
	}
	for _, want := range []string{"\n5%", "\n0%", "\nall", "months of one vantage", "loss 5%", "SNI reset", "IP drop"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("without %q", want)
		}
	}
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > tableWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// A block whose watch was cut short is not counted: it might have been found.
func TestNoiseStoppedCountsNoBlocks(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out strings.Builder
	n := labNoiseCmd{Burst: 300 * time.Millisecond, Weeks: 1, Seeds: 1, Seed: 1, Onsets: 1}
	if err := n.play(ctx, &cli{}, terminal{out: &out, err: io.Discard}, []float64{0}); err == nil {
		t.Error("it was not stopped")
	}
	unwatched := regexp.MustCompile(`(?m)^\w+ \w+ +\d+% +0 +- +- +- +- +- +-$`)
	if n := len(unwatched.FindAllString(out.String(), -1)); n != len(scenarios.Blocks()) {
		t.Errorf("it tells of blocks that nobody watched:\n%s", out.String())
	}
}

func TestNoiseFlags(t *testing.T) {
	for flag, want := range map[string]string{
		"--loss=50%": "between 0% and 40%", "--loss=x": "between 0% and 40%", "--weeks=0": "1 to 50", "--weeks=51": "1 to 50", "--seeds=0": "1 or more", "--onsets=-1": "0 or more", "--burst=0s": "more than 0",
	} {
		if code, _, errs := telltale(t, "", "lab", "noise", flag); code != exitUsage || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d: %s", flag, code, errs)
		}
	}
	if code, _, errs := telltale(t, "", "lab", "noise", "--outcomes=-1"); code != exitUsage {
		t.Errorf("exit %d: %s", code, errs)
	}
}

package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
)

// A day on a lossy line with its troubles: nothing is called likely, and something does go wrong.
func TestNoise(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	time.AfterFunc(5*time.Second, stop) // as many rounds as come: a week takes a minute
	r, err := newLab().Noise(ctx, scenarios.Noise{Loss: 0.05, Burst: 300 * time.Millisecond, Weeks: 1, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	if r.Rounds < 3 || r.Visits < 31*r.Rounds || r.Troubles < 20 {
		t.Errorf("%+v", r)
	}
	if len(r.Worst) > 0 {
		t.Errorf("false findings: %v", r.Worst)
	}
}

func TestNoiseFlags(t *testing.T) {
	for flag, want := range map[string]string{
		"--loss=50%": "between 0% and 40%", "--loss=x": "between 0% and 40%", "--weeks=0": "1 or more", "--seeds=0": "1 or more", "--burst=0s": "more than 0",
	} {
		if code, _, errs := telltale(t, "", "lab", "noise", flag); code != exitUsage || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d: %s", flag, code, errs)
		}
	}
	if code, _, errs := telltale(t, "", "lab", "noise", "--outcomes=-1"); code != exitUsage {
		t.Errorf("exit %d: %s", code, errs)
	}
}

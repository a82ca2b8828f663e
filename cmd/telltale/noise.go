package main

import (
	"context"
	"fmt"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
	"github.com/telltale-probe/telltale/probe/noise"
)

// labNoiseCmd counts false findings: of the whole program on an emulated line, or of the rules and the
// history alone, which takes a hundred million visits in minutes.
type labNoiseCmd struct {
	Loss     []string      `help:"Shares of packets lost, in bursts." default:"0%,1%,3%,5%"`
	Burst    time.Duration `help:"Mean length of a burst of loss." default:"300ms"`
	Weeks    int           `help:"Length of each run." default:"1"`
	Seeds    int           `help:"Runs for each share of loss." default:"4"`
	Seed     uint64        `help:"The first seed." default:"1"`
	Outcomes float64       `help:"Simulate so many target-rounds by their outcomes instead, without handshakes." placeholder:"1e8"`
}

// Run prints a table, and fails where a false finding was likely or confirmed; of outcomes, where more were than the
// bar allows.
func (n *labNoiseCmd) Run(c *cli, t terminal) error {
	if n.Weeks < 1 || n.Seeds < 1 || n.Burst <= 0 || n.Outcomes < 0 || n.Outcomes > 1e12 {
		return usagef("--weeks and --seeds must be 1 or more, --burst more than 0, --outcomes at most 1e12")
	}
	if n.Outcomes > 0 {
		bar := c.progress(t.err, "visits", int(n.Outcomes))
		report := noise.SimulateOutcomes(noise.OutcomeOptions{TargetRounds: int64(n.Outcomes), Seed: n.Seed, Told: bar.tell})
		bar.clear()
		report.Write(t.out)
		return report.Held()
	}
	var shares []float64
	for _, text := range n.Loss {
		share, err := percentage(text)
		if err != nil {
			return usageError{err}
		}
		shares = append(shares, share)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	_, _ = fmt.Fprintf(t.out, "%-5s %13s %9s %10s %8s %10s %13s\n", "loss", "target-rounds", "troubles", "suspected", "likely", "confirmed", "inconclusive")
	worst := 0
	for _, share := range shares {
		bar := c.progress(t.err, fmt.Sprintf("runs at a loss of %g%%", 100*share), n.Seeds)
		bar.begin()
		r, err := n.runs(ctx, bar, share)
		bar.clear()
		if err != nil {
			return err
		}
		worst += n.show(t, share, &r)
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("stopped before the end; what is above is of shorter runs")
	case worst > 0:
		return fmt.Errorf("%d false findings were likely or confirmed", worst)
	}
	return nil
}

// percentage reads "5%" or "0.05".
func percentage(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	f, err := strconv.ParseFloat(number, 64)
	if percent {
		f /= 100
	}
	if err != nil || !(f >= 0 && f <= 0.4) {
		return 0, fmt.Errorf("--loss=%s: must be between 0%% and 40%%", text)
	}
	return f, nil
}

// runs plays the seeds side by side, as many as there are processors, and adds them up.
func (n *labNoiseCmd) runs(ctx context.Context, bar *progress, loss float64) (scenarios.NoiseReport, error) {
	sum := scenarios.NoiseReport{States: map[measurements.State]int{}, False: map[measurements.Confidence]int{}}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		first error
	)
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range n.Seeds {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			r, err := newLab().Noise(ctx, scenarios.Noise{Loss: loss, Burst: n.Burst, Weeks: n.Weeks, Seed: n.Seed + uint64(i)})
			mu.Lock()
			defer mu.Unlock()
			if err != nil && first == nil {
				first = err
			}
			sum.Add(&r)
			bar.step()
		})
	}
	wg.Wait()
	return sum, first
}

// show prints a row, with the upper 95 % bounds in the same unit, and says how many were likely or more.
func (n *labNoiseCmd) show(t terminal, loss float64, r *scenarios.NoiseReport) int {
	counted := func(c measurements.Confidence) string {
		return fmt.Sprintf("%d (≤%.0f)", r.False[c], noise.Upper(r.False[c]))
	}
	_, _ = fmt.Fprintf(t.out, "%-5s %13d %9d %10s %8s %10s %12.2f%%\n", fmt.Sprintf("%g%%", 100*loss), r.Visits, r.Troubles,
		counted(measurements.Suspected), counted(measurements.Likely), counted(measurements.Confirmed),
		100*float64(r.States[measurements.Inconclusive])/float64(max(r.Visits, 1)))
	for _, line := range r.Worst {
		_, _ = fmt.Fprintln(t.out, wrap("  ", line, tableWidth))
	}
	return len(r.Worst)
}

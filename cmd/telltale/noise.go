package main

import (
	"context"
	"fmt"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
	"github.com/telltale-probe/telltale/probe/noise"
)

// labNoiseCmd counts false findings, and then measures how soon blocks are found: of the whole program on an emulated
// line, or of the rules and the history alone, which takes a hundred million visits in minutes.
type labNoiseCmd struct {
	Loss     []string      `help:"Shares of packets lost, in bursts." default:"0%,1%,3%,5%"`
	Burst    time.Duration `help:"Mean length of a burst of loss." default:"300ms"`
	Weeks    int           `help:"Length of each run." default:"1"`
	Seeds    int           `help:"Runs for each share of loss." default:"4"`
	Seed     uint64        `help:"The first seed." default:"1"`
	Onsets   int           `help:"Blocks of each kind that are injected after the weeks, at each share of loss." default:"4"`
	Outcomes float64       `help:"Simulate so many target-rounds by their outcomes instead, without handshakes." placeholder:"1e8"`
}

// Run prints tables, and fails where a false finding was likely or confirmed, or where too many blocks were found too
// late; of outcomes, where more were false than the bar allows.
func (n *labNoiseCmd) Run(c *cli, t terminal) error {
	if n.Weeks < 1 || n.Seeds < 1 || n.Weeks > mostWeeks || n.Burst <= 0 || n.Onsets < 0 || n.Outcomes < 0 || n.Outcomes > 1e12 {
		return usagef("--weeks must be 1 to %d, --seeds 1 or more, --onsets 0 or more, --burst more than 0, --outcomes at most 1e12", mostWeeks)
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
	defer debug.SetGCPercent(debug.SetGCPercent(roomy))
	return n.play(ctx, c, t, shares)
}

const (
	// mostWeeks is for how long the certificates of the emulated internet hold (a year).
	mostWeeks = 50
	// roomy is how much garbage there may be before it is collected, in percent of what lives: a run lives on some
	// twenty megabytes, and collecting took a fifth of its time.
	roomy = 400
)

// play counts false findings at each share of loss, then injects blocks there.
func (n *labNoiseCmd) play(ctx context.Context, c *cli, t terminal, shares []float64) error {
	_, _ = fmt.Fprintf(t.out, "%-5s %13s %9s %10s %8s %10s %13s\n", "loss", "target-rounds", "troubles", "suspected", "likely", "confirmed", "inconclusive")
	worst, kept := 0, map[float64][][]byte{}
	sum := newNoiseReport()
	for _, share := range shares {
		r, histories, err := n.runs(ctx, c, t, share)
		if err != nil {
			return err
		}
		kept[share] = histories
		n.show(t, fmt.Sprintf("%g%%", 100*share), &r)
		worst += len(r.Worst)
		sum.Add(&r)
	}
	if len(shares) > 1 {
		n.show(t, "all", &sum)
	}
	_, _ = fmt.Fprintf(t.out, "(≤n): upper 95 %% bound, in %.1f months of one vantage\n", sum.Time.Hours()/hoursOfMonth)
	var late []string
	for _, share := range shares {
		missed, err := n.onsets(ctx, c, t, share, kept[share])
		if err != nil {
			return err
		}
		late = append(late, missed...)
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("stopped before the end; what is above is of shorter runs")
	case worst > 0:
		return fmt.Errorf("%d false findings were likely or confirmed", worst)
	case len(late) > 0:
		return fmt.Errorf("found too late: %s", strings.Join(late, "; "))
	}
	return nil
}

const hoursOfMonth = 30.4375 * 24

func newNoiseReport() scenarios.NoiseReport {
	return scenarios.NoiseReport{States: map[measurements.State]int{}, False: map[measurements.Confidence]int{}}
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

// runs plays the seeds and adds them up. The histories are what the daemons know at the end.
func (n *labNoiseCmd) runs(ctx context.Context, c *cli, t terminal, loss float64) (sum scenarios.NoiseReport, histories [][]byte, err error) {
	sum = newNoiseReport()
	bar := c.progress(t.err, fmt.Sprintf("runs at a loss of %g%%", 100*loss), n.Seeds)
	reports := make([]scenarios.NoiseReport, n.Seeds)
	err = besides(bar, n.Seeds, func(i int) (err error) {
		reports[i], err = newLab().Noise(ctx, n.noise(loss, i))
		return err
	})
	for i := range reports {
		sum.Add(&reports[i])
		histories = append(histories, reports[i].History)
	}
	return sum, histories, err
}

func (n *labNoiseCmd) noise(loss float64, run int) scenarios.Noise {
	return scenarios.Noise{Loss: loss, Burst: n.Burst, Weeks: n.Weeks, Seed: n.Seed + uint64(run)}
}

// besides does n things side by side, as many as there are processors, and gives the first error.
func besides(bar *progress, n int, do func(int) error) error {
	bar.begin()
	defer bar.clear()
	errs := make([]error, n)
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = do(i)
			bar.step()
		})
	}
	wg.Wait()
	i := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if i < 0 {
		return nil
	}
	return errs[i]
}

// show prints a row, with the upper 95 % bounds in the same unit, and what was likely or more.
func (n *labNoiseCmd) show(t terminal, loss string, r *scenarios.NoiseReport) {
	counted := func(c measurements.Confidence) string {
		return fmt.Sprintf("%d (≤%.0f)", r.False[c], noise.Upper(r.False[c]))
	}
	_, _ = fmt.Fprintf(t.out, "%-5s %13d %9d %10s %8s %10s %12.2f%%\n", loss, r.Visits, r.Troubles,
		counted(measurements.Suspected), counted(measurements.Likely), counted(measurements.Confirmed),
		100*float64(r.States[measurements.Inconclusive])/float64(max(r.Visits, 1)))
	if loss == "all" {
		return // said already
	}
	for _, line := range r.Worst {
		_, _ = fmt.Fprintln(t.out, wrap("  ", line, tableWidth))
	}
}

// onsets injects blocks at a share of loss, prints how soon they were found, and names the kinds that miss the bar.
func (n *labNoiseCmd) onsets(ctx context.Context, c *cli, t terminal, loss float64, histories [][]byte) (late []string, err error) {
	kinds := scenarios.Blocks()
	delays := make([]noise.Delays, len(kinds))
	bar := c.progress(t.err, fmt.Sprintf("blocks at a loss of %g%%", 100*loss), n.Onsets*len(kinds))
	var mu sync.Mutex
	err = besides(bar, n.Onsets*len(kinds), func(i int) error {
		k, b := i%len(kinds), kinds[i%len(kinds)]
		likely, confirmed, err := newLab().Onset(ctx, n.noise(loss, i), b, histories[i/len(kinds)%len(histories)])
		mu.Lock()
		defer mu.Unlock()
		delays[k].What, delays[k].Share = b.What, b.Share
		if ctx.Err() == nil { // else it was not watched to its end, and "never" would be untrue
			delays[k].Note(likely, confirmed)
		}
		return err
	})
	if err != nil || n.Onsets == 0 {
		return nil, err
	}
	_, _ = fmt.Fprintf(t.out, "\nloss %g%%", 100*loss)
	noise.WriteDelays(t.out, "how", scenarios.Watched, delays)
	for k := range delays {
		if why := kinds[k].Late(&delays[k]); why != "" {
			late = append(late, fmt.Sprintf("%s at a loss of %g%%", why, 100*loss))
		}
	}
	return late, nil
}

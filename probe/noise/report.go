package noise

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	ms "github.com/telltale-probe/telltale/measurements"
)

const (
	monthOfHours   = 30.4375 * 24
	tenYearsInHour = 120 * monthOfHours
)

// Upper is the upper 95 % bound of the mean of a Poisson count: 3.0 of none (the rule of three), and by
// Garwood (Fiducial Limits for the Poisson Distribution, Biometrika 28, 1936) of more. It bounds the
// rate of findings that come independently.
func Upper(count int) float64 {
	// Solve P(X ≤ count | mean) = 0.05 by bisection: the left side falls with the mean.
	low, high := float64(count), 2*float64(count)+10
	for range 60 {
		mean := (low + high) / 2
		if poissonBelow(count, mean) > 0.05 {
			low = mean
		} else {
			high = mean
		}
	}
	return high
}

// poissonBelow is the probability of count or fewer, summed in logarithms so that large means hold.
func poissonBelow(count int, mean float64) float64 {
	sum := 0.0
	for k := range count + 1 {
		factorial, _ := math.Lgamma(float64(k) + 1)
		sum += math.Exp(float64(k)*math.Log(mean) - mean - factorial)
	}
	return sum
}

// PerMonth and PerTenYears give the upper 95 % bounds of false findings of one vantage.
func (r *OutcomeReport) PerMonth(c ms.Confidence) float64 {
	return Upper(r.False[c]) / (r.Time.Hours() / monthOfHours)
}

// PerTenYears is PerMonth for ten years.
func (r *OutcomeReport) PerTenYears(c ms.Confidence) float64 {
	return Upper(r.False[c]) / (r.Time.Hours() / tenYearsInHour)
}

// Held says whether the bar is held, as far as what was found tells: at most one false confirmed a vantage and ten
// years, and one false likely a vantage and month, by the upper bounds. A run in which none was found fails no bar,
// however short it was: its bounds say how little it shows.
func (r *OutcomeReport) Held() error {
	likely, confirmed := r.PerMonth(ms.Likely), r.PerTenYears(ms.Confirmed)
	switch {
	case r.False[ms.Confirmed] > 0 && confirmed > 1:
		return fmt.Errorf("%d false findings were confirmed, up to %.2g a vantage and ten years: the bar is one", r.False[ms.Confirmed], confirmed)
	case r.False[ms.Likely] > 0 && likely > 1:
		return fmt.Errorf("%d false findings were likely, up to %.2g a vantage and month: the bar is one", r.False[ms.Likely], likely)
	}
	return nil
}

// Write prints the report as tables of at most 80 columns.
func (r OutcomeReport) Write(w io.Writer) {
	_, _ = fmt.Fprintf(w, "%.3g target-rounds at %d vantages: %.1f years of one, in %s\n\n", float64(r.TargetRounds), r.Vantages, r.Time.Hours()/tenYearsInHour*10, r.Took.Round(time.Second))
	_, _ = fmt.Fprintf(w, "%-22s %8s %18s %22s\n", "nobody blocks", "count", "a month, 95 % ≤", "in ten years, 95 % ≤")
	for _, c := range confidences {
		_, _ = fmt.Fprintf(w, "%-22s %8d %18.3g %22.3g\n", "false "+string(c), r.False[c], r.PerMonth(c), r.PerTenYears(c))
	}
	for _, s := range slices.SortedFunc(maps.Keys(r.Signatures), func(a, b ms.Signature) int {
		return cmp.Or(r.Signatures[b]-r.Signatures[a], cmp.Compare(a, b))
	}) {
		_, _ = fmt.Fprintf(w, "  likely: %-14s %6d\n", s, r.Signatures[s])
	}
	worst := r.Penalty
	for i := range r.Onsets {
		worst = max(worst, r.Onsets[i].Penalty)
	}
	_, _ = fmt.Fprintf(w, "under a penalty of ours: no address for more than %.1f %% of a day\n", 100*worst)
	if len(r.Onsets) == 0 {
		return
	}
	delays := make([]Delays, len(r.Onsets))
	for i := range r.Onsets {
		delays[i] = r.Onsets[i].Delays
	}
	WriteDelays(w, "handshakes", Watched, delays)
}

func word(f ms.Failure) string {
	if f == ms.Timeout {
		return "dropped"
	}
	return f.Kind()
}

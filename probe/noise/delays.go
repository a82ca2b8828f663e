package noise

import (
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// Delays is how soon blocks of one kind were noticed, from their onset on.
type Delays struct {
	What   string  // the kind, in a word or two
	Share  float64 // of the connections that it kills
	Blocks int     // how many were watched
	// Times to the first finding of that confidence, sorted; of those blocks that led to one while they were watched.
	Likely, Confirmed []time.Duration
}

// Note takes in when one block was likely and confirmed; 0 is never.
func (d *Delays) Note(likely, confirmed time.Duration) {
	d.Blocks++
	for _, f := range []struct {
		at time.Duration
		in *[]time.Duration
	}{{likely, &d.Likely}, {confirmed, &d.Confirmed}} {
		if f.at > 0 {
			i, _ := slices.BinarySearch(*f.in, f.at)
			*f.in = slices.Insert(*f.in, i, f.at)
		}
	}
}

// Within is the share of all blocks that were found in so long.
func (d *Delays) Within(found []time.Duration, long time.Duration) float64 {
	n := 0
	for _, f := range found {
		if f <= long {
			n++
		}
	}
	return float64(n) / float64(max(d.Blocks, 1))
}

// percent is Within for people; where no block was watched there is no share.
func (d *Delays) percent(found []time.Duration, long time.Duration) string {
	if d.Blocks == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100*d.Within(found, long))
}

// quantile of all blocks, those that were never found at the end.
func (d *Delays) quantile(found []time.Duration, q float64) string {
	i := int(math.Ceil(q*float64(d.Blocks))) - 1
	if i < 0 || i >= len(found) {
		return "-"
	}
	return fmt.Sprintf("%.1f h", found[i].Hours())
}

// WriteDelays prints a table of at most 80 columns. Blocks were watched for so long.
func WriteDelays(w io.Writer, kinds string, watched time.Duration, list []Delays) {
	_, _ = fmt.Fprintf(w, "\n%-17s %5s  %-25s  %-25s\n", "somebody blocks", "", "likely", "confirmed")
	_, _ = fmt.Fprintf(w, "%-11s %5s %5s %9s %8s %8s %9s %8s %8s\n", kinds, "share", "n", "in a day", "median", "95 %", "in 3 h", "median", "95 %")
	for i := range list {
		d := &list[i]
		_, _ = fmt.Fprintf(w, "%-11s %4.0f%% %5d %9s %8s %8s %9s %8s %8s\n", d.What, 100*d.Share, d.Blocks,
			d.percent(d.Likely, 24*time.Hour), d.quantile(d.Likely, 0.5), d.quantile(d.Likely, 0.95),
			d.percent(d.Confirmed, 3*time.Hour), d.quantile(d.Confirmed, 0.5), d.quantile(d.Confirmed, 0.95))
	}
	_, _ = fmt.Fprintf(w, "times from the onset; - is later than %.0f hours\n", watched.Hours())
}

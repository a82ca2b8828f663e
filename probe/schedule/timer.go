package schedule

import (
	"math"
	"math/rand/v2"
	"time"
)

// longestDraw cuts the exponential: one wait in fifty would be longer than four means, and a volunteer
// who looks at the page would think that nothing happens.
const longestDraw = 4

// Next says how long to wait until the next round: a part of the mean, and for the share jitter of it a
// draw of the exponential distribution. Rounds at such times see every hour of the day, and every state
// of a line, as often as it is there (Wolff, Poisson Arrivals See Time Averages, Operations Research
// 1982), and keep no rhythm by which a network could tell them. The mean stays what was asked for.
//
// jitter is taken as between 0, a clock, and 1, no memory at all. rnd may be nil: the process's own
// generator then.
func Next(mean time.Duration, jitter float64, rnd *rand.Rand) time.Duration {
	draw := rand.ExpFloat64
	if rnd != nil {
		draw = rnd.ExpFloat64
	}
	if mean <= 0 || !(jitter > 0) { // so written that NaN is no jitter
		return max(mean, 0)
	}
	jitter = min(jitter, 1)
	kept := -math.Expm1(-longestDraw) // the mean of what is left of the exponential
	return time.Duration(float64(mean) * (1 - jitter + jitter*min(draw(), longestDraw)/kept))
}

// A round's visits begin over this part of the mean interval, and over five minutes at most. Chosen by us: that is
// no burst on the line, who waits for the page waits no longer, and what the gate said is not older than most
// troubles of a line last.
const (
	spreadPart = 3
	mostSpread = 5 * time.Minute
)

// Spread is the time over which the visits of a round begin.
func Spread(mean time.Duration) time.Duration { return max(min(mean/spreadPart, mostSpread), 0) }

package schedule

import (
	"math/rand/v2"
	"time"
)

// Next says how long to wait until the next round: uniformly between mean·(1−jitter) and
// mean·(1+jitter), so that the mean stays what the volunteer asked for. Without jitter a network
// could tell our rounds by the clock, and volunteers would all knock at one moment.
//
// jitter is taken as between 0 and 1. rnd may be nil: the process's own generator then.
func Next(mean time.Duration, jitter float64, rnd *rand.Rand) time.Duration {
	draw := rand.Float64
	if rnd != nil {
		draw = rnd.Float64
	}
	if mean <= 0 || !(jitter > 0) { // so written that NaN is no jitter
		return max(mean, 0)
	}
	return mean + time.Duration(float64(mean)*min(jitter, 1)*(2*draw()-1))
}

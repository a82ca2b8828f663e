package delivery

import (
	"math/rand/v2"
	"time"
)

// How long is waited after failures. Chosen by us: the first failure may be a lost packet; a receiver that is
// down for a day must not be asked by a thousand vantages a second, nor a line that comes back wait for long.
const (
	leastWait = 5 * time.Second
	mostWait  = 10 * time.Minute
	// mostAfter bounds what a receiver may ask for, in case it is mistaken. Chosen by us.
	mostAfter = 6 * time.Hour
)

// backoff counts failures in a row. The zero value is none.
type backoff struct {
	failures int
	least    time.Duration // 0 is leastWait
}

// next is how long to wait now: twice as long each time, a random half of it left out, and never less than
// the receiver asked for. What it asked for is lengthened at random too: others were told the same.
func (b *backoff) next(after time.Duration) time.Duration {
	wait := leastWait
	if b.least > 0 {
		wait = b.least
	}
	wait = min(wait<<min(b.failures, 16), mostWait)
	b.failures++
	wait -= rand.N(wait/2 + 1)
	if after = min(after, mostAfter); after > 0 {
		after += rand.N(after/10 + 1)
	}
	return max(wait, after)
}

// pause is the time between two requests while messages wait: half to one and a half of the mean.
func (c *Courier) pause() time.Duration {
	if c.Pause <= 0 {
		return 0
	}
	return c.Pause/2 + rand.N(c.Pause)
}

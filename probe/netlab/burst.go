package netlab

import (
	"math/rand/v2"
	"time"
)

// bursts is the state of a line that loses packets in bursts: good for a while, bad for a while, both
// of exponential length (Gilbert, Capacity of a Burst-Noise Channel, Bell System Technical Journal 1960;
// Elliott, 1963, for a bad state that lets some packets through). The chain runs in time and not by
// packets, since fading and full queues do: a retransmission that comes soon meets the same burst.
type bursts struct {
	bad   bool
	until time.Time
}

// badLoss is the share that is lost in a burst: Elliott's h is one half.
const badLoss = 0.5

// lossy moves the chain on to a time and says whether that lies in a burst. mean is the share of all
// packets that is lost, and burst the mean length of a burst. The past stays as it was drawn.
func (b *bursts) lossy(rnd *rand.Rand, at time.Time, mean float64, burst time.Duration) bool {
	share := min(mean/badLoss, 0.9) // of the time that is bad
	for !b.until.After(at) {
		if b.until.IsZero() {
			b.until = at
		}
		b.bad = !b.bad
		length := float64(burst)
		if !b.bad {
			length *= (1 - share) / share
		}
		b.until = b.until.Add(1 + time.Duration(rnd.ExpFloat64()*length))
	}
	return b.bad
}

// loses draws whether a packet that is sent at a time is lost on the way.
func (n *Network) loses(l Link, at time.Time) bool {
	if l.bursty > 0 {
		n.mu.Lock()
		bad := n.bursts.lossy(n.rnd, at, l.bursty, l.Burst)
		n.mu.Unlock()
		if bad && n.chance(badLoss) {
			return true
		}
	}
	for box := l.box; box != nil; box = box.next {
		if !at.Before(box.from) && (box.until.IsZero() || at.Before(box.until)) && n.chance(box.share) {
			return true
		}
	}
	return n.chance(l.Loss)
}

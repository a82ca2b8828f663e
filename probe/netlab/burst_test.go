package netlab

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A bursty line loses as much as it should, and after a loss the next packet is lost far more often.
func TestBursts(t *testing.T) {
	const (
		mean  = 0.05
		burst = 300 * time.Millisecond
		every = 10 * time.Millisecond
		n     = 400_000
	)
	rnd := rand.New(rand.NewPCG(1, 2))
	var b bursts
	at := time.Unix(0, 0)
	lost, pairs, again, before := 0, 0, 0, false
	for range n {
		at = at.Add(every)
		now := b.lossy(rnd, at, mean, burst) && rnd.Float64() < badLoss
		if now {
			lost++
		}
		if before {
			pairs++
			if now {
				again++
			}
		}
		before = now
	}
	if share := float64(lost) / n; share < 0.8*mean || share > 1.2*mean {
		t.Errorf("%.4f are lost, want about %.2f", share, mean)
	}
	if after := float64(again) / float64(pairs); after < 5*mean {
		t.Errorf("after a loss %.2f are lost: that is no burst", after)
	}
}

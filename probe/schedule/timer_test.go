package schedule

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// Intervals stay within mean ± jitter, fill that range evenly, and keep the mean.
func TestNext(t *testing.T) {
	const mean, draws = 15 * time.Minute, 20000
	for _, jitter := range []float64{0.1, 0.5, 1} {
		rnd, sum, quarters := rand.New(rand.NewPCG(5, 6)), 0.0, [4]int{}
		least := time.Duration(float64(mean) * (1 - jitter))
		width := 2 * float64(mean) * jitter
		for range draws {
			d := Next(mean, jitter, rnd)
			at := float64(d-least) / width
			if at < 0 || at > 1 {
				t.Fatalf("jitter %v: drew %v", jitter, d)
			}
			sum += float64(d)
			quarters[min(int(at*4), 3)]++
		}
		if off := sum/draws/float64(mean) - 1; math.Abs(off) > 0.02 {
			t.Errorf("jitter %v: the mean is off by %.1f %%", jitter, 100*off)
		}
		for i, n := range quarters {
			if n < draws/4*9/10 || n > draws/4*11/10 {
				t.Errorf("jitter %v: quarter %d got %d of %d", jitter, i, n, draws)
			}
		}
	}
}

// Odd settings give a plain interval, never a negative one.
func TestNextOdd(t *testing.T) {
	tests := []struct {
		name         string
		mean         time.Duration
		jitter       float64
		least, bound time.Duration
	}{
		{"no jitter", time.Hour, 0, time.Hour, time.Hour},
		{"negative jitter", time.Hour, -1, time.Hour, time.Hour},
		{"not a number", time.Hour, math.NaN(), time.Hour, time.Hour},
		{"more than all", time.Hour, 7, 0, 2 * time.Hour},
		{"no interval", 0, 0.5, 0, 0},
		{"negative interval", -time.Hour, 0.5, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 100 {
				if d := Next(tt.mean, tt.jitter, nil); d < tt.least || d > tt.bound {
					t.Fatalf("drew %v", d)
				}
			}
		})
	}
}

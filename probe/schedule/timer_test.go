package schedule

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// Intervals keep the mean and their bounds, and what is left to chance of them has no memory: of those
// that are longer than one mean of it, the same share is longer than two.
func TestNext(t *testing.T) {
	const mean, draws = 15 * time.Minute, 100_000
	for _, jitter := range []float64{0.1, 0.5, 1} {
		rnd, sum, over := rand.New(rand.NewPCG(5, 6)), 0.0, [3]int{}
		least, most := float64(mean)*(1-jitter), float64(mean)*(1-jitter+4.1*jitter)
		for range draws {
			d := Next(mean, jitter, rnd)
			if float64(d) < least-1 || float64(d) > most {
				t.Fatalf("jitter %v: drew %v", jitter, d)
			}
			sum += float64(d)
			for i := range over {
				if (float64(d)-least)/(jitter*float64(mean)) > float64(i) {
					over[i]++
				}
			}
		}
		if off := sum/draws/float64(mean) - 1; math.Abs(off) > 0.01 {
			t.Errorf("jitter %v: the mean is off by %.1f %%", jitter, 100*off)
		}
		first, second := float64(over[1])/float64(over[0]), float64(over[2])/float64(over[1])
		if math.Abs(first-second) > 0.02 || math.Abs(first-1/math.E) > 0.02 {
			t.Errorf("jitter %v: %.3f are longer than one mean, and %.3f of these than two", jitter, first, second)
		}
	}
}

// A round's visits take a part of the interval, and never more than the time for which the gate's word is good.
func TestSpread(t *testing.T) {
	for mean, want := range map[time.Duration]time.Duration{-time.Hour: 0, 0: 0, time.Minute: 20 * time.Second, 15 * time.Minute: 5 * time.Minute, time.Hour: 5 * time.Minute} {
		if got := Spread(mean); got != want {
			t.Errorf("of %v: %v, want %v", mean, got, want)
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
		{"more than all", time.Hour, 7, 0, 5 * time.Hour},
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

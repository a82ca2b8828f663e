package schedule

import (
	"encoding/json"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	daily = 100 << 20
	visit = 24 << 10
)

// spendAll lets everything start that is allowed, every minute for as long as told, and returns when
// and how much.
func spendAll(b *Budget, d time.Duration, cost func() int64) (at []time.Time, bytes []int64) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Minute) {
		for b.Allow(visit) {
			n := cost()
			b.Spend(n)
			at, bytes = append(at, time.Now()), append(bytes, n)
		}
	}
	return at, bytes
}

// most is the largest sum that any window of this length saw.
func most(at []time.Time, bytes []int64, window time.Duration) int64 {
	var sum, largest int64
	first := 0
	for i := range at {
		sum += bytes[i]
		for at[i].Sub(at[first]) >= window {
			sum -= bytes[first]
			first++
		}
		largest = max(largest, sum)
	}
	return largest
}

// However greedy the caller, whatever steps really cost, no 24 hours see more than the daily bytes
// (the step apart that was running when the cap was reached), and the budget is used, not hoarded.
func TestBudgetHoldsOverAnyDay(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for name, cost := range map[string]func() int64{
		"as estimated":    func() int64 { return visit },
		"up to ten times": func() int64 { return rnd.Int64N(10 * visit) },
		"always more":     func() int64 { return 5 * visit },
		"nearly nothing":  func() int64 { return visit / 4 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				at, bytes := spendAll(NewBudget(daily), 5*24*time.Hour, cost)
				if got := most(at, bytes, 24*time.Hour); got > daily+10*visit || got < daily*8/10 {
					t.Errorf("the busiest 24 hours saw %d bytes of %d", got, daily)
				}
			})
		})
	}
}

// Greed is spread over the day: no hour takes more than its own share and a burst, and after the
// first burst none goes without, least of all at midnight.
func TestBudgetPacesWithoutCliff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at, bytes := spendAll(NewBudget(daily), 4*24*time.Hour, func() int64 { return visit })
		perHour := make([]int64, 4*24)
		for i := range at {
			perHour[int(at[i].Sub(at[0])/time.Hour)] += bytes[i]
		}
		if perHour[0] > 2*daily/24 {
			t.Errorf("the first hour saw %d bytes", perHour[0])
		}
		for hour, n := range perHour[1:] {
			if n < daily/24*8/10 || n > daily/24*11/10 {
				t.Errorf("hour %d saw %d bytes, its share is %d", hour+1, n, daily/24)
			}
		}
	})
}

// A full bucket pays a burst, then nothing; an hour later nearly an hour's share.
func TestBudgetBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(daily)
		b.Spend(daily / 24)
		if b.Allow(visit) {
			t.Error("allowed on an empty bucket")
		}
		time.Sleep(time.Hour)
		if !b.Allow(daily/24*9/10) || b.Allow(daily/24) {
			t.Error("an hour does not fill the bucket with about its share")
		}
	})
}

// A budget far smaller than any round still lets single endpoints through.
func TestBudgetSmall(t *testing.T) {
	for _, daily := range []int64{2 * visit, 1 << 20, 5 << 20} {
		synctest.Test(t, func(t *testing.T) {
			at, bytes := spendAll(NewBudget(daily), 10*24*time.Hour, func() int64 { return visit })
			if len(at) < 10 {
				t.Errorf("%d a day: %d visits in ten days", daily, len(at))
			}
			if got := most(at, bytes, 24*time.Hour); got > daily {
				t.Errorf("%d a day: saw %d", daily, got)
			}
		})
	}
}

// Something larger than the bucket starts on a full one, instead of never.
func TestBudgetLargeEstimate(t *testing.T) {
	b := NewBudget(daily)
	if !b.Allow(daily / 2) {
		t.Error("half a day's bytes never start")
	}
	if b.Allow(daily + 1) {
		t.Error("more than a day's bytes start")
	}
	b.Spend(1)
	if b.Allow(daily / 2) {
		t.Error("started without a full bucket")
	}
}

func TestBudgetUnlimited(t *testing.T) {
	b := NewBudget(0)
	b.Spend(1 << 40)
	if !b.Allow(1<<40) || b.Spent() != 1<<40 {
		t.Errorf("allowed %v, spent %d", b.Allow(1<<40), b.Spent())
	}
}

// Restarting is no way to get more: a program that crashes every few minutes spends as one that
// runs on.
func TestBudgetRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, sum := NewBudget(daily), int64(0)
		for end := time.Now().Add(24 * time.Hour); time.Now().Before(end); {
			_, bytes := spendAll(b, 7*time.Minute, func() int64 { return visit })
			for _, n := range bytes {
				sum += n
			}
			stored, err := json.Marshal(b.Snapshot())
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(30 * time.Second)
			var state BudgetState
			if err := json.Unmarshal(stored, &state); err != nil {
				t.Fatal(err)
			}
			b = NewBudget(daily)
			b.Restore(state)
		}
		if sum > daily || sum < daily*8/10 {
			t.Errorf("spent %d of %d with restarts", sum, daily)
		}
	})
}

// Whatever a stored state says, a clock set back or damage included, it lets nobody spend more, and
// after a day it is forgotten.
func FuzzBudgetRestore(f *testing.F) {
	f.Add(int64(0), int64(0), int64(0), int64(0))
	f.Add(int64(-3600), int64(1<<20), int64(-7200), int64(90<<20))
	f.Add(int64(1<<33), int64(-1<<62), int64(1<<33), int64(1<<62))
	f.Fuzz(func(t *testing.T, at, tokens, hour, spent int64) {
		synctest.Test(t, func(t *testing.T) {
			b, now := NewBudget(daily), time.Now()
			b.Restore(BudgetState{At: now.Add(time.Duration(at)), Tokens: tokens, Hour: now.Add(time.Duration(hour)), Hours: []int64{spent, spent, spent}})
			_, bytes := spendAll(b, time.Minute, func() int64 { return visit })
			if len(bytes) > 1+daily/24/visit {
				t.Errorf("%d visits in the first minute", len(bytes))
			}
			if b.Spent() < 0 {
				t.Errorf("spent %d", b.Spent())
			}
			time.Sleep(49 * time.Hour)
			if !b.Allow(visit) {
				t.Error("still refuses two days later")
			}
		})
	})
}

// The zero state is what a store gives that never kept one.
func TestBudgetRestoreNothing(t *testing.T) {
	b := NewBudget(daily)
	b.Restore(BudgetState{})
	b.Spend(visit)
	if !b.Allow(visit) || b.Spent() != visit {
		t.Errorf("allowed %v, spent %d", b.Allow(visit), b.Spent())
	}
}

func TestBudgetConcurrent(t *testing.T) {
	b := NewBudget(daily)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if b.Allow(1) {
					b.Spend(1)
				}
				b.Snapshot()
			}
		})
	}
	wg.Wait()
	if b.Spent() != 1600 {
		t.Errorf("spent %d, want 1600", b.Spent())
	}
}

// Another daily limit, which a reload brings, leaves what was spent spent: by the cap, and by the bucket.
func TestAnotherDaily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const day = 240 << 20 // an hour's burst is ten of these MiB
		b := NewBudget(day)
		reload := func(daily int64) {
			next := NewBudget(daily)
			next.Restore(b.Snapshot())
			b = next
		}
		b.Spend(10 << 20)
		reload(2 * day)
		if b.Allow(1) {
			t.Error("a reload fills the bucket")
		}
		time.Sleep(time.Hour)
		if !b.Allow(10 << 20) {
			t.Error("an hour later nothing is allowed")
		}
		reload(9 << 20)
		if b.Allow(1) || b.Spent() != 10<<20 {
			t.Errorf("more than a day's bytes were spent (%d), and more is allowed", b.Spent())
		}
		reload(0)
		if !b.Allow(1 << 40) {
			t.Error("no limit, and not allowed")
		}
		reload(day)
		if !b.Allow(10<<20) || b.Spent() != 10<<20 {
			t.Errorf("who had no limit begins with an empty bucket; spent %d", b.Spent())
		}
	})
}

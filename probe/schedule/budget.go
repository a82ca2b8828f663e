package schedule

import (
	"sync"
	"time"
)

const (
	// window is the number of hourly slots that the cap looks back on: the running hour and the 24
	// before it. Together they always cover the last 24 hours, whatever the minute.
	window = 25

	// burstShare of a day's budget may be spent at once. Chosen by us: an hour's worth lets one slow
	// hour be made up for, and four rounds of the default quarter of an hour run back to back after
	// a restart, while one mistaken hour can't eat the day.
	burstShare = 24

	// leastBurst keeps small budgets useful. Chosen by us: an hour's share of them would be less
	// than a single endpoint costs, and nothing would ever be measured.
	leastBurst = 256 << 10

	// mostSpent is what an hour of a stored state may claim: a damaged one must not overflow the sum. It is also
	// what is left of a bucket that has no size.
	mostSpent = 1 << 50
)

// Budget bounds the traffic of a day and spreads it over the day. There is no midnight at which it
// starts anew: a burst of measurements at the same hour of every day, and gaps at another, would be
// a pattern in the data and on the wire.
//
// Two bounds hold at once. A token bucket paces: it holds a burst and fills evenly. An hourly record
// caps: nothing starts that would bring 24 hours above the daily bytes, also when steps cost more
// than was estimated.
// The bucket fills a little slower than daily/86400 a second, so that pacing alone never meets the
// cap: who met it would fall silent for an hour at a time.
type Budget struct {
	mu     sync.Mutex
	daily  int64
	burst  float64 // bytes
	rate   float64 // bytes a second
	tokens float64 // below 0 after a step that cost more than was left
	at     time.Time
	hours  [window]int64 // spent, the running hour first
	hour   time.Time     // start of the running hour
}

// BudgetState is a Budget as it is kept across restarts.
type BudgetState struct {
	At     time.Time `json:"at"`
	Tokens int64     `json:"tokens"`
	Hour   time.Time `json:"hour"`
	Hours  []int64   `json:"hours"` // bytes spent, the running hour first
}

// NewBudget makes a budget of daily bytes, both directions together. 0 is unlimited.
func NewBudget(daily int64) *Budget {
	now := time.Now()
	daily = max(daily, 0)
	burst := max(daily/burstShare, min(leastBurst, daily/2))
	return &Budget{
		daily: daily, burst: float64(burst), rate: float64(daily-burst) / (window * time.Hour).Seconds(), tokens: float64(burst),
		at: now, hour: now,
	}
}

// Allow says whether something that may cost estimate bytes can start now. It reserves nothing:
// steps that run side by side may overdraw the bucket by what they cost, and the next ones wait
// until that is filled up again.
func (b *Budget) Allow(estimate int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.daily == 0 {
		return true
	}
	b.advance(time.Now())
	// What is larger than the bucket waits for a full one; it would wait for ever otherwise.
	return b.tokens >= min(float64(estimate), b.burst) && estimate <= b.daily-b.spent()
}

// Spend notes what a step did cost.
func (b *Budget) Spend(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(time.Now())
	b.hours[0] += max(n, 0)
	if b.daily > 0 {
		b.tokens -= float64(max(n, 0))
	}
}

// Spent gives the bytes of the last 24 hours, rounded up to full hours.
func (b *Budget) Spent() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(time.Now())
	return b.spent()
}

// Snapshot gives what Restore needs. Who has no limit, and so no bucket, leaves a full one of whatever size.
func (b *Budget) Snapshot() BudgetState {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(time.Now())
	tokens := int64(b.tokens)
	if b.daily == 0 {
		tokens = mostSpent
	}
	return BudgetState{At: b.at, Tokens: tokens, Hour: b.hour, Hours: append([]int64(nil), b.hours[:]...)}
}

// Restore puts the state of an earlier process, or of an earlier configuration, in place of this one's: what was
// spent stays spent. The time between the two counts. If the clock was set back meanwhile, no time has passed: less traffic is the safe mistake.
func (b *Budget) Restore(s BudgetState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.tokens = max(min(float64(s.Tokens), b.burst), -float64(b.daily))
	b.at, b.hour, b.hours = earlier(s.At, now), earlier(s.Hour, now), [window]int64{}
	for i, n := range s.Hours {
		if i < window {
			b.hours[i] = min(max(n, 0), mostSpent)
		}
	}
	b.advance(now)
}

// advance lets time pass: the bucket fills, and hours move out of sight.
func (b *Budget) advance(now time.Time) {
	if passed := now.Sub(b.at); passed > 0 {
		b.tokens = min(b.burst, b.tokens+b.rate*passed.Seconds())
		b.at = now
	}
	hours := int(now.Sub(b.hour) / time.Hour)
	if hours >= window {
		b.hours, b.hour = [window]int64{}, now
	} else if hours > 0 {
		var moved [window]int64
		copy(moved[hours:], b.hours[:])
		b.hours, b.hour = moved, b.hour.Add(time.Duration(hours)*time.Hour)
	}
}

func (b *Budget) spent() (sum int64) {
	for _, n := range b.hours {
		sum += n
	}
	return sum
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

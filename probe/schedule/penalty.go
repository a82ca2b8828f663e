package schedule

import (
	"math"
	"net/netip"
	"time"
)

// A failure of ours puts an address under a penalty for the residual time: whatever the household does there
// meanwhile may fail as well. No address is to be under one for more than a twentieth of any window: of a day,
// and where the residual time is more than a twentieth of that, of as long as makes one failure a twentieth.
const (
	penaltyWindow = 24 * time.Hour
	penaltyPart   = 20
	// cells are the parts of a window into which failures are gathered: whatever the residual time, and however
	// often something fails, so many sums are kept of an address and one more. Chosen by us: hours of a day.
	cells = 24
)

// window is the time of which a twentieth may be spent under a penalty.
func (l *Ledger) window() time.Duration { return max(penaltyWindow, penaltyPart*l.residual) }

// allowance is that twentieth.
func (l *Ledger) allowance() time.Duration { return l.window() / penaltyPart }

// penalty is the time for which the failures from first to last put an address under a penalty.
type penalty struct {
	first, last time.Time
	sum         time.Duration
	untold      bool // see Hush
}

// penalties are an address's, in order.
type penalties []penalty

// since drops those of which the last failure is out of the window.
func (ps penalties) since(now time.Time, window time.Duration) penalties {
	for len(ps) > 0 && now.Sub(ps[0].last) >= window {
		ps = ps[1:]
	}
	return ps
}

func (ps penalties) sum() (sum time.Duration) {
	for i := range ps {
		sum += ps[i].sum
	}
	return sum
}

// last is when the address failed last; the zero time where it never did.
func (ps penalties) last() time.Time {
	if len(ps) == 0 {
		return time.Time{}
	}
	return ps[len(ps)-1].last
}

// count notes a failure at an address. Failures that come within the residual time of each other share it.
func (l *Ledger) count(a netip.Addr, failed time.Time) {
	l.join(a, penalty{first: failed, last: failed, sum: l.price(l.penalties[a], failed)})
}

// price is what a failure adds to the penalties: less than the residual time where one runs already.
func (l *Ledger) price(ps penalties, failed time.Time) time.Duration {
	if last := ps.last(); !last.IsZero() {
		return min(l.residual, max(failed.Sub(last), 0))
	}
	return l.residual
}

// join adds to an address's penalties, and holds the bounds: of the address, and of all addresses, of which
// the one goes that failed longest ago.
func (l *Ledger) join(a netip.Addr, c penalty) {
	list := l.penalties[a].since(time.Now(), l.window())
	switch n := len(list) - 1; {
	case n < 0 || c.last.Sub(list[n].first) >= l.window()/cells || c.untold != list[n].untold:
		list = append(list[:n+1:n+1], c)
	default:
		list[n].first = earlier(list[n].first, c.first)
		list[n].sum += c.sum
		if c.last.After(list[n].last) {
			list[n].last = c.last
		}
	}
	l.penalties[a] = list
	for len(l.penalties) > ledgerSize {
		evict(l.penalties, penalties.last)
	}
}

// Exhausted says whether one more failure at the place's address would put it under a penalty for more of
// the window than may be.
func (l *Ledger) Exhausted(p Place) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	list := l.penalties[p.address()].since(now, l.window())
	return l.residual > 0 && list.sum()+l.price(list, now) > l.allowance()
}

// Share is the part of the window for which the place's address was under a penalty of ours: 0.05 at most.
func (l *Ledger) Share(p Place) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return float64(l.penalties[p.address()].since(time.Now(), l.window()).sum()) / float64(l.window())
}

// WorstShare is the share of the address that has the greatest; 0 where nothing failed. Unlike Share it is told to
// others: it is in thousandths, rounded up, so that it is no number by which one vantage is known again, and
// leaves out what is not to be told (Hush).
func (l *Ledger) WorstShare() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	worst, now := time.Duration(0), time.Now()
	for _, list := range l.penalties {
		sum := time.Duration(0)
		for _, c := range list.since(now, l.window()) {
			if !c.untold {
				sum += c.sum
			}
		}
		worst = max(worst, sum)
	}
	return math.Ceil(1000*float64(worst)/float64(l.window())) / 1000
}

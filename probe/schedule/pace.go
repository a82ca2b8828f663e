package schedule

import (
	"net/netip"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// How often is something looked at that goes on failing? Each look that fails costs the household a residual
// time at an address, of which a day has an allowance (seven at the default). They are spent where they tell
// most: at first some in a row, so that the sequential test has what it needs within three hours (five failures
// that are twenty minutes apart and span two hours: measurements/sequential.go); the others evenly over what is
// left of the day, so that an end is seen within hours, at whatever time of day it comes.
//
// What may have been chance is looked at as soon as the residual time is over: it passes then, as a rule.
//
// All of it holds for what fails without a success in between. A look that passes costs nothing, so that what
// blocks some of the trials is looked at as often as everything else, once a failure counts again.
const (
	// Apart is the time within which failures count as one.
	Apart = measurements.Decorrelation
	// Fresh is how long something is news.
	Fresh = 3 * time.Hour
	// freshSpan is the time over which the first looks are spread: with five, each is half an hour and a minute
	// after the one before, or more, and the last of them two hours after the first.
	freshSpan = 160 * time.Minute
	// A part of the allowance is kept for after the first looks: 54 of the default's 72 minutes may be spent
	// while it is news. Chosen by us: five failures, with what TCP and QUIC together cost more than one of them.
	freshPart = 4
	// together is how far apart failures of one look may be: ports of an address, TCP and QUIC, a timeout or two.
	together = time.Minute
)

// Due says when places may be looked at again at which the same thing goes on failing. Who visits any one of them,
// and then leaves the others alone until this time has moved, goes through them in turns. The zero time is at
// once: nothing failed there within the ledger's window.
func (l *Ledger) Due(f Following, places ...Place) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	s := l.state(now, f.Since, places)
	if s.addresses == 0 || l.residual == 0 {
		return time.Time{}
	}
	looks := max(int(l.allowance()/l.residual), 1) // of a window, at one address
	var gap time.Duration
	switch fresh := now.Sub(f.Since) < Fresh && s.fresh > 0; {
	case fresh && f.Doubtful:
		return s.last.Add(l.residual)
	case fresh:
		each := float64(s.fresh) / float64(s.addresses) // of an address, beside the one that follows
		least := min(Apart+together, l.window()/time.Duration(looks))
		gap = max(least, time.Duration(float64(f.Since.Add(freshSpan).Sub(s.last))/(each+1)))
	default:
		// Half of the looks of a window are for what stands: the others are for what begins to fail at
		// the same address meanwhile.
		even := l.window() / time.Duration((looks+1)/2*s.addresses)
		gap = max(even, s.oldest.Add(l.window()).Sub(s.last)/time.Duration(s.left+1))
	}
	return s.last.Add(gap - min(together, gap/4))
}

// spending is what of their allowance the addresses have spent at which places fail.
type spending struct {
	last      time.Time // failure at one of the places
	oldest    time.Time // the next time at which an address gets some of its allowance back, less the window
	addresses int
	// left is how many looks may still fail, and fresh how many of them while it is news.
	left, fresh int
}

func (l *Ledger) state(now, since time.Time, places []Place) (s spending) {
	seen := map[netip.Addr]bool{}
	for _, p := range places {
		trigger, ok := l.failed[p.unmapped()]
		if !ok || now.Sub(trigger.at) >= l.window() {
			continue
		}
		if trigger.at.After(s.last) {
			s.last = trigger.at
		}
		a := p.address()
		if seen[a] {
			continue
		}
		seen[a] = true
		s.addresses++
		list := l.penalties[a].since(now, l.window())
		if len(list) > 0 && (s.oldest.IsZero() || list[0].last.Before(s.oldest)) {
			s.oldest = list[0].last
		}
		left := l.allowance() - list.sum()
		fresh := l.allowance() - l.allowance()/freshPart - list.since(now, now.Sub(since)+1).sum()
		s.left += int(max(left/l.residual, 0))
		s.fresh += int(max(min(left, fresh)/l.residual, 0))
	}
	return s
}

// Failed says when something failed at the place last; the zero time where nothing did within the window.
func (l *Ledger) Failed(p Place) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last, ok := l.failed[p.unmapped()]; ok && time.Since(last.at) < l.window() {
		return last.at
	}
	return time.Time{}
}

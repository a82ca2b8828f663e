package schedule

import (
	"net/netip"
	"time"
)

// How often is something looked at that goes on failing? Each look that fails costs the household a residual
// time at an address, of which a day has an allowance (seven at the default). They are spent where they tell
// most: at first some in a row, so that the sequential test has what it needs within three hours (five failures
// that are twenty minutes apart and span two hours: measurements/sequential.go); the others evenly over what is
// left of the day, so that an end is seen within hours, at whatever time of day it comes.
//
// All of it holds for what fails without a success in between. A look that passes costs nothing, so that what
// blocks some of the trials is looked at as often as everything else, once a failure counts again.
const (
	// Apart is the time within which failures count as one (decorrelation, in measurements/sequential.go).
	Apart = 20 * time.Minute
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

// Due says when places may be looked at again at which the same thing has failed since a moment without a success
// in between. Who visits any one of them, and then leaves the others alone until this time has moved, goes
// through them in turns. The zero time is at once: nothing failed there within the ledger's window.
func (l *Ledger) Due(since time.Time, places ...Place) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	s := l.state(now, since, places)
	if s.addresses == 0 {
		return time.Time{}
	}
	looks := max(int(l.allowance()/l.residual), 1) // of a window, at one address
	n := time.Duration(s.addresses)
	var gap time.Duration
	if now.Sub(since) < Fresh && s.fresh > 0 {
		least := min(Apart+together, l.window()/time.Duration(looks))
		gap = max(least, since.Add(freshSpan).Sub(s.last)*n/(n+s.fresh))
	} else {
		// Half of the looks of a window are for what stands: the others are for what begins to fail at
		// the same address meanwhile.
		even := l.window() / time.Duration((looks+1)/2) / n
		gap = max(even, s.oldest.Add(l.window()).Sub(s.last)/(s.left+1))
	}
	return s.last.Add(gap - min(together, gap/4))
}

// spending is what of their allowance the addresses have spent at which places fail.
type spending struct {
	last      time.Time // failure at one of the places
	oldest    time.Time // the next time at which an address gets some of its allowance back, less the window
	addresses int
	// left is how many looks may still fail, and fresh how many of them while it is news.
	left, fresh time.Duration
}

func (l *Ledger) state(now, since time.Time, places []Place) (s spending) {
	seen := map[netip.Addr]bool{}
	for _, p := range places {
		failed, ok := l.failed[p.unmapped()]
		if !ok || now.Sub(failed) >= l.window() {
			continue
		}
		if failed.After(s.last) {
			s.last = failed
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
		fresh := l.allowance() - l.allowance()/freshPart - list.since(now, now.Sub(since)).sum()
		s.left += max(left/l.residual, 0)
		s.fresh += max(min(left, fresh)/l.residual, 0)
	}
	return s
}

// Failed says when something failed at the place last; the zero time where nothing did within the window.
func (l *Ledger) Failed(p Place) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if failed, ok := l.failed[p.unmapped()]; ok && time.Since(failed) < l.window() {
		return failed
	}
	return time.Time{}
}

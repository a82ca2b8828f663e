package schedule

import "time"

// trigger is the last failure at a place.
type trigger struct {
	at     time.Time
	untold bool
}

// Triggered says when a target failed here last; the zero time where none did within a day. A failure that
// comes later than any censor remembers the last one has other reasons than that: residual times that were
// measured are minutes (Bock et al., WOOT 2021).
func (l *Ledger) Triggered(p Place) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, ok := l.failed[p.unmapped()]
	if !ok || last.untold || time.Since(last.at) >= l.window() {
		return time.Time{}
	}
	return last.at
}

// Hush makes entries untold: they are left alone as before, and nothing tells when they failed.
func Hush(entries []Entry) {
	for i := range entries {
		entries[i].Untold = true
	}
}

package schedule

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Place is where a censor that blocks residually remembers us: our own address apart, its memory is
// keyed by protocol, server address and port (Bock et al., "Your Censor is My Censor", WOOT 2021).
// The name does not count: while the memory lasts, innocent names fail there too.
type Place struct {
	Transport string         `json:"transport"` // "tcp" or "udp"
	Endpoint  netip.AddrPort `json:"endpoint"`
}

// Entry is a place that rests, as it is kept across restarts.
type Entry struct {
	Place
	Failed time.Time `json:"failed"` // when T failed there last
}

// ledgerSize bounds the ledger. Chosen by us: several times the endpoints of a large catalogue,
// still far below a megabyte.
const ledgerSize = 4096

// Ledger remembers where a target failed, so that nothing of ours touches the place until the
// residual time is over. A household must never lose an app for longer because we look at it.
type Ledger struct {
	residual time.Duration

	mu     sync.Mutex
	failed map[Place]time.Time
}

// NewLedger makes an empty ledger. With a residual of 0 (the demo) nothing ever rests.
func NewLedger(residual time.Duration) *Ledger {
	return &Ledger{residual: max(residual, 0), failed: map[Place]time.Time{}}
}

// Fail notes that a target failed here just now. A place that rests already starts anew: the
// censor's own timer does so too when it is touched.
func (l *Ledger) Fail(p Place) {
	if l.residual == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep(p, time.Now())
}

// Rests says whether the place must be left alone.
func (l *Ledger) Rests(p Place) bool { return !l.Until(p).IsZero() }

// Until says when the place may be touched again; the zero time if it may be touched now.
func (l *Ledger) Until(p Place) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	failed, ok := l.failed[p.unmapped()]
	if !ok || l.rested(failed, time.Now()) {
		return time.Time{}
	}
	return failed.Add(l.residual)
}

// Snapshot lists the places that rest, the oldest first.
func (l *Ledger) Snapshot() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.purge(time.Now())
	entries := make([]Entry, 0, len(l.failed))
	for p, failed := range l.failed {
		entries = append(entries, Entry{Place: p, Failed: failed})
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(a.Failed.Compare(b.Failed), a.Endpoint.Compare(b.Endpoint), cmp.Compare(a.Transport, b.Transport))
	})
	return entries
}

// Restore adds what an earlier process knew. A failure that seems to lie in the future counts from
// now: the clock was set back meanwhile, and a place must not rest for years because of it.
func (l *Ledger) Restore(entries []Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, e := range entries {
		failed := e.Failed
		if failed.After(now) {
			failed = now
		}
		known, ok := l.failed[e.unmapped()]
		if !l.rested(failed, now) && (!ok || failed.After(known)) {
			l.keep(e.Place, failed)
		}
	}
}

// keep adds a place and holds the bound. When all entries still rest, the one that would have been
// free first goes: its censor is the likeliest to have forgotten us.
func (l *Ledger) keep(p Place, failed time.Time) {
	l.failed[p.unmapped()] = failed
	if len(l.failed) <= ledgerSize {
		return
	}
	l.purge(time.Now())
	for len(l.failed) > ledgerSize {
		var oldest Place
		for q, t := range l.failed {
			if first, ok := l.failed[oldest]; !ok || t.Before(first) {
				oldest = q
			}
		}
		delete(l.failed, oldest)
	}
}

func (l *Ledger) purge(now time.Time) {
	for p, failed := range l.failed {
		if l.rested(failed, now) {
			delete(l.failed, p)
		}
	}
}

func (l *Ledger) rested(failed, now time.Time) bool { return now.Sub(failed) >= l.residual }

// unmapped makes ::ffff:192.0.2.1 and 192.0.2.1 one place: they are one on the wire.
func (p Place) unmapped() Place {
	p.Endpoint = netip.AddrPortFrom(p.Endpoint.Addr().Unmap(), p.Endpoint.Port())
	return p
}

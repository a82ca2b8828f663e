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

// counted is the transport of an entry that counts for its address, whatever the transport was.
const counted = "any"

// Entry is a failure that still counts, as it is kept across restarts.
type Entry struct {
	Place
	Failed time.Time `json:"failed"` // when T failed there last
	// Untold: the place is left alone because of it, and no record tells of it (see Hush).
	Untold bool `json:"untold,omitempty"`
}

// ledgerSize bounds the ledger. Chosen by us: several times the endpoints of a large catalogue,
// still far below a megabyte.
const ledgerSize = 4096

// Ledger remembers where a target failed, so that nothing of ours touches the place until the
// residual time is over. A household must never lose an app for longer because we look at it.
type Ledger struct {
	mu       sync.Mutex
	residual time.Duration
	failed   map[Place]trigger
	day      map[netip.Addr][]time.Time // every failure of the last day, in order
}

// Of a day, no address may be under a penalty of ours for more than a twentieth: 72 minutes, which are
// seven failures with ten minutes of residual time. They may come one after the other, so that an onset
// is confirmed within hours; then the address is left alone until the first of them is a day old.
const (
	penaltyDay   = 24 * time.Hour
	mostPenalty  = penaltyDay / 20
	mostFailures = 64 // kept of one address; with less residual time than a minute there may be more
)

// NewLedger makes an empty ledger. With a residual of 0 (the demo) nothing ever rests. What failed is
// remembered all the same, for Triggered.
func NewLedger(residual time.Duration) *Ledger {
	return &Ledger{residual: max(residual, 0), failed: map[Place]trigger{}, day: map[netip.Addr][]time.Time{}}
}

// Residual is how long a place rests.
func (l *Ledger) Residual() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.residual
}

// SetResidual changes how long places rest, those that rest already as well.
func (l *Ledger) SetResidual(residual time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.residual = max(residual, 0)
}

// Fail notes that a target failed here just now. A place that rests already starts anew: the
// censor's own timer does so too when it is touched.
func (l *Ledger) Fail(p Place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.keep(p, trigger{at: now})
	if l.residual > 0 {
		l.count(p, now)
	}
}

// Exhausted says whether one more failure at the place's address would put it under a penalty for more
// of the day than may be. One failure a day is always allowed.
func (l *Ledger) Exhausted(p Place) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.residual > 0 && l.penalty(p.Endpoint.Addr().Unmap(), time.Now())+l.residual > max(mostPenalty, l.residual)
}

// Share is the part of the last day for which the place's address was under a penalty of ours.
func (l *Ledger) Share(p Place) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return float64(l.penalty(p.Endpoint.Addr().Unmap(), time.Now())) / float64(penaltyDay)
}

// penalty is how long of the last day the address rested because of us. Failures that come within the
// residual time of each other share it.
func (l *Ledger) penalty(a netip.Addr, now time.Time) (sum time.Duration) {
	var until time.Time
	for _, failed := range l.day[a] {
		if now.Sub(failed) >= penaltyDay {
			continue
		}
		from, to := failed, failed.Add(l.residual)
		if from.Before(until) {
			from = until
		}
		sum += to.Sub(from)
		until = to
	}
	return sum
}

// count notes a failure for the day's sum, in order.
func (l *Ledger) count(p Place, failed time.Time) {
	a := p.Endpoint.Addr().Unmap()
	if len(l.day) > ledgerSize {
		clear(l.day) // more addresses than any catalogue has: bounded memory comes first
	}
	list := slices.DeleteFunc(l.day[a], func(t time.Time) bool { return failed.Sub(t) >= penaltyDay })
	list = append(list, failed)
	slices.SortFunc(list, time.Time.Compare)
	l.day[a] = slices.Compact(list)
	if extra := len(l.day[a]) - mostFailures; extra > 0 {
		l.day[a] = l.day[a][extra:]
	}
}

// Rests says whether the place must be left alone.
func (l *Ledger) Rests(p Place) bool { return !l.Until(p).IsZero() }

// Until says when the place may be touched again; the zero time if it may be touched now.
func (l *Ledger) Until(p Place) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, ok := l.failed[p.unmapped()]
	if !ok || l.rested(last.at, time.Now()) {
		return time.Time{}
	}
	return last.at.Add(l.residual)
}

// Snapshot lists the failures that still count: of places that rest or have failed within a day, and of
// addresses that had too much of it; the oldest first.
func (l *Ledger) Snapshot() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.purge(time.Now())
	entries := make([]Entry, 0, len(l.failed))
	for p, last := range l.failed {
		entries = append(entries, Entry{Place: p, Failed: last.at, Untold: last.untold})
	}
	now := time.Now()
	for a, list := range l.day {
		for _, failed := range list {
			if now.Sub(failed) < penaltyDay {
				entries = append(entries, Entry{Place: Place{Transport: counted, Endpoint: netip.AddrPortFrom(a, 0)}, Failed: failed})
			}
		}
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
		if e.Transport == counted {
			if now.Sub(failed) < penaltyDay {
				l.count(e.Place, failed)
			}
			continue
		}
		known, ok := l.failed[e.unmapped()]
		if !l.past(failed, now) && (!ok || failed.After(known.at)) {
			l.keep(e.Place, trigger{failed, e.Untold})
		}
	}
}

// keep adds a place and holds the bound. When all entries still count, the one that would have been
// free first goes: its censor is the likeliest to have forgotten us.
func (l *Ledger) keep(p Place, last trigger) {
	l.failed[p.unmapped()] = last
	if len(l.failed) <= ledgerSize {
		return
	}
	l.purge(time.Now())
	for len(l.failed) > ledgerSize {
		var oldest Place
		for q, t := range l.failed {
			if first, ok := l.failed[oldest]; !ok || t.at.Before(first.at) {
				oldest = q
			}
		}
		delete(l.failed, oldest)
	}
}

func (l *Ledger) purge(now time.Time) {
	for p, last := range l.failed {
		if l.past(last.at, now) {
			delete(l.failed, p)
		}
	}
}

func (l *Ledger) rested(failed, now time.Time) bool { return now.Sub(failed) >= l.residual }

// past says that a failure counts for nothing any more.
func (l *Ledger) past(failed, now time.Time) bool {
	return now.Sub(failed) >= max(penaltyDay, l.residual)
}

// unmapped makes ::ffff:192.0.2.1 and 192.0.2.1 one place: they are one on the wire.
func (p Place) unmapped() Place {
	p.Endpoint = netip.AddrPortFrom(p.Endpoint.Addr().Unmap(), p.Endpoint.Port())
	return p
}

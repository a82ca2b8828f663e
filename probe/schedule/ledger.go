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

// Entry is what still counts of a failure, or of an address's failures, as it is kept across restarts.
type Entry struct {
	Place
	Failed time.Time `json:"failed"` // when T failed there last
	// Of an address: the failures from Since to Failed put it under a penalty of so many nanoseconds. An
	// entry without it, as earlier versions wrote them, is one failure.
	Since   time.Time     `json:"since,omitzero"`
	Penalty time.Duration `json:"penalty,omitempty"`
	// Untold: the place is left alone because of it, and no record tells of it (see Hush).
	Untold bool `json:"untold,omitempty"`
}

// ledgerSize bounds the ledger. Chosen by us: several times the endpoints of a large catalogue,
// still far below a megabyte.
const ledgerSize = 4096

// Ledger remembers where a target failed, so that nothing of ours touches the place until the
// residual time is over. A household must never lose an app for longer because we look at it.
type Ledger struct {
	mu        sync.Mutex
	residual  time.Duration
	failed    map[Place]trigger
	penalties map[netip.Addr]penalties
}

// NewLedger makes an empty ledger. With a residual of 0 (the demo) nothing ever rests. What failed is
// remembered all the same, for Triggered.
func NewLedger(residual time.Duration) *Ledger {
	return &Ledger{residual: max(residual, 0), failed: map[Place]trigger{}, penalties: map[netip.Addr]penalties{}}
}

// Residual is how long a place rests.
func (l *Ledger) Residual() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.residual
}

// Fail notes that a target failed here just now. A place that rests already starts anew: the
// censor's own timer does so too when it is touched.
func (l *Ledger) Fail(p Place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.keep(p, trigger{at: now})
	if l.residual > 0 {
		l.count(p.address(), now)
	}
}

// Rests says whether the place must be left alone.
func (l *Ledger) Rests(p Place) bool { return !l.Until(p).IsZero() }

// Until says when the place may be touched again; the zero time if it may be touched now.
func (l *Ledger) Until(p Place) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, ok := l.failed[p.unmapped()]
	if !ok || time.Since(last.at) >= l.residual {
		return time.Time{}
	}
	return last.at.Add(l.residual)
}

// Snapshot lists what still counts, the oldest first: places that failed, and the penalties of addresses.
func (l *Ledger) Snapshot() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.purge(now)
	entries := make([]Entry, 0, len(l.failed))
	for p, last := range l.failed {
		entries = append(entries, Entry{Place: p, Failed: last.at, Untold: last.untold})
	}
	for a, list := range l.penalties {
		for _, c := range list.since(now, l.window()) {
			entries = append(entries, Entry{Place: Place{counted, netip.AddrPortFrom(a, 0)}, Failed: c.last, Since: c.first, Penalty: c.sum, Untold: c.untold})
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
		failed := earlier(e.Failed, now)
		known, ok := l.failed[e.unmapped()]
		switch {
		case now.Sub(failed) >= l.window(), l.residual == 0 && e.Transport == counted:
		case e.Transport == counted && e.Penalty > 0:
			l.join(e.address(), penalty{earlier(e.Since, failed), failed, min(e.Penalty, l.window()), e.Untold})
		case e.Transport == counted:
			l.count(e.address(), failed)
		case !ok || failed.After(known.at):
			l.keep(e.Place, trigger{failed, e.Untold})
		}
	}
}

// keep adds a place and holds the bound. When all entries still count, the oldest goes: its censor is the
// likeliest to have forgotten us.
func (l *Ledger) keep(p Place, last trigger) {
	l.failed[p.unmapped()] = last
	if len(l.failed) <= ledgerSize {
		return
	}
	l.purge(time.Now())
	for len(l.failed) > ledgerSize {
		evict(l.failed, func(t trigger) time.Time { return t.at })
	}
}

func (l *Ledger) purge(now time.Time) {
	for p, last := range l.failed {
		if now.Sub(last.at) >= l.window() {
			delete(l.failed, p)
		}
	}
	for a, list := range l.penalties {
		if len(list.since(now, l.window())) == 0 {
			delete(l.penalties, a)
		}
	}
}

// evict deletes the entry that is oldest.
func evict[K comparable, V any](m map[K]V, at func(V) time.Time) {
	var oldest K
	var first time.Time
	for k, v := range m {
		if t := at(v); first.IsZero() || t.Before(first) {
			oldest, first = k, t
		}
	}
	delete(m, oldest)
}

// unmapped makes ::ffff:192.0.2.1 and 192.0.2.1 one place: they are one on the wire.
func (p Place) unmapped() Place {
	p.Endpoint = netip.AddrPortFrom(p.address(), p.Endpoint.Port())
	return p
}

// address is the place's, whatever the port.
func (p Place) address() netip.Addr { return p.Endpoint.Addr().Unmap() }

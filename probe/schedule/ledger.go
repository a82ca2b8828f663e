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
	day    map[netip.Addr][]time.Time // every failure of the last day, in order
}

// Of a day, no address may be under a penalty of ours for more than a twentieth: 72 minutes, which are
// seven failures with ten minutes of residual time. Six of these looks may follow each other as fast as
// they tell something, so that an onset is confirmed within hours; the others are spread over what is left
// of the day (Ledger.pace), so that an end is seen within hours too: eleven on the first day, four later.
const (
	penaltyDay   = 24 * time.Hour
	mostPenalty  = penaltyDay / 20
	mostFailures = 64 // kept of one address; with less residual time than a minute there may be more

	// onsetLooks are those that follow each other: a first one, which a daemon that suspects nothing makes
	// without control N as a rule, and as many failures as the sequential test takes to confirm a hard block on
	// a line of which nothing is known yet, five. They are as far apart as failures have to be to count as two,
	// and the last of them waits until the two hours are over that a confirmation spans (package measurements).
	onsetLooks = 6
	onsetGap   = 20 * time.Minute
	onsetSpan  = 2 * time.Hour
	// onsetTime is how long after the first failure of a day an onset is an onset still. Chosen by us: enough for
	// a daemon that makes a round an hour; what fails later is known, or comes and goes.
	onsetTime = 6 * time.Hour
)

// NewLedger makes an empty ledger. With a residual of 0 (the demo) nothing ever rests.
func NewLedger(residual time.Duration) *Ledger {
	return &Ledger{residual: max(residual, 0), failed: map[Place]time.Time{}, day: map[netip.Addr][]time.Time{}}
}

// Residual is how long a place rests.
func (l *Ledger) Residual() time.Duration { return l.residual }

// Fail notes that a target failed here just now. A place that rests already starts anew: the
// censor's own timer does so too when it is touched.
func (l *Ledger) Fail(p Place) {
	if l.residual == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.keep(p, now)
	l.count(p, now)
}

// Exhausted says whether the place's address is to be left alone so that a day is enough: because one more
// failure there would put it under a penalty for more of the day than may be, or because the next look there is
// for later. One failure a day is always allowed.
func (l *Ledger) Exhausted(p Place) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.residual == 0 {
		return false
	}
	a, now := p.Endpoint.Addr().Unmap(), time.Now()
	one := l.residual // what one more failure costs: less where the address rests anyway
	if day := l.day[a]; len(day) > 0 {
		one = min(one, now.Sub(day[len(day)-1]))
	}
	return l.penalty(a, now)+one > max(mostPenalty, l.residual) || now.Before(l.next(l.looks(a, now)))
}

// looks are the times of the last day at which looks at an address began that ended in failure. What fails
// within the residual time of the first failure is of the same look: other ports, QUIC beside TCP.
func (l *Ledger) looks(a netip.Addr, now time.Time) (began []time.Time) {
	for _, failed := range l.day[a] {
		if now.Sub(failed) < penaltyDay && (len(began) == 0 || failed.Sub(began[len(began)-1]) >= l.residual) {
			began = append(began, failed)
		}
	}
	return began
}

// next is when an address may be looked at again after the looks of a day; a time that is over where it may now.
func (l *Ledger) next(looks []time.Time) time.Time {
	if len(looks) == 0 {
		return time.Time{}
	}
	now, last := time.Now(), looks[len(looks)-1]
	next := last.Add(onsetGap)
	switch {
	case now.Before(last.Add(l.residual)): // the last look still goes on
		return time.Time{}
	case len(looks) >= onsetLooks, now.Sub(looks[0]) >= onsetTime:
		return last.Add(l.pace(looks))
	case len(looks) == onsetLooks-1 && next.Before(looks[1].Add(onsetSpan)):
		return looks[1].Add(onsetSpan)
	}
	return next
}

// pace is the time from the last look to the next, once an onset has had its looks: those that the day still has
// are spread evenly until the first of it is a day old, and none comes sooner than if all were spread so.
func (l *Ledger) pace(looks []time.Time) time.Duration {
	most := max(int(mostPenalty/l.residual), 1)
	left := looks[0].Add(penaltyDay).Sub(looks[len(looks)-1])
	return max(left/time.Duration(max(most-len(looks), 0)+1), penaltyDay/time.Duration(most))
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
	failed, ok := l.failed[p.unmapped()]
	if !ok || l.rested(failed, time.Now()) {
		return time.Time{}
	}
	return failed.Add(l.residual)
}

// Snapshot lists the failures that still count: of places that rest, and of addresses that had too much
// of the day; the oldest first.
func (l *Ledger) Snapshot() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.purge(time.Now())
	entries := make([]Entry, 0, len(l.failed))
	for p, failed := range l.failed {
		entries = append(entries, Entry{Place: p, Failed: failed})
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

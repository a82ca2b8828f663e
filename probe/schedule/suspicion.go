package schedule

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// Suspicion is the set of what failed lately. It gets control N in every round, because only N
// before T can tell a name that is blocked from a server that is down. And it knows what of it goes on
// failing, and since when, for Ledger.Due. The zero value is empty and ready. It is not kept across
// restarts: the stored history says it anew.
type Suspicion struct {
	mu       sync.RWMutex
	keys     map[string]time.Time // since when, by key of the target
	followed map[Way]Following
	places   map[Way][]Place // at which it failed lately
	// transfers are the targets of which transfers found something
	transfers []string
}

// Way is how a target is reached: what fails over TCP says nothing of QUIC, nor one family of the other.
type Way struct {
	Key       string // the target's
	Family    measurements.Family
	Transport string // "tcp" or "udp"
}

// Following is what is known of something that fails that way.
type Following struct {
	Since time.Time // it failed, without a success since; zero where it passed the last time
	// Turns: one of its addresses shows it. Each has its turn, then.
	Turns bool
	// Doubtful: it is not even likely, and the next look may refute it.
	Doubtful bool
}

// Suspect puts a key under suspicion.
func (s *Suspicion) Suspect(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys = map[string]time.Time{}
	}
	if _, known := s.keys[key]; !known {
		s.keys[key] = time.Now()
	}
}

// Clear takes the suspicion away.
func (s *Suspicion) Clear(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, key)
}

// Suspected says whether the key is under suspicion.
func (s *Suspicion) Suspected(key string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return !s.keys[key].IsZero()
}

// Follow replaces what goes on failing by what the history follows.
func (s *Suspicion) Follow(open []measurements.Suspect) {
	followed := map[Way]Following{}
	for i := range open {
		o := &open[i]
		w := Way{o.Key(), o.Family, transportOf(o.Layer)}
		f, known := followed[w]
		f.Turns = o.Turns() && (f.Turns || !known)
		if !known || o.Run.After(f.Since) { // what began last is what is news
			f.Since, f.Doubtful = o.Run, o.Confidence == measurements.Suspected
		}
		followed[w] = f
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.followed = followed
	for w := range s.places {
		if _, known := followed[w]; !known && s.keys[w.Key].IsZero() {
			delete(s.places, w)
		}
	}
}

// FollowTransfers replaces the keys of which transfers found something.
func (s *Suspicion) FollowTransfers(keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.transfers = keys
}

// Transfers says whether transfers found something of a key, so that the next ones are due sooner.
func (s *Suspicion) Transfers(key string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Contains(s.transfers, key)
}

// Early says whether a place at which something goes on failing is not due yet (Ledger.Due). Among are the addresses
// that were given together with its own: where one address shows the failure, they have turns.
func (s *Suspicion) Early(w Way, p Place, among []netip.Addr, l *Ledger) bool {
	f := s.Following(w)
	if l.Residual() == 0 || f.Since.IsZero() || l.Failed(p).IsZero() {
		return false
	}
	places := []Place{p}
	for _, a := range among {
		if f.Turns && a != p.Endpoint.Addr() {
			places = append(places, Place{p.Transport, netip.AddrPortFrom(a, p.Endpoint.Port())})
		}
	}
	return time.Now().Before(l.Due(f, places...))
}

// mostPlaces bounds what is remembered of a way: a round fails at four of its addresses at most.
const mostPlaces = 8

// Failed notes a place at which something failed just now.
func (s *Suspicion) Failed(w Way, at Place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.places == nil {
		s.places = map[Way][]Place{}
	}
	list := slices.DeleteFunc(s.places[w], func(p Place) bool { return p == at })
	s.places[w] = append(list[max(0, len(list)+1-mostPlaces):], at)
}

// Soon says when a round is worth its while for what began to fail lately and is not confirmed yet: as soon as
// one of its places is due, and a little later, so that it keeps no rhythm. The zero time where there is no such
// thing. rnd may be nil: the process's own generator then.
func (s *Suspicion) Soon(open []measurements.Suspect, l *Ledger, rnd *rand.Rand) (soon time.Time) {
	draw := rand.Float64
	if rnd != nil {
		draw = rnd.Float64
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	now := time.Now()
	for i := range open {
		o := &open[i]
		if o.Confidence == measurements.Confirmed || now.Sub(o.Onset) >= Fresh {
			continue
		}
		due := s.due(Way{o.Key(), o.Family, transportOf(o.Layer)}, o, l)
		if !due.After(now) {
			due = now.Add(max(Apart, l.Residual())) // it passed, or its turn is over: nothing sooner would count
		}
		due = due.Add(time.Second + time.Duration(draw()*float64(soonJitter)))
		if soon.IsZero() || due.Before(soon) {
			soon = due
		}
	}
	return soon
}

// soonJitter is left to chance of such a round's time. Chosen by us: a quarter of Apart.
const soonJitter = Apart / 4

func (s *Suspicion) due(w Way, o *measurements.Suspect, l *Ledger) (first time.Time) {
	if o.Run.IsZero() {
		return time.Time{}
	}
	places, f := s.places[w], s.followed[w]
	if f.Turns {
		return l.Due(f, places...)
	}
	for _, p := range places {
		if due := l.Due(f, p); first.IsZero() || due.Before(first) {
			first = due
		}
	}
	return first
}

// transportOf is how what fails at a layer is reached. A name that is answered falsely leads to an address,
// which fails over TCP.
func transportOf(l measurements.Layer) string {
	if l == measurements.LayerQUIC {
		return "udp"
	}
	return "tcp"
}

// Follows says whether what fails in a way goes on failing by the history.
func (s *Suspicion) Follows(w Way) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, known := s.followed[w]
	return known
}

// Following says what is known of what fails in a way. What is suspected without being followed, as what is
// inconclusive, fails since it is suspected.
func (s *Suspicion) Following(w Way) Following {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if f, known := s.followed[w]; known {
		return f
	}
	return Following{Since: s.keys[w.Key]}
}

package noise

import (
	"math"
	"math/rand/v2"
	"time"
)

// Rates are those of everything benign that fails. The zero value is a perfect world; Default is one
// that is worse than most homes.
//
// Not in the model: a server that itself resets, or denies by an alert, one of its names while it
// answers another at the same address. Seen from home that is what a censor does, and no history
// tells them apart (measurements.Repetition). Control R does.
type Rates struct {
	// By chance, for each step apart: silence, a reset, an end.
	Loss, Reset, EOF float64
	// For each question to the resolver: three lost answers, a SERVFAIL.
	Unanswered, Servfail float64

	// Line: bursts on the home's own line. A share of the steps ends in silence, and those that pass
	// are slow, most of them.
	Line Episodes
	// Edge: an overloaded edge; the share counts for each step to any target on it.
	Edge Episodes
	// Offline: the line is gone. The gate says so, and nothing is measured.
	Offline Episodes
	// Resolver: it answers nobody.
	Resolver Episodes
	// Target, for each target: its server is out of order, in a way of Outages.
	Target Episodes
	// EdgeDown, for each edge: nothing on it can be reached.
	EdgeDown Episodes
	// Cached, for each target: the resolver holds a false denial.
	Cached Episodes

	// NameOnly is the share of a target's outages in which the edge goes on answering other names, and
	// this one dies: in the handshake, behind an edge that passes TLS on by name, or after it. The others
	// die whatever the name, or are 5xx over verified TLS.
	NameOnly float64
}

// Episodes come at random, so often, and last so long; in them a share of the steps fails.
type Episodes struct {
	PerMonth float64
	// Median of the durations, which are log-normal: most outages are short, and some last days.
	Median time.Duration
	Spread float64 // standard deviation of the logarithm
	Share  float64
}

// Default is chosen by us to be on the bad side of a home line (compare Grover et al., Peeking Behind
// the NAT, IMC 2013) and of large services.
func Default() Rates {
	return Rates{
		Loss: 1e-3, Reset: 1e-5, EOF: 1e-5, Unanswered: 1e-4, Servfail: 1e-4,
		Line:     Episodes{PerMonth: 60, Median: 3 * time.Minute, Spread: 1, Share: 0.3},
		Edge:     Episodes{PerMonth: 1, Median: 10 * time.Minute, Spread: 1, Share: 0.1},
		Offline:  Episodes{PerMonth: 4, Median: 15 * time.Minute, Spread: 1.5},
		Resolver: Episodes{PerMonth: 2, Median: 10 * time.Minute, Spread: 1},
		Target:   Episodes{PerMonth: 0.5, Median: 30 * time.Minute, Spread: 1.5},
		EdgeDown: Episodes{PerMonth: 0.1, Median: 40 * time.Minute, Spread: 1.2},
		Cached:   Episodes{PerMonth: 1e-3, Median: time.Hour, Spread: 0.7},
		NameOnly: 0.01,
	}
}

const month = time.Duration(monthOfHours * float64(time.Hour))

// switcher is an episode process: off, and on from time to time.
type switcher struct {
	e    Episodes
	next time.Time // start of the next episode
	end  time.Time // of the running or last one
	mode int       // drawn at the start
}

func newSwitcher(e Episodes, now time.Time, rnd *rand.Rand) switcher {
	s := switcher{e: e}
	s.next = s.wait(now, rnd)
	return s
}

func (s *switcher) wait(from time.Time, rnd *rand.Rand) time.Time {
	if s.e.PerMonth <= 0 {
		return from.Add(math.MaxInt64)
	}
	return from.Add(time.Duration(min(rnd.ExpFloat64()/s.e.PerMonth*float64(month), math.MaxInt64/2)))
}

// on says whether an episode runs now. Times must not go back.
func (s *switcher) on(now time.Time, rnd *rand.Rand) bool {
	for !now.Before(s.next) {
		length := float64(s.e.Median) * math.Exp(s.e.Spread*rnd.NormFloat64())
		s.end = s.next.Add(time.Duration(min(length, float64(month))))
		s.mode = rnd.IntN(1 << 30)
		s.next = s.wait(s.end, rnd)
	}
	return now.Before(s.end)
}

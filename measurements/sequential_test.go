package measurements

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// The bounds are those that the comment beside them derives.
func TestThresholds(t *testing.T) {
	if len(repetitions) != 26 {
		t.Errorf("%d signatures may be raised: the comment in sequential.go counts on 26", len(repetitions))
	}
	for name, c := range map[string]struct{ got, want float64 }{
		"confirmed": {confirmedAt, 21.3}, "likely": {likelyAt, 16.5}, "ended": {endedAt, 4.28},
	} {
		if math.Abs(c.got-c.want) > 0.05 {
			t.Errorf("%s at %.2f, want %.2f", name, c.got, c.want)
		}
	}
}

func TestWilson(t *testing.T) {
	for _, c := range []struct{ k, n, side, want float64 }{
		{0, 500, 1, 0.0054}, {10, 10, -1, 0.787}, {10, 10, 1, 1}, {5, 10, -1, 0.269}, {5, 10, 1, 0.731}, {0, 0, 1, 1}, {0, 0, -1, 0}, {9, 3, 1, 1},
	} {
		if got := wilson(c.k, c.n, c.side); math.Abs(got-c.want) > 0.001 {
			t.Errorf("%v of %v, side %v: %.4f, want %.4f", c.k, c.n, c.side, got, c.want)
		}
	}
}

// The bound on which everything rests: at h, a false alarm comes every e^h trials at most, for any of
// the alternatives, while trials fail with the probability assumed.
func TestFalseAlarmsKeepTheBound(t *testing.T) {
	const h, trials = 5, 400_000
	for _, p0 := range []float64{0.002, 0.02, 0.1} {
		rnd := rand.New(rand.NewPCG(1, uint64(1/p0)))
		alarms, s := [len(alternatives)]int{}, scores{}
		for range trials {
			s.add(rnd.Float64() < p0, p0)
			for i := range s {
				if s[i] >= h {
					alarms[i]++
					s[i] = 0
				}
			}
		}
		for i, n := range alarms {
			if most := trials * math.Exp(-h); float64(n) > most {
				t.Errorf("p0 %v, p1 %v: %d alarms in %d trials, at most %.0f are allowed", p0, alternatives[i], n, trials, most)
			}
		}
	}
}

// A block of the assumed share is found, and sooner the more it blocks.
func TestAlternativesAreFound(t *testing.T) {
	const p0 = 0.01
	last := 0.0
	for _, p1 := range []float64{0.9, 0.5, 0.2} {
		rnd := rand.New(rand.NewPCG(2, 3))
		sum, runs := 0, 300
		for range runs {
			var s scores
			for s.most() < confirmedAt {
				s.add(rnd.Float64() < p1, p0)
				sum++
			}
		}
		if mean := float64(sum) / float64(runs); mean <= last || mean > 100 {
			t.Errorf("%v of the trials blocked: confirmed after %.0f trials, %.0f for a harder block", p1, mean, last)
		} else {
			last = mean
		}
	}
}

// Where a line fails by itself as often as a censor would make it, nothing is said.
func TestAlternativesBelowTheBenignRateAreSilent(t *testing.T) {
	var s scores
	for range 1000 {
		s.add(true, 0.95)
	}
	if s != (scores{}) {
		t.Errorf("scores %v on a line that always fails", s)
	}
	if got := endScore(0, true, 0.5, 1, 10); got < endedAt {
		t.Errorf("nothing tells this block from the line, and it goes on: %v", got)
	}
}

// The end: a hard block is over after a few passes, a partial one after many; and while a fifth of the
// trials is blocked, a false end comes less often than once in a day of trials.
func TestEnd(t *testing.T) {
	passes := func(failures, trials int) (n int) {
		for score := 0.0; score < endedAt; n++ {
			score = endScore(score, false, 0.005, failures, trials+n+1)
		}
		return n
	}
	if hard, partial := passes(40, 40), passes(10, 40); hard > 10 || partial < 18 || partial > 25 {
		t.Errorf("a hard block ends after %d passes, a partial one after %d", hard, partial)
	}
	rnd := rand.New(rand.NewPCG(4, 5))
	score, ends, failures := 0.0, 0, 0
	const trials = 100_000
	for i := range trials {
		failed := rnd.Float64() < 0.2
		if failed {
			failures++
		}
		if score = endScore(score, failed, 0.005, failures, i+1); score >= endedAt {
			ends, score = ends+1, 0
		}
	}
	if most := trials / trialsADay; float64(ends) > most {
		t.Errorf("%d false ends in %d trials, at most %.0f are allowed", ends, trials, most)
	}
}

// The benign rate: cautious while little is known, near the truth later, and wider where failures come
// in clusters.
func TestBenignRate(t *testing.T) {
	nothing := benignRate("reset", Tally{}, Tally{}, 0, 0)
	if nothing < 0.003 || nothing > 0.01 {
		t.Errorf("of an unknown network %v is believed", nothing)
	}
	if silence := benignRate("timeout", Tally{}, Tally{}, 0, 0); silence <= nothing {
		t.Errorf("silence comes by itself at %v, no oftener than a reset", silence)
	}
	if clean := benignRate("reset", Tally{}, Tally{}, 5000, 300_000); clean != spokenFloor {
		t.Errorf("of a network without a failure %v is believed, want the floor", clean)
	}
	var single, clustered Tally
	for range 100 {
		single.cluster(1)
	}
	for range 10 {
		clustered.cluster(10)
	}
	a := benignRate("timeout", single, single, 5000, 5000)
	b := benignRate("timeout", clustered, clustered, 5000, 5000)
	if a < 0.02 || a > 0.03 || b < a*1.2 {
		t.Errorf("100 failures in 5,000 trials: %v one by one, %v ten at a time", a, b)
	}
	if bad := benignRate("timeout", Tally{500, 500}, Tally{600, 600}, 5000, 500_000); bad < 0.08 {
		t.Errorf("one bad target on a good line: %v", bad)
	}
}

// What fails whatever the name never grows by repetition, and what comes from a server's mistake, a
// resolver's cache or an outage not as fast as a reset.
func TestWhatRepetitionMayRaise(t *testing.T) {
	for _, s := range []Signature{TCPTimeout, TCPRefused, TCPReset, IPUnreachable, TLSResetOther, TLSTimeoutOther, TLSTimeoutFingerprint,
		QUICTimeoutEndpoint, QUICTimeoutUDP443, QUICTimeoutVersion, HTTPReset, HTTPTimeout, HTTPEOF, ServiceMoved, NetIPv6Unreachable} {
		if _, raised := repetitions[s]; raised {
			t.Errorf("%s would be raised by an outage that lasts", s)
		}
	}
	for s, least := range map[Signature]time.Duration{TLSResetSNI: confirmedSpan, TLSAlertSNI: server, DNSNXDomainSig: cache, TLSTimeoutSNI: outage, TLSEOFSNI: outage} {
		if got := repetitions[s].span(); got != least {
			t.Errorf("%s is confirmed after %v at least, want %v", s, got, least)
		}
	}
	for s, r := range repetitions {
		if r.Apart < decorrelation || r.Run < r.Apart {
			t.Errorf("%s counts failures %v apart, in a run %v", s, r.Apart, r.Run)
		}
	}
}

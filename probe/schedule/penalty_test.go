package schedule

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A target that is blocked for days is looked at often while the block is new, and never so often that
// its address is under our penalty for more than a twentieth of any day; also over restarts.
func TestPenaltyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const residual, every, days = 10 * time.Minute, 12 * time.Minute, 4
		at := Place{Transport: "tcp", Endpoint: netip.MustParseAddrPort("192.0.2.1:443")}
		quic := Place{Transport: "udp", Endpoint: at.Endpoint}
		l := NewLedger(residual)
		start := time.Now()
		looks, early, most := 0, 0, 0.0
		last, first, later := start, time.Duration(0), time.Duration(0) // longest times without a look
		for time.Since(start) < days*24*time.Hour {
			if !l.Rests(at) && !l.Exhausted(at) {
				l.Fail(at)
				l.Fail(quic) // at the same time: the household loses the address once
				looks++
				if looks <= 8 {
					first = max(first, time.Since(last))
				} else {
					later = max(later, time.Since(last))
				}
				last = time.Now()
				if time.Since(start) < 3*time.Hour {
					early++
				}
			}
			again := NewLedger(residual)
			again.Restore(l.Snapshot())
			l = again
			most = max(most, l.Share(at))
			time.Sleep(every)
		}
		if early != onsetLooks || looks < 6*days || looks > 7*days+1 {
			t.Errorf("%d looks in %d days, %d of them in the first three hours", looks, days, early)
		}
		if first > 11*time.Hour || later > 8*time.Hour { // an end is seen within hours, not next midnight
			t.Errorf("once nobody looked for %v on the first day, for %v later", first, later)
		}
		if most > 0.05 || most < 0.03 {
			t.Errorf("at most %.3f of a day were under a penalty", most)
		}
	})
}

// Elsewhere nothing changes, and long residual times still leave a look a day.
func TestPenaltyIsAnAddressOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := Place{Transport: "tcp", Endpoint: netip.MustParseAddrPort("192.0.2.1:443")}
		b := Place{Transport: "tcp", Endpoint: netip.MustParseAddrPort("[::ffff:192.0.2.1]:80")}
		c := Place{Transport: "tcp", Endpoint: netip.MustParseAddrPort("192.0.2.2:443")}
		l := NewLedger(3 * time.Hour)
		if l.Exhausted(a) {
			t.Error("a first look must be allowed")
		}
		l.Fail(a)
		time.Sleep(time.Second) // what fails at once with it is of the same look
		if !l.Exhausted(a) || !l.Exhausted(b) || l.Exhausted(c) {
			t.Error("the address, and no other, has had its day")
		}
		time.Sleep(24 * time.Hour)
		if l.Exhausted(a) || l.Share(a) != 0 {
			t.Error("a day later it is free")
		}
		if none := NewLedger(0); func() bool { none.Fail(a); return none.Exhausted(a) }() {
			t.Error("without a residual time there is no penalty")
		}
	})
}

// The first looks tell something each: they are no closer than what counts as one failure, and the last spans
// what a confirmation has to. A look takes in all of an address that fails with it, and one that passes costs nothing.
func TestLooksAtAnOnset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := Place{Transport: "tcp", Endpoint: netip.MustParseAddrPort("192.0.2.1:443")}
		quic := Place{Transport: "udp", Endpoint: at.Endpoint}
		l, start := NewLedger(10*time.Minute), time.Now()
		var looks []time.Duration
		for time.Since(start) < 24*time.Hour {
			if !l.Rests(at) && !l.Exhausted(at) {
				looks = append(looks, time.Since(start))
				l.Fail(at)
				time.Sleep(time.Minute)
				if l.Exhausted(quic) {
					t.Errorf("after %v: QUIC is left out of a look that began over TCP", time.Since(start))
				}
				l.Fail(quic)
			}
			time.Sleep(time.Minute)
		}
		want := []time.Duration{0, 20 * time.Minute, 40 * time.Minute, time.Hour, 80 * time.Minute, 140 * time.Minute}
		if len(looks) < len(want) || !slices.Equal(looks[:len(want)], want) {
			t.Errorf("looks after %v", looks)
		}
		for i := len(want); i < len(looks); i++ {
			if gap := looks[i] - looks[i-1]; gap < 3*time.Hour || gap > 11*time.Hour {
				t.Errorf("%v from look %d to the next", gap, i)
			}
		}
	})
}

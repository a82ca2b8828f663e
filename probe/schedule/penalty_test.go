package schedule

import (
	"net/netip"
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
		for time.Since(start) < days*24*time.Hour {
			if !l.Rests(at) && !l.Exhausted(at) {
				l.Fail(at)
				l.Fail(quic) // at the same time: the household loses the address once
				looks++
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
		if early < 6 || looks < 6*days || looks > 7*days+1 {
			t.Errorf("%d looks in %d days, %d of them in the first three hours", looks, days, early)
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

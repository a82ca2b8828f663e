package schedule

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever the residual time, an address whose every visit fails is under our penalty for a twentieth of any
// day at most, or of as long as makes one failure a twentieth; and the ledger says so. It knows it over
// restarts, and in bounded memory.
func TestPenaltyIsBounded(t *testing.T) {
	for _, residual := range []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 67 * time.Second, 10 * time.Minute, 25 * time.Minute, time.Hour, 72 * time.Minute, 3 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			at := Place{Transport: "tcp", Endpoint: netip.MustParseAddrPort("192.0.2.1:443")}
			quic := Place{Transport: "udp", Endpoint: at.Endpoint}
			l, rnd := NewLedger(residual), rand.New(rand.NewPCG(1, uint64(residual)))
			var failed []time.Time // the test's own list of all
			worst := 0.0
			for start := time.Now(); time.Since(start) < 3*l.window(); {
				for _, p := range []Place{at, quic} {
					if !l.Rests(p) && !l.Exhausted(p) {
						l.Fail(p)
						failed = append(failed, time.Now())
						time.Sleep(time.Duration(rnd.Int64N(int64(residual / 2))))
					}
				}
				again := NewLedger(residual)
				again.Restore(l.Snapshot())
				l = again
				worst = max(worst, l.Share(at))
				if told := l.WorstShare(); told < l.Share(at) || told > l.Share(at)+0.001 {
					t.Fatalf("told of %v, it is %v", told, l.Share(at))
				}
				time.Sleep(residual/3 + time.Duration(rnd.Int64N(int64(residual))))
			}
			real := mostInWindow(failed, residual, l.window())
			if real > 0.05+1e-9 || worst > 0.05 {
				t.Errorf("residual %v: %.4f of a window under a penalty, and the ledger says %.4f", residual, real, worst)
			}
			if real < 0.02 || worst < real-1e-9 {
				t.Errorf("residual %v: %.4f of a window under a penalty, and the ledger says %.4f: too little", residual, real, worst)
			}
			if n := len(l.penalties[at.address()]); n > cells+1 {
				t.Errorf("residual %v: %d sums of one address", residual, n)
			}
		})
	}
}

// mostInWindow is the greatest part of any window that lies under a penalty, each failure's taken as whole in
// it if it began there.
func mostInWindow(failed []time.Time, residual, window time.Duration) float64 {
	most := time.Duration(0)
	for i := range failed {
		sum := time.Duration(0)
		for j := i; j >= 0 && failed[i].Sub(failed[j]) < window; j-- {
			if j == i {
				sum += residual
			} else {
				sum += min(residual, failed[j+1].Sub(failed[j]))
			}
		}
		most = max(most, sum)
	}
	return float64(most) / float64(window)
}

// Elsewhere nothing changes, and a long residual time still leaves a look now and then.
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
		time.Sleep(time.Second)
		if !l.Exhausted(a) || !l.Exhausted(b) || l.Exhausted(c) {
			t.Error("the address, and no other, has had its share")
		}
		time.Sleep(59 * time.Hour)
		if !l.Exhausted(a) {
			t.Error("three hours in less than sixty are more than a twentieth")
		}
		time.Sleep(time.Hour)
		if l.Exhausted(a) || l.Share(a) != 0 || l.WorstShare() != 0 {
			t.Error("sixty hours later it is free")
		}
		if none := NewLedger(0); func() bool { none.Fail(a); return none.Exhausted(a) }() {
			t.Error("without a residual time there is no penalty")
		}
	})
}

// What was hushed still bounds what may fail, and nobody is told of it; what fails afterwards is told.
func TestHushedPenaltiesAreNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Place{Transport: "tcp", Endpoint: netip.MustParseAddrPort("192.0.2.1:443")}
		l := NewLedger(10 * time.Minute)
		for range 6 {
			l.Fail(p)
			time.Sleep(11 * time.Minute)
		}
		told := l.Snapshot()
		Hush(told)
		hushed := NewLedger(10 * time.Minute)
		hushed.Restore(told)
		again := NewLedger(10 * time.Minute)
		again.Restore(hushed.Snapshot()) // another start
		for name, l := range map[string]*Ledger{"hushed": hushed, "after a restart": again} {
			if l.WorstShare() != 0 || l.Share(p) < 0.04 {
				t.Errorf("%s: tells of %v, it is %v", name, l.WorstShare(), l.Share(p))
			}
		}
		if again.Fail(p); again.WorstShare() != 0.007 {
			t.Errorf("one more failure: tells of %v", again.WorstShare())
		}
		if time.Sleep(11 * time.Minute); !again.Exhausted(p) {
			t.Errorf("eight failures may come in a day: %v", again.Share(p))
		}
	})
}

// What an earlier version wrote, a failure an entry, counts as before.
func TestPenaltyOfAnEarlierVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Place{Transport: "tcp", Endpoint: netip.MustParseAddrPort("192.0.2.1:443")}
		l := NewLedger(10 * time.Minute)
		var old []Entry
		for i := range 7 {
			old = append(old, Entry{Place: Place{counted, netip.AddrPortFrom(p.address(), 0)}, Failed: time.Now().Add(time.Duration(i-8) * time.Hour)})
		}
		if l.Restore(old); !l.Exhausted(p) {
			t.Errorf("seven failures of the day are %.3f of it, and one more may come", l.Share(p))
		}
	})
}

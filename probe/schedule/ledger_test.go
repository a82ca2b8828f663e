package schedule

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const residual = 10 * time.Minute

func tcp(endpoint string) Place {
	return Place{Transport: "tcp", Endpoint: netip.MustParseAddrPort(endpoint)}
}

// A place rests for the residual time after a failure there, and no longer.
func TestLedgerRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p := NewLedger(residual), tcp("192.0.2.1:443")
		if l.Rests(p) {
			t.Error("rests before anything failed")
		}
		l.Fail(p)
		if want := time.Now().Add(residual); !l.Until(p).Equal(want) {
			t.Errorf("until %v, want %v", l.Until(p), want)
		}
		time.Sleep(residual - time.Nanosecond)
		if !l.Rests(p) {
			t.Error("touched a nanosecond too early")
		}
		time.Sleep(time.Nanosecond)
		if l.Rests(p) || !l.Until(p).IsZero() {
			t.Error("rests after its time")
		}
	})
}

// Only the very place rests: the same address stays free on another port and over UDP, but not in
// its IPv4-mapped form.
func TestLedgerTellsPlacesApart(t *testing.T) {
	l := NewLedger(residual)
	l.Fail(tcp("192.0.2.1:443"))
	for _, p := range []Place{tcp("192.0.2.1:80"), tcp("192.0.2.2:443"), {Transport: "udp", Endpoint: tcp("192.0.2.1:443").Endpoint}} {
		if l.Rests(p) {
			t.Errorf("%v rests", p)
		}
	}
	if !l.Rests(tcp("[::ffff:192.0.2.1]:443")) {
		t.Error("the mapped form is free")
	}
}

// A second failure starts the rest anew.
func TestLedgerFailAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p := NewLedger(residual), tcp("192.0.2.1:443")
		l.Fail(p)
		time.Sleep(residual / 2)
		l.Fail(p)
		time.Sleep(residual - 1)
		if !l.Rests(p) {
			t.Error("the first failure's time was kept")
		}
	})
}

func TestLedgerOff(t *testing.T) {
	l, p := NewLedger(0), tcp("192.0.2.1:443")
	l.Fail(p)
	if l.Rests(p) || slices.ContainsFunc(places(l), func(e Entry) bool { return l.Rests(e.Place) }) || l.Triggered(p).IsZero() {
		t.Error("rests although the residual time is 0, or is forgotten")
	}
}

// The last failure at a place is known for a day, long after the place has rested, and over a restart. What
// was hushed is left alone and not told, until it fails again.
func TestLedgerTriggered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p, never := NewLedger(residual), tcp("192.0.2.1:443"), tcp("192.0.2.2:443")
		l.Fail(p)
		failed := time.Now()
		time.Sleep(23 * time.Hour)
		again := NewLedger(residual)
		again.Restore(l.Snapshot())
		for name, l := range map[string]*Ledger{"now": l, "after a restart": again} {
			if l.Rests(p) || !l.Triggered(p).Equal(failed) || !l.Triggered(never).IsZero() {
				t.Errorf("%s: rests %v, failed at %v, want %v; another place at %v", name, l.Rests(p), l.Triggered(p), failed, l.Triggered(never))
			}
		}
		time.Sleep(time.Hour)
		if !l.Triggered(p).IsZero() || len(l.Snapshot()) > 0 {
			t.Errorf("after a day it is known to have failed at %v", l.Triggered(p))
		}
		l.Fail(p)
		entries := l.Snapshot()
		Hush(entries)
		hushed := NewLedger(residual)
		hushed.Restore(entries)
		if !hushed.Rests(p) || !hushed.Triggered(p).IsZero() {
			t.Errorf("hushed: rests %v, tells of %v", hushed.Rests(p), hushed.Triggered(p))
		}
		once := NewLedger(residual)
		once.Restore(hushed.Snapshot())
		if !once.Triggered(p).IsZero() {
			t.Error("a restart makes it talk")
		}
		hushed.Fail(p)
		if hushed.Triggered(p).IsZero() {
			t.Error("what failed since is not told")
		}
	})
}

// What rests before a restart rests after it, until the same moment, through JSON.
func TestLedgerRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, early, late := NewLedger(residual), tcp("192.0.2.1:443"), tcp("[2001:db8::1]:443")
		before.Fail(early)
		time.Sleep(time.Minute)
		before.Fail(late)
		stored, err := json.Marshal(before.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(residual - time.Minute) // early is free meanwhile
		var entries []Entry
		if err := json.Unmarshal(stored, &entries); err != nil {
			t.Fatal(err)
		}
		after := NewLedger(residual)
		after.Restore(entries)
		if after.Rests(early) || !after.Until(late).Equal(before.Until(late)) {
			t.Errorf("early until %v, late until %v; want free, %v", after.Until(early), after.Until(late), before.Until(late))
		}
		if got := places(after); len(got) != 2 || got[0].Place != early || got[1].Place != late {
			t.Errorf("snapshot %v, want %v and %v", got, early, late)
		}
	})
}

// places lists the entries of a snapshot that are places.
func places(l *Ledger) []Entry {
	return slices.DeleteFunc(l.Snapshot(), func(e Entry) bool { return e.Transport == counted })
}

// A clock that was set back does not make a place rest for longer than the residual time, and an
// older entry does not shorten what a newer failure asked for.
func TestLedgerRestoreOddTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, future, known := NewLedger(residual), tcp("192.0.2.1:443"), tcp("192.0.2.2:443")
		l.Fail(known)
		l.Restore([]Entry{
			{Place: future, Failed: time.Now().AddDate(3, 0, 0)},
			{Place: known, Failed: time.Now().Add(-residual / 2)},
		})
		for _, p := range []Place{future, known} {
			if want := time.Now().Add(residual); !l.Until(p).Equal(want) {
				t.Errorf("%v until %v, want %v", p, l.Until(p), want)
			}
		}
	})
}

// However much fails, the ledger stays bounded, and what it drops is what would be free first.
func TestLedgerBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLedger(24 * time.Hour)
		place := func(i int) Place {
			return tcp(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 443).String())
		}
		for i := range ledgerSize + 10 {
			l.Fail(place(i))
			time.Sleep(time.Millisecond)
		}
		if n, m := len(places(l)), len(l.penalties); n != ledgerSize || m != ledgerSize {
			t.Errorf("%d places and %d addresses, want %d", n, m, ledgerSize)
		}
		if l.Rests(place(9)) || !l.Rests(place(10)) || l.Exhausted(place(9)) || !l.Exhausted(place(10)) {
			t.Error("dropped others than the oldest")
		}
	})
}

// Whatever the order of failures and waits, a place rests exactly if it failed less than the
// residual time ago: checked against the list of all failures.
func TestLedgerAgainstModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(1, 2))
		l, last := NewLedger(residual), map[Place]time.Time{}
		known := []Place{tcp("192.0.2.1:443"), tcp("192.0.2.1:80"), tcp("[2001:db8::1]:443"), {Transport: "udp", Endpoint: tcp("192.0.2.1:443").Endpoint}}
		for range 5000 {
			p := known[rnd.IntN(len(known))]
			switch rnd.IntN(4) {
			case 0:
				l.Fail(p)
				last[p] = time.Now()
			case 1:
				entries := l.Snapshot()
				if !slices.IsSortedFunc(entries, func(a, b Entry) int { return a.Failed.Compare(b.Failed) }) {
					t.Fatalf("not in order: %v", entries)
				}
				l = NewLedger(residual)
				l.Restore(entries)
			default:
				time.Sleep(rand.N(residual / 2))
			}
			failed, ever := last[p]
			if want := ever && time.Since(failed) < residual; l.Rests(p) != want {
				t.Fatalf("rests %v, want %v, %v after the failure", l.Rests(p), want, time.Since(failed))
			}
		}
	})
}

// Whatever others do to it meanwhile, what has just failed rests.
func TestLedgerConcurrent(t *testing.T) {
	l := NewLedger(24 * time.Hour)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 200 {
				p := tcp(netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 443).String())
				l.Fail(p)
				if !l.Rests(p) {
					t.Errorf("%v does not rest", p)
				}
				l.Restore(l.Snapshot())
			}
		})
	}
	wg.Wait()
}

package schedule

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// looksAt plays a daemon whose target fails at every visit, at so many addresses, in turns, and gives the times of
// its looks from the first failure on, and the greatest share of a day.
func looksAt(t *testing.T, addresses int, interval, watched time.Duration, seed uint64) (looks []time.Duration, worst float64) {
	synctest.Test(t, func(t *testing.T) {
		l, s, rnd := NewLedger(residual), &Suspicion{}, rand.New(rand.NewPCG(seed, 3))
		way := Way{"app/chat", measurements.IPv4, "tcp"}
		var places []Place
		for i := range addresses {
			places = append(places, tcp(netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}), 443).String()))
		}
		fail := func(p Place) {
			l.Fail(p)
			s.Failed(way, p)
			time.Sleep(10 * time.Second) // QUIC, beside it, times out
			l.Fail(Place{"udp", p.Endpoint})
		}
		start := time.Now()
		series := measurements.Suspect{App: "app", Target: "chat", Layer: measurements.LayerTLS, Family: measurements.IPv4, Signature: measurements.TLSResetSNI,
			Confidence: measurements.Likely, Standing: true, Onset: start, Run: start}
		for at := start; at.Sub(start) < watched; at = time.Now() {
			switch next := oldest(l, places); {
			case at.Equal(start):
				looks = append(looks, 0)
				for _, p := range places {
					fail(p)
				}
			case !l.Rests(next) && !l.Exhausted(next) && !at.Before(l.Due(s.Following(way), places...)):
				looks = append(looks, at.Sub(start))
				fail(next)
			}
			worst = max(worst, l.WorstShare())
			s.Follow([]measurements.Suspect{series})
			pause := Next(interval, 0.5, rnd)
			if soon := s.Soon([]measurements.Suspect{series}, l, rnd); !soon.IsZero() {
				pause = min(pause, time.Until(soon))
			}
			time.Sleep(pause)
		}
	})
	return looks, worst
}

func oldest(l *Ledger, places []Place) Place {
	first := places[0]
	for _, p := range places {
		if l.Failed(p).Before(l.Failed(first)) {
			first = p
		}
	}
	return first
}

// While it is news, what fails is looked at as often as the sequential test needs within three hours: five failures
// that are twenty minutes apart and span two hours. Afterwards the looks are spread over the day, and no address
// is under a penalty for more than a twentieth of it.
func TestLooks(t *testing.T) {
	for _, c := range []struct {
		addresses int
		interval  time.Duration
		longest   time.Duration // between looks, once it is no news
	}{
		{1, 15 * time.Minute, 9 * time.Hour}, {2, 15 * time.Minute, 6 * time.Hour},
		{1, time.Hour, 11 * time.Hour}, {2, time.Hour, 7 * time.Hour},
	} {
		for seed := range uint64(10) {
			looks, worst := looksAt(t, c.addresses, c.interval, 4*24*time.Hour, seed)
			early, spans := 0, false
			for i, at := range looks {
				if i > 0 && at-looks[i-1] < Apart {
					t.Errorf("%+v: a look at %v, %v after the one before", c, at, at-looks[i-1])
				}
				if at < Fresh {
					early++
					spans = spans || early >= 5 && at >= 2*time.Hour
				} else if gap := at - looks[i-1]; gap > c.longest {
					t.Errorf("%+v: nobody looked for %v before %v", c, gap, at)
				}
			}
			if !spans {
				t.Errorf("%+v: looks at %v: too few of them in the first three hours", c, looks[:min(len(looks), 8)])
			}
			if worst > 0.05 {
				t.Errorf("%+v: %.4f of a day under a penalty", c, worst)
			}
		}
	}
}

// The looks of what stands leave room for what begins to fail at the same address: QUIC is blocked for a week, then
// TCP is, too.
func TestWhatStandsLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLedger(residual)
		tls := tcp("192.0.2.1:443")
		quic := Place{"udp", tls.Endpoint}
		look := func(p Place, since, until time.Time) (n int) {
			for ; time.Now().Before(until); time.Sleep(11 * time.Minute) {
				if !l.Rests(p) && !l.Exhausted(p) && !time.Now().Before(l.Due(Following{Since: since}, p)) {
					l.Fail(p)
					n++
				}
			}
			return n
		}
		start := time.Now()
		look(quic, start, start.Add(7*24*time.Hour))
		if l.Exhausted(tls) {
			t.Fatal("TCP, which works, may not be looked at")
		}
		onset := time.Now()
		if n := look(tls, onset, onset.Add(Fresh)); n < 3 {
			t.Errorf("%d looks at the second onset, want 3 at least", n)
		}
	})
}

// What passed the last time, or failed nowhere that is known, may be looked at at once; and whoever has only a
// little residual time looks as often as a twentieth of the time allows.
func TestDueNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p := NewLedger(10*time.Second), tcp("192.0.2.1:443")
		if !l.Due(Following{Since: time.Now()}, p).IsZero() || !l.Failed(p).IsZero() {
			t.Error("nothing failed there, and it has to wait")
		}
		l.Fail(p)
		if d := time.Until(l.Due(Following{Since: time.Now()}, p)); d < 2*time.Minute || d > 4*time.Minute {
			t.Errorf("due in %v; a twentieth of the time is a look in 200 s", d)
		}
		time.Sleep(24 * time.Hour)
		if !l.Due(Following{Since: time.Now()}, p).IsZero() || !l.Failed(p).IsZero() {
			t.Error("a day later it still has to wait")
		}
	})
}

// What is followed is what began to fail last, by family and transport; and addresses have turns only where one of
// them is enough for all that is followed.
func TestFollowing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Suspicion
		hour := func(h int) time.Time { return time.Now().Add(time.Duration(h) * time.Hour) }
		series := func(l measurements.Layer, sig measurements.Signature, c measurements.Confidence, run time.Time) measurements.Suspect {
			return measurements.Suspect{App: "app", Target: "chat", Layer: l, Family: measurements.IPv4, Signature: sig, Confidence: c, Standing: true, Onset: hour(-9), Run: run}
		}
		s.Suspect("app/chat")
		s.Suspect("app/media")
		suspected := time.Now()
		time.Sleep(time.Minute)
		s.Suspect("app/media") // again, which changes nothing
		tls, quic := series(measurements.LayerTLS, measurements.TLSResetSNI, measurements.Likely, hour(-2)), series(measurements.LayerQUIC, measurements.QUICTimeoutSNI, measurements.Suspected, hour(-5))
		s.Follow([]measurements.Suspect{tls, quic})
		for _, c := range []struct {
			way  Way
			want Following
		}{
			{Way{"app/chat", measurements.IPv4, "tcp"}, Following{tls.Run, true, false}},
			{Way{"app/chat", measurements.IPv4, "udp"}, Following{quic.Run, false, true}},
			{Way{"app/chat", measurements.IPv6, "tcp"}, Following{Since: suspected}},
			{Way{"app/media", measurements.IPv4, "tcp"}, Following{Since: suspected}},
			{Way{"app/fine", measurements.IPv4, "tcp"}, Following{}},
		} {
			if got := s.Following(c.way); got != c.want {
				t.Errorf("%+v: %+v, want %+v", c.way, got, c.want)
			}
		}
		passed := series(measurements.LayerTLS, measurements.TLSResetSNI, measurements.Likely, time.Time{})
		s.Follow([]measurements.Suspect{passed})
		if got := s.Following(Way{"app/chat", measurements.IPv4, "tcp"}); !got.Since.IsZero() {
			t.Errorf("it passed, and fails since %v", got.Since)
		}
		dns := series(measurements.LayerDNS, measurements.DNSInjectOther, measurements.Likely, hour(-1))
		s.Follow([]measurements.Suspect{tls, dns})
		if got := s.Following(Way{"app/chat", measurements.IPv4, "tcp"}); got != (Following{Since: dns.Run}) {
			t.Errorf("with a name that is answered falsely: %+v", got)
		}
	})
}

// What began to fail lately is looked at sooner, but not before it counts; what is confirmed, or fails for hours,
// keeps the usual pace.
func TestSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := tcp("192.0.2.1:443")
		time.Sleep(24 * time.Hour)
		for _, c := range []struct {
			name        string
			change      func(*measurements.Suspect)
			least, most time.Duration
		}{
			{"it fails", func(*measurements.Suspect) {}, 28 * time.Minute, 38 * time.Minute},
			{"it may be chance", func(o *measurements.Suspect) { o.Confidence = measurements.Suspected }, 9 * time.Minute, 16 * time.Minute},
			{"it passed the last time", func(o *measurements.Suspect) { o.Run = time.Time{} }, Apart, Apart + Apart/4 + time.Second},
			{"it is confirmed", func(o *measurements.Suspect) { o.Confidence = measurements.Confirmed }, 0, 0},
			{"it began half a day ago", func(o *measurements.Suspect) { o.Onset = o.Onset.Add(-12 * time.Hour) }, 0, 0},
		} {
			l, s := NewLedger(residual), &Suspicion{}
			open := measurements.Suspect{App: "app", Target: "chat", Layer: measurements.LayerTLS, Family: measurements.IPv4, Confidence: measurements.Likely, Standing: true, Onset: time.Now(), Run: time.Now()}
			c.change(&open)
			l.Fail(at)
			s.Failed(Way{"app/chat", measurements.IPv4, "tcp"}, at)
			s.Follow([]measurements.Suspect{open})
			soon := s.Soon([]measurements.Suspect{open}, l, nil)
			if d := time.Until(soon); soon.IsZero() != (c.most == 0) || !soon.IsZero() && (d < c.least || d > c.most) {
				t.Errorf("%s: in %v", c.name, d)
			}
		}
	})
}

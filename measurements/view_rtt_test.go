package measurements

import (
	"net/netip"
	"testing"
	"time"
)

// Connects that took as long as a lost SYN does are no round trip: what comes sooner need not come from the path.
func TestLeastRTTIsNoLostSYN(t *testing.T) {
	t.Parallel()
	a := netip.MustParseAddr("192.0.2.10")
	ms := func(n int) Seconds { return Seconds(time.Duration(n) * time.Millisecond) }
	for what, test := range map[string]struct {
		took  []Seconds
		least Seconds // 0: not known
	}{
		"one alone":             {[]Seconds{ms(50)}, 0},
		"two":                   {[]Seconds{ms(52), ms(50)}, ms(50)},
		"one of two lost":       {[]Seconds{ms(1052), ms(50)}, ms(50)},
		"both lost":             {[]Seconds{ms(1052), ms(1050)}, 0},
		"all of three, twice":   {[]Seconds{ms(3052), ms(3050), ms(1060)}, 0},
		"a satellite, not lost": {[]Seconds{ms(700), ms(690)}, ms(690)},
	} {
		v := &view{rtt: map[netip.Addr][]Seconds{a: test.took}}
		if least, known := v.leastRTT(a); least != test.least || known != (test.least > 0) {
			t.Errorf("%s: %v, %v", what, least, known)
		}
	}
}

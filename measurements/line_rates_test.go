package measurements

import (
	"testing"
	"time"
)

// Neutral hosts gauge the line by three transfers of two operators at least, in the midst of the target's own.
func TestNeutralRate(t *testing.T) {
	t.Parallel()
	own := func(minute int) Observation {
		return Observation{Target: "files", Operation: Transfer, Transport: "tls", Family: IPv4, Endpoint: here, Started: eight.Add(time.Duration(minute) * time.Minute), Transfer: &Body{}}
	}
	type fetched struct {
		host   string
		minute int
		took   time.Duration
		bytes  int64
		family Family
	}
	tell := func(host string, minute int) fetched { return fetched{host, minute, time.Second, 256 << 10, IPv4} }
	const rate = 8 * (256 << 10) / 4
	for name, c := range map[string]struct {
		made []fetched
		want float64
	}{
		"two operators":       {[]fetched{tell("a", 2), tell("b", 3), {"a", 4, 4 * time.Second, 256 << 10, IPv4}}, rate},
		"one operator":        {[]fetched{tell("a", 2), tell("a", 3), tell("a", 4)}, 0},
		"two transfers":       {[]fetched{tell("a", 2), tell("b", 3)}, 0},
		"one before":          {[]fetched{tell("a", 0), tell("b", 3), tell("a", 4)}, 0},
		"one behind":          {[]fetched{tell("a", 2), tell("b", 3), tell("a", 9)}, 0},
		"one too small":       {[]fetched{tell("a", 2), tell("b", 3), {"a", 4, time.Second, 96 << 10, IPv4}}, 0},
		"one over the other":  {[]fetched{tell("a", 2), tell("b", 3), {"a", 4, time.Second, 256 << 10, IPv6}}, 0},
		"no neutral transfer": {nil, 0},
	} {
		gate := &Measurement{Targets: []TargetInfo{{ID: "a", Operator: "A"}, {ID: "b", Operator: "B"}}}
		var again []*Observation
		for _, f := range c.made {
			o := own(f.minute)
			o.Target, o.Family, o.Again, o.Transfer = f.host, f.family, true, &Body{Bytes: f.bytes, Active: Seconds(f.took), Ended: EndedByBytes}
			again = append(again, &o)
		}
		l := &Line{}
		l.readRates(gate, again)
		v := newView(&Measurement{App: "shelf", Observations: []Observation{own(1), own(8)}}, gate, l, nil)
		if got := v.volumeCases()[0].neutralRate(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

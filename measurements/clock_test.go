package measurements

import (
	"fmt"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// dateGate is a gate whose hosts answered in clear at noon, each with its own clock's offset.
func dateGate(offsets ...time.Duration) *Measurement {
	g := &Measurement{App: ControlApp}
	for i, offset := range offsets {
		id := fmt.Sprintf("host%d.example", i)
		g.Targets = append(g.Targets, TargetInfo{ID: id, Operator: id})
		g.Observations = append(g.Observations, Observation{
			Target: id, Operation: HTTPExchange, Transport: "tcp", Name: id, Conn: i + 1, Started: noon,
			HTTP: &HTTP{Path: "/generate_204", Status: 204, Date: noon.Add(offset).Format(httpDate)},
		})
	}
	return g
}

// Two operators that agree tell the clock, if they are more than those that do not.
func TestClockOffset(t *testing.T) {
	day := 24 * time.Hour
	portal := dateGate(day, day)
	portal.Observations[0].HTTP.Status = 302
	foreign := dateGate(day, day)
	for i := range foreign.Observations {
		foreign.Observations[i].Transport = "tls"
		foreign.Observations = append(foreign.Observations, Observation{
			Operation: TLSHandshake, Conn: i + 1, Failure: SSLUnknownAuthority, TLS: &TLS{ChainRoot: RootNone},
		})
	}
	oneOperator := dateGate(day, day, day)
	for i := range oneOperator.Targets {
		oneOperator.Targets[i].Operator = "one"
	}
	garbled := dateGate(day, day)
	garbled.Observations[0].HTTP.Date = "yesterday"
	for _, c := range []struct {
		name string
		gate *Measurement
		want time.Duration
		ok   bool
	}{
		{"a right clock", dateGate(0, 0, 0), 0, true},
		{"a clock that is slow by a day", dateGate(day, day, day), day, true},
		{"a clock that is fast by a day", dateGate(-day, -day), -day, true},
		{"one server lies", dateGate(0, day, time.Second), time.Second, true},
		{"two within two minutes", dateGate(day, day+2*time.Minute), day + 2*time.Minute, true},
		{"two a little further apart", dateGate(day, day+2*time.Minute+time.Second), 0, false},
		{"two against two", dateGate(0, 0, day, day), 0, false},
		{"one operator alone", oneOperator, 0, false},
		{"one host alone", dateGate(day), 0, false},
		{"what a captive portal says", portal, 0, false},
		{"what an interception says", foreign, 0, false},
		{"a date that is none", garbled, 0, false},
		{"nothing", dateGate(), 0, false},
	} {
		got := ClockOffset(c.gate)
		if (got != nil) != c.ok || got != nil && time.Duration(*got) != c.want {
			t.Errorf("%s: got %v, want %v, %v", c.name, got, c.want, c.ok)
		}
	}
}

// The clock explains a certificate that holds at the time that neutral hosts tell, and no other.
func TestClockExplains(t *testing.T) {
	day := 24 * time.Hour
	from, until := noon.Add(-400*day), noon.Add(-300*day)
	for _, c := range []struct {
		name        string
		offset      time.Duration
		from, until time.Time
		failure     Failure
		want        bool
	}{
		{"holds then", -350 * day, from, until, SSLInvalidCertificate, true},
		{"had expired then as well", -299 * day, from, until, SSLInvalidCertificate, false},
		{"was not valid yet then", -401 * day, from, until, SSLInvalidCertificate, false},
		{"a chain of somebody else's", -350 * day, time.Time{}, time.Time{}, SSLUnknownAuthority, false},
		{"no certificate at all", -350 * day, from, until, Timeout, false},
		{"expired a quarter of an hour ago, by a clock that is half an hour fast", -30 * time.Minute, from, noon.Add(-15 * time.Minute), SSLInvalidCertificate, false},
	} {
		offset := Seconds(c.offset)
		o := &Observation{Operation: TLSHandshake, Started: noon, Failure: c.failure, TLS: &TLS{ChainRoot: RootBundle, ValidFrom: c.from, ValidUntil: c.until}}
		if got := (&Line{Clock: &offset}).explains(o); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		if (&Line{}).explains(o) {
			t.Errorf("%s: explained by a clock that nobody knows", c.name)
		}
	}
}

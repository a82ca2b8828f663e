package measurements

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Every word that a step may write is one that Check knows: what is measured can be judged again.
func TestCheckKnowsEveryWord(t *testing.T) {
	for of, list := range map[string][]string{
		"Operation": strs(operations), "Control": strs(controls), "Family": strs(families), "Origin": strs(origins), "Shape": strs(shapes), "Layer": strs(Layers),
	} {
		for _, word := range constantsOf(t, "observation.go", of) {
			if !slices.Contains(list, word) {
				t.Errorf("%s %q is not in its list in check.go", of, word)
			}
		}
	}
}

func strs[W ~string](words []W) (out []string) {
	for _, w := range words {
		out = append(out, string(w))
	}
	return out
}

func TestCheck(t *testing.T) {
	good := func() *Measurement {
		return &Measurement{
			App: "app", Targets: []TargetInfo{{ID: "web"}},
			Observations: []Observation{{
				Target: "web", Operation: TLSHandshake, Family: IPv4, Endpoint: "192.0.2.10:443", Origin: FromSystem,
				TLS: &TLS{Shape: Small, ChainRoot: RootExtra}, TCP: &TCPInfo{}, HTTP: &HTTP{Status: 200},
			}},
			Skipped: []Skip{{Layer: LayerTLS, Family: IPv6}}, Hops: []HopScan{{Family: IPv4}},
		}
	}
	many := make([]Observation, mostObservations+1)
	transfers := make([]Observation, mostTransfers+1)
	for i := range transfers {
		transfers[i] = Observation{Target: "web", Operation: Transfer, Transfer: &Body{}}
	}
	for name, c := range map[string]struct {
		edit func(*Measurement)
		want string // "" where nothing is wrong
	}{
		"as measured":             {func(*Measurement) {}, ""},
		"nothing seen":            {func(m *Measurement) { m.Observations = nil }, ""},
		"a clock that began anew": {func(m *Measurement) { m.Started = time.Unix(0, 0) }, ""},
		"a gate's resolver":       {func(m *Measurement) { m.App, m.Observations[0].Target = ControlApp, "resolver" }, ""},
		"a word of failure":       {func(m *Measurement) { m.Observations[0].Failure = "who knows" }, ""},
		"no app":                  {func(m *Measurement) { m.App = "" }, "app is empty"},
		"a long epoch":            {func(m *Measurement) { m.Vantage.Epoch = strings.Repeat("x", 1000) }, "more than 256 bytes"},
		"no target":               {func(m *Measurement) { m.Targets[0].ID = "" }, "targets[0].id"},
		"many observations":       {func(m *Measurement) { m.Observations = many }, "observations has 2049 entries"},
		"many transfers":          {func(m *Measurement) { m.Observations = transfers }, "257 transfers"},
		"a large reference":       {func(m *Measurement) { m.Reference = &Reference{Targets: make([]ReferenceTarget, mostReference+1)} }, "reference has 8193 entries"},
		"a negative runtime":      {func(m *Measurement) { m.Runtime = -1 }, "runtime of -1ns"},
		"a clock of centuries":    {func(m *Measurement) { c := Seconds(-farthestClock - 1); m.ClockOffset = &c }, "clock_offset"},
		"no word":                 {func(m *Measurement) { m.Observations[0].Operation = "" }, `observations[0].operation ""`},
		"an unknown shape":        {func(m *Measurement) { m.Observations[0].TLS.Shape = "round" }, `observations[0].tls.shape "round"`},
		"an unknown root":         {func(m *Measurement) { m.Observations[0].TLS.ChainRoot = "state" }, `tls.chain_root "state"`},
		"an unknown origin":       {func(m *Measurement) { m.Observations[0].Origin = "guess" }, `origin "guess"`},
		"a negative RTT":          {func(m *Measurement) { m.Observations[0].TCP.MinRTT = -1 }, "tcp_info.min_rtt"},
		"an impossible status":    {func(m *Measurement) { m.Observations[0].HTTP.Status = 1000 }, "http.status 1000"},
		"an impossible rcode":     {func(m *Measurement) { m.Observations[0].DNS = &DNS{Rcode: -2} }, "dns.rcode -2"},
		"an answer before":        {func(m *Measurement) { m.Observations[0].DNS = &DNS{Late: []DNSAnswer{{After: -1}}} }, "dns.late[0].after"},
		"another question":        {func(m *Measurement) { m.Observations[0].DNS = &DNS{Resolver: SystemResolver, Further: AskedAgain} }, "dns.further"},
		"many reasons":            {func(m *Measurement) { m.Observations[0].DNS = &DNS{Extended: make([]int, mostExtended+1)} }, "17 entries"},
		"the stub's own answer":   {func(m *Measurement) { m.Observations[0].DNS = &DNS{Resolver: SystemResolver, Behind: true} }, "dns.behind"},
		"a hop below none":        {func(m *Measurement) { m.Hops[0].Dies = -1 }, "hops[0].dies -1"},
		"an unknown skip":         {func(m *Measurement) { m.Skipped[0].Layer = "cake" }, `skipped[0].layer "cake"`},
	} {
		m := good()
		c.edit(m)
		err := m.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// BenchmarkLargestMeasurement judges measurements as large as Check lets them be: the worst that we found are transfers, and
// failures at as many places, all alike.
func BenchmarkLargestMeasurement(b *testing.B) {
	for name, operation := range map[string]Operation{"transfers": Transfer, "handshakes": TLSHandshake, "connects": Connect} {
		b.Run(name, func(b *testing.B) {
			m := largest(b, operation)
			for b.Loop() {
				r := Round{Gate: neighbours(""), Apps: []Measurement{m}}
				h := &History{}
				v := Judge(&r, h)
				h.Learn(&r, &v)
			}
		})
	}
}

// largest is a measurement of as many failures as Check takes.
func largest(t testing.TB, operation Operation) Measurement {
	t.Helper()
	m := Measurement{App: "app", Targets: []TargetInfo{{ID: "web", Hosts: []string{"web.example.org"}, Essential: true}}}
	for i := range mostObservations {
		if operation == Transfer && i >= mostTransfers {
			break
		}
		o := Observation{Target: "web", Operation: operation, Family: IPv4, Endpoint: "192.0.2.10:" + string([]byte{byte('1' + i%9), byte('0' + i/9%10), byte('0' + i/90%10), byte('0' + i/900%10)}), Failure: Timeout, Conn: i, Trial: i, Name: "web.example.org"}
		if operation == Transfer {
			o.Transfer = &Body{Bytes: 20 << 10, Ended: EndedByStall}
		}
		m.Observations = append(m.Observations, o)
	}
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	return m
}

// As large as it may be, a measurement without a control is called nothing.
func TestLargestMeasurementIsJudged(t *testing.T) {
	r := Round{Gate: neighbours(""), Apps: []Measurement{largest(t, Connect)}}
	v := Judge(&r, &History{})
	for _, l := range v.Apps[0].Targets[0].Layers {
		if l.State != Inconclusive {
			t.Errorf("%+v", l)
		}
	}
	if len(v.Apps[0].Targets[0].Layers) == 0 {
		t.Error("nothing is said of it")
	}
}

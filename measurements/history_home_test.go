package measurements

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// home is a history, and the rounds that it is taught: one target, "chat", at one address.
type home struct {
	t     testing.TB
	h     *History
	at    time.Time
	epoch string
	last  RoundVerdict

	reference bool // there is one, which meets no trouble with transfers
}

func newHome(t testing.TB) *home { return &home{t: t, h: &History{}, at: eight} }

// neighbours is the gate of a line that works.
func neighbours(epoch string) Measurement {
	g := Measurement{App: ControlApp, Vantage: Vantage{Epoch: epoch}}
	for _, id := range []string{"a", "b", "c"} {
		g.Targets = append(g.Targets, TargetInfo{ID: id, Operator: id})
		for _, op := range []Operation{Resolve, Connect, TLSHandshake} {
			g.Observations = append(g.Observations, Observation{Target: id, Operation: op, Family: IPv4, DNS: &DNS{}})
		}
	}
	return g
}

// round is one in which the handshake with the target's name ends so, after control N ended so. "-" as
// the neutral's is no control at all.
func (h *home) round(died, neutral Failure) Round {
	m := Measurement{App: "app", Vantage: Vantage{Epoch: h.epoch}, Targets: []TargetInfo{{ID: "chat", Hosts: []string{chatName}, Essential: true}}}
	o := Observation{Target: "chat", Family: IPv4, Endpoint: edge, Origin: FromSystem, Started: h.at, Duration: Seconds(30 * time.Millisecond)}
	addrs := []netip.Addr{netip.MustParseAddr("192.0.2.10")}
	for _, resolver := range []string{SystemResolver, "https://192.0.2.53/dns-query"} {
		r := o
		r.Operation, r.Name, r.Endpoint, r.DNS = Resolve, chatName, "", &DNS{Resolver: resolver, Addresses: addrs}
		if resolver != SystemResolver {
			r.Control = D
		}
		m.Observations = append(m.Observations, r)
	}
	shake := func(c Control, name string, conn int, f Failure) {
		s := o
		s.Control, s.Conn, s.Name, s.Operation = c, conn, name, Connect
		if neutral != "-" {
			s.Trial = 1
		}
		m.Observations = append(m.Observations, s)
		s.Operation, s.Failure, s.TLS = TLSHandshake, f, &TLS{Shape: Small, ChainRoot: "bundle"}
		m.Observations = append(m.Observations, s)
	}
	if neutral != "-" {
		shake(N, "neutral.example.com", 1, neutral)
	}
	shake(T, chatName, 2, died)
	return Round{Started: h.at, Gate: neighbours(h.epoch), Apps: []Measurement{m}}
}

// look makes a round, judges it and learns it. It gives the finding in TLS.
func (h *home) look(died, neutral Failure) *LayerVerdict {
	h.t.Helper()
	r := h.round(died, neutral)
	h.last = Judge(&r, h.h)
	h.h.Learn(&r, &h.last)
	for i, l := range h.last.Apps[0].Targets[0].Layers {
		if l.Layer == LayerTLS {
			return &h.last.Apps[0].Targets[0].Layers[i]
		}
	}
	h.t.Fatal("the handshake was not judged")
	return nil
}

// looks makes a round every quarter of an hour, for as long; each asks how the two handshakes end.
func (h *home) looks(d time.Duration, how func(i int) (died, neutral Failure)) (l *LayerVerdict) {
	h.t.Helper()
	for i, end := 0, h.at.Add(d); h.at.Before(end); i++ {
		l = h.look(how(i))
		h.at = h.at.Add(15 * time.Minute)
	}
	return l
}

func always(died, neutral Failure) func(int) (Failure, Failure) {
	return func(int) (Failure, Failure) { return died, neutral }
}

func every(n int, died Failure) func(int) (Failure, Failure) {
	return func(i int) (Failure, Failure) {
		if i%n == 0 {
			return died, ""
		}
		return "", ""
	}
}

func (h *home) standing() string {
	var out []string
	for _, s := range h.last.Standing {
		out = append(out, fmt.Sprintf("%s %s", s.Signature, s.Confidence))
	}
	return strings.Join(out, ", ")
}

// The benchmarks are of one round of one target: a household's machine does 31 of them in a round.

func BenchmarkJudge(b *testing.B) {
	h := newHome(b)
	h.looks(24*time.Hour, every(7, Timeout))
	r := h.round(Timeout, "")
	for b.Loop() {
		Judge(&r, h.h)
	}
}

func BenchmarkLearn(b *testing.B) {
	h := newHome(b)
	h.looks(24*time.Hour, every(7, Timeout))
	r := h.round("", "")
	v := Judge(&r, h.h)
	for b.Loop() {
		r.Started = r.Started.Add(15 * time.Minute)
		h.h.Learn(&r, &v)
	}
}

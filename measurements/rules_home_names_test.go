package measurements

import (
	"net/netip"
	"testing"
	"time"
)

// Names of the home are so by their last labels; private addresses and look-alikes are not.
func TestHomeName(t *testing.T) {
	for location, want := range map[string]bool{
		"http://fritz.box/blocked": true, "http://FRITZ.BOX./": true, "https://router.home.arpa:8443/x": true, "http://nas.local/": true,
		"http://router.lan/": true, "http://10.10.34.35/": false, "http://192.168.1.1/": false, "http://notfritz.box.example.com/": false,
		"http://myfritz.boxes/": false, "http://lan.example.com/": false, "://": false, "/here": false,
	} {
		if got := homeName(location); got != want {
			t.Errorf("%s: %v", location, got)
		}
	}
}

// One operator's name alone may lead anywhere; two that lead to addresses for benchmarks are a tool's doing.
func TestFakeAddresses(t *testing.T) {
	told := func(target, a string) Observation {
		return Observation{Target: target, Operation: Resolve, Family: IPv4, Failure: DNSBogon, DNS: &DNS{Addresses: []netip.Addr{netip.MustParseAddr(a)}}}
	}
	gate := func(a, b string) *Measurement {
		return &Measurement{Targets: []TargetInfo{{ID: "a", Operator: "A"}, {ID: "b", Operator: "B"}}, Observations: []Observation{told("a", a), told("b", b)}}
	}
	for want, gates := range map[bool][]*Measurement{
		true:  {gate("198.18.0.1", "198.19.255.255"), gate("198.18.0.1", "fdfe::1")},
		false: {gate("198.18.0.1", "192.0.2.1"), gate("10.0.0.1", "10.0.0.2"), gate("198.20.0.1", "198.18.0.1"), {}},
	} {
		for i, g := range gates {
			if got := FakeAddresses(g); got != want {
				t.Errorf("%v %d: %v", want, i, got)
			}
		}
	}
}

// What a scan has found stands for a day, for what dies the same way, until another scan finds something else. What was
// taken for a block before stands no longer.
func TestDiesAtHomeUntilTheNextScan(t *testing.T) {
	t.Parallel()
	scanned := func(h *home, dies int) {
		r := h.round(ConnectionReset, "")
		r.Apps[0].Hops = []HopScan{{Target: "chat", Family: IPv4, Endpoint: edge, Failure: ConnectionReset, Dies: dies, Home: 1, Server: 9}}
		h.last = Judge(&r, h.h)
		h.h.Learn(&r, &h.last)
		h.at = h.at.Add(15 * time.Minute)
	}
	h := newHome(t)
	if l := h.look(ConnectionReset, ""); l.State != Blocked {
		t.Errorf("before the scan: %+v", l)
	}
	h.at = h.at.Add(time.Hour)
	scanned(h, 1)
	if l := h.looks(24*time.Hour, always(ConnectionReset, "")); l.State != Local || l.Signature != LocalAppFilter || h.standing() != "" {
		t.Errorf("a day after the scan: %+v, %q stands", l, h.standing())
	}
	again := restarted(t, h.h)
	r := h.round(ConnectionReset, "")
	if v := Judge(&r, again); v.Apps[0].State != Local {
		t.Errorf("after a restart: %+v", v.Apps[0])
	}
	if l := h.look(EOF, ""); l.State != Blocked {
		t.Errorf("it dies otherwise: %+v", l)
	}
	h.at = h.at.Add(3 * time.Hour)
	if l := h.look(ConnectionReset, ""); l.State != Blocked {
		t.Errorf("the scan is old: %+v", l)
	}
	scanned(h, 1)
	scanned(h, 5)
	if l := h.look(ConnectionReset, ""); l.State != Blocked {
		t.Errorf("the last scan found another place: %+v", l)
	}
}

// What dies at a hop of the home's own is the household's, and no block; a hop behind it is not.
func TestDiesAtHome(t *testing.T) {
	const at = "198.51.100.7:443"
	step := func(control Control, failure Failure) Observation {
		return Observation{Target: "web", Control: control, Trial: 1, Conn: 1, Operation: TLSHandshake, Family: IPv4, Endpoint: at, Name: "web.example.net", Failure: failure, TLS: &TLS{Shape: Small}}
	}
	for home, want := range map[int]State{2: Local, 0: Blocked} {
		m := Measurement{App: "app", Targets: []TargetInfo{{ID: "web", Hosts: []string{"web.example.net"}, Essential: true}},
			Observations: []Observation{step(N, ""), step(T, ConnectionReset)},
			Hops:         []HopScan{{Target: "web", Endpoint: at, Family: IPv4, Dies: 2, Home: home, Server: 9}}}
		m.Observations[0].Name = "neutral.example.com"
		m.Observations = append(m.Observations, Observation{Target: "web", Operation: Resolve, Family: IPv4, Name: "web.example.net", DNS: &DNS{Resolver: SystemResolver, Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.7")}}})
		v := Judge(&Round{Started: eight, Gate: neighbours(""), Apps: []Measurement{m}}, nil)
		l := v.Apps[0].Targets[0].Layers
		if len(l) != 2 || l[1].State != want || want == Local && l[1].Signature != LocalAppFilter {
			t.Errorf("home %d: %+v", home, l)
		}
	}
}

package noise

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	ms "github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// families, and the numbers under which this package knows them.
var families = [2]ms.Family{ms.IPv4, ms.IPv6}

// target is one of the model's: as many as the built-in catalogue has, on as few edges.
type target struct {
	app, edge int
	info      ms.TargetInfo
	key       string // as the schedule writes it
	host      string // "" for a data centre: addresses alone, and no name
	quic      bool
	addresses [2][2]netip.Addr // by family
	fine      [4]ms.TargetVerdict
}

// transports are those over which the target is visited.
func (t *target) transports() []string {
	if t.quic {
		return []string{"tcp", "udp"}
	}
	return []string{"tcp"}
}

func (t *target) place(transport string, family, k int) schedule.Place {
	return schedule.Place{Transport: transport, Endpoint: netip.AddrPortFrom(t.addresses[family][k], 443)}
}

func (t *target) way(transport string, family int) schedule.Way {
	return schedule.Way{Key: t.key, Family: families[family], Transport: transport}
}

// named says whether the target has a name, and so everything above TCP.
func (t *target) named() bool { return t.host != "" }

// apps of the model: how many data centres without a name, then how many names.
var apps = []struct {
	id             string
	centres, names int
	edges          []int
}{
	{"telegram", 5, 6, []int{0, 1}},
	{"whatsapp", 0, 7, []int{2, 3}},
	{"line", 0, 7, []int{4, 5}},
	{"instagram", 0, 6, []int{2, 3}},
}

const edges = 6

func targets() []target {
	var out []target
	for i, a := range apps {
		for n := range a.centres + a.names {
			t := target{app: i, edge: a.edges[n%len(a.edges)], info: ms.TargetInfo{ID: fmt.Sprintf("t%d", n), Essential: true, Probes: []string{"https"}}}
			t.key = a.id + "/" + t.info.ID
			if n >= a.centres {
				t.host = fmt.Sprintf("%s.%s.example.net", t.info.ID, a.id)
				t.info.Hosts, t.quic = []string{t.host}, n%3 == 0
			}
			for k := range 2 {
				// Two machines of an edge, and another network for each edge, out of ranges that are nobody's:
				// reserved (RFC 1112, section 4) and documentation (RFC 9637).
				t.addresses[0][k] = netip.AddrFrom4([4]byte{240, byte(1 + t.edge), byte(1 + k), byte(1 + len(out))})
				t.addresses[1][k] = netip.AddrFrom16([16]byte{0x3f, 0xff, 0, byte(1 + t.edge), 7: byte(1 + k), 15: byte(1 + len(out))})
			}
			for mask := range t.fine {
				t.fine[mask] = t.passes(mask)
			}
			out = append(out, t)
		}
	}
	return out
}

// layers that a visit passes when all is fine.
func (t *target) layers() []ms.Layer {
	switch {
	case !t.named():
		return []ms.Layer{ms.LayerTCP}
	case t.quic:
		return []ms.Layer{ms.LayerDNS, ms.LayerTCP, ms.LayerTLS, ms.LayerHTTP, ms.LayerQUIC}
	}
	return []ms.Layer{ms.LayerDNS, ms.LayerTCP, ms.LayerTLS, ms.LayerHTTP}
}

// passes is the verdict on a target that works, in the families of the mask.
func (t *target) passes(mask int) ms.TargetVerdict {
	v := ms.TargetVerdict{Target: t.info.ID, State: ms.OK}
	for _, layer := range t.layers() {
		for f, family := range families {
			if mask&(1<<f) != 0 {
				v.Layers = append(v.Layers, ms.LayerVerdict{Layer: layer, Family: family, State: ms.OK, Rule: "passes"})
			}
		}
	}
	if mask == 0 {
		v.State = ms.Skipped
	}
	return v
}

// gate is what neutral hosts of five operators say of a line that works; its resolver may be mute.
func gate(resolves bool) ms.Measurement {
	m := ms.Measurement{App: ms.ControlApp}
	for i := range 5 {
		id := fmt.Sprintf("neutral%d", i)
		m.Targets = append(m.Targets, ms.TargetInfo{ID: id, Operator: id})
		for _, f := range families {
			died := ms.Failure("")
			dns := &ms.DNS{Resolver: ms.SystemResolver}
			if !resolves {
				died, dns.Rcode = ms.Timeout, -1
			}
			m.Observations = append(m.Observations,
				ms.Observation{Target: id, Operation: ms.Resolve, Family: f, Failure: died, DNS: dns},
				ms.Observation{Target: id, Operation: ms.Connect, Family: f, Duration: fast},
				ms.Observation{Target: id, Operation: ms.TLSHandshake, Family: f, Duration: fast},
				ms.Observation{Target: id, Operation: ms.QUICHandshake, Family: f, Duration: fast})
		}
	}
	return m
}

// state is what is wrong with the model's world at the moment.
type state struct {
	rates                   Rates
	rnd                     *rand.Rand
	line, offline, resolver switcher
	edge, edgeDown          [edges]switcher
	target, cached          []switcher
}

func newState(r Rates, targets int, now time.Time, rnd *rand.Rand) *state {
	s := &state{rates: r, rnd: rnd}
	s.line, s.offline, s.resolver = newSwitcher(r.Line, now, rnd), newSwitcher(r.Offline, now, rnd), newSwitcher(r.Resolver, now, rnd)
	for i := range edges {
		s.edge[i], s.edgeDown[i] = newSwitcher(r.Edge, now, rnd), newSwitcher(r.EdgeDown, now, rnd)
	}
	for range targets {
		s.target = append(s.target, newSwitcher(r.Target, now, rnd))
		s.cached = append(s.cached, newSwitcher(r.Cached, now, rnd))
	}
	return s
}

package probe

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// A place that rests is not touched by transfers either: those over QUIC are at the place of a visit over UDP.
func TestTransfersLeaveRestingPlacesAlone(t *testing.T) {
	ep := netip.MustParseAddrPort("192.0.2.1:443")
	for transport, place := range map[string]string{"tcp": "tcp", "quic": "udp"} {
		touched := 0
		host := Host{Dial: func(context.Context, string, string) (net.Conn, error) {
			touched++
			return nil, net.UnknownNetworkError("none")
		}}
		p := &Plan{Host: host, Timeout: time.Second, Ledger: schedule.NewLedger(time.Minute), slots: make(chan struct{}, 1)}
		s, target, sp := p.sheet(measurements.Round{}, "a"), Target{ID: "web", Ports: []uint16{ep.Port()}}, spot{addr: ep.Addr(), host: "a.example"}
		p.pairs(t.Context(), s, target, sp, transport, 1)
		if touched == 0 {
			t.Errorf("%s: a place that does not rest is not measured", transport)
		}
		touched = 0
		p.Ledger.Fail(schedule.Place{Transport: place, Endpoint: ep})
		p.pairs(t.Context(), s, target, sp, transport, 1)
		if touched > 0 {
			t.Errorf("%s: a place that rests was touched", transport)
		}
	}
}

// Targets of two apps that bear one name have turns of their own: not all pages are fetched in one round.
func TestVolumeTurnsAreTheApps(t *testing.T) {
	p, web := &Plan{VolumeEvery: 32}, Target{ID: "web", Hosts: []string{"www.example.com"}, Probes: []Probe{ProbeHTTPS}}
	turns := map[schedule.Rotation][]string{}
	for range 32 {
		for _, app := range []string{"telegram", "whatsapp", "line", "instagram"} {
			if p.wantsVolume(&sheet{plan: p, m: measurements.Measurement{App: app}}, web) {
				turns[p.Rotation] = append(turns[p.Rotation], app)
			}
		}
		p.Rotation = p.Rotation.Next()
	}
	if len(turns) < 3 {
		t.Errorf("they have their turns together: %v", turns)
	}
}

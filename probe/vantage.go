package probe

import (
	"github.com/telltale-probe/telltale/measurements"
)

// arrive reads the network at the start of a round, and whom it has programs ask for names: both may be
// others than in the round before, where the machine is one that moves.
func (p *Plan) arrive() Network {
	if len(p.EpochKey) == 0 {
		p.EpochKey = NewEpochKey()
	}
	p.system, p.behind = p.System, nil
	if len(p.system) == 0 {
		p.behind, _ = p.Host.ResolversBehindStub()
		p.system, _ = p.Host.ResolversOfSystem() // offline there may be none: then nothing is asked
	}
	return p.Host.NetworkNow()
}

// vantage is where a round was made, by the networks at its start and at its end. Who left and came back
// in between is not found out. The epoch is the start's: a round that moved belongs to no network, and
// teaches nothing.
func (p *Plan) vantage(before, after Network, gate *measurements.Measurement) measurements.Vantage {
	v := p.Vantage
	v.Moved = !before.Same(after)
	if v.Epoch = before.Epoch(p.EpochKey); !v.Moved && before.first().mac() == "" {
		// The gateway's MAC may have been learnt only by the round's own packets.
		v.Epoch = after.Epoch(p.EpochKey)
	}
	if v.Access = before.Access(); !v.Moved && v.Access != after.Access() {
		v.Access = measurements.AccessUnknown // a cable was plugged in
	}
	if v.Tunnel = before.Tunnel() || after.Tunnel() || measurements.FakeAddresses(gate); v.Tunnel {
		v.Country, v.ASN, v.Label, v.Access = "", 0, "", measurements.AccessTunnel
	}
	return v
}

package probe

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/telltale-probe/telltale/probe/schedule"
)

// Memory is what a plan must know across restarts beside its ledger and budget: a program that is restarted
// in a loop would else begin every time with the same endpoints' turns, come to those of a week never, and scan
// every time what is scanned once a day, and forget which servers have offered HTTP/3 and proved themselves.
type Memory struct {
	Rotation schedule.Rotation            `json:"rotation"`
	Located  map[netip.AddrPort]time.Time `json:"located,omitempty"` // when endpoints were scanned
	Offers   []Offer                      `json:"offers,omitempty"`
	Proofs   []Proof                      `json:"proofs,omitempty"`
}

// mostLocated bounds what is taken over of scans. Chosen by us: several times the endpoints of a large catalogue.
const mostLocated = 4096

// Memory gives what Recall needs: without endpoints that are our own, as Resting does.
func (p *Plan) Memory() Memory {
	p.located.mu.Lock()
	at := maps.Clone(p.located.at)
	p.located.mu.Unlock()
	maps.DeleteFunc(at, func(ep netip.AddrPort, _ time.Time) bool { return p.ours(ep.Addr()) })
	return Memory{p.Rotation, at, p.offers.list(), p.proofs.list()}
}

// Recall puts the memory of an earlier process in place of this one's; nil is that there is none: whose turn it is
// begins anywhere then. A scan that seems to lie in the future was made now: the clock was set back meanwhile.
func (p *Plan) Recall(m *Memory) {
	if m == nil {
		p.Rotation = schedule.Rotation(rand.Uint64())
		return
	}
	p.Rotation = m.Rotation
	p.offers.restore(m.Offers)
	p.proofs.restore(m.Proofs)
	p.located.mu.Lock()
	defer p.located.mu.Unlock()
	p.located.at = map[netip.AddrPort]time.Time{}
	now := time.Now()
	for ep, at := range m.Located {
		if now.Sub(at) < locatePause && len(p.located.at) < mostLocated {
			if at.After(now) {
				at = now
			}
			p.located.at[ep] = at
		}
	}
}

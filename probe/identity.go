package probe

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// mostProofs bounds what is taken over of proofs. Chosen by us: several times the data centres of a large catalogue.
const mostProofs = 1024

// proofs are when servers last proved that they have an app's private key, by target and family. The proof costs a
// server an operation of RSA: politeness does not ask for it every quarter of an hour. The zero value knows of none.
type proofs struct {
	mu     sync.Mutex
	at     map[proofKey]time.Time
	asking map[proofKey]bool
}

type proofKey struct {
	target string // with its app
	family measurements.Family
}

// Proof is when a target proved its identity, as it is kept across restarts.
type Proof struct {
	Target string              `json:"target"` // with its app: "telegram/dc2"
	Family measurements.Family `json:"ip_family"`
	At     time.Time           `json:"at"`
}

// claim says whether a target is asked now, since it has not proved itself for as long as a proof lasts and nobody
// else is asking. Who may ask calls release when the visit is over.
func (p *proofs) claim(k proofKey, lasts time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, proved := p.at[k]; p.asking[k] || proved && time.Since(at) < lasts {
		return false
	}
	if p.asking == nil {
		p.asking = map[proofKey]bool{}
	}
	p.asking[k] = true
	return true
}

func (p *proofs) release(k proofKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.asking, k)
}

// hear takes in that a target has proved itself.
func (p *proofs) hear(k proofKey, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at == nil {
		p.at = map[proofKey]time.Time{}
	}
	if _, again := p.at[k]; again || len(p.at) < mostProofs {
		p.at[k] = at
	}
}

func (p *proofs) list() (out []Proof) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, at := range p.at {
		out = append(out, Proof{k.target, k.family, at})
	}
	slices.SortFunc(out, func(a, b Proof) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Family, b.Family))
	})
	return out
}

// restore puts those of an earlier process in place. One that seems to lie in the future was given now: the clock was
// set back meanwhile.
func (p *proofs) restore(list []Proof) {
	p.mu.Lock()
	p.at, p.asking = nil, nil
	p.mu.Unlock()
	now := time.Now()
	for _, f := range list {
		if f.At.After(now) {
			f.At = now
		}
		p.hear(proofKey{f.Target, f.Family}, f.At)
	}
}

// wantsIdentity says whether the proof is asked for in a visit: under suspicion, and once a week else, of one address
// of a data centre and family alone. done is called when the visit is over.
func (p *Plan) wantsIdentity(k proofKey, suspect bool) (asked bool, done func()) {
	if suspect || p.Suspicion != nil && p.Suspicion.Suspected(k.target) {
		return true, func() {}
	}
	if p.IdentityEvery <= 0 || !p.proofs.claim(k, p.IdentityEvery) {
		return false, func() {}
	}
	return true, func() { p.proofs.release(k) }
}

// identified takes in what an app's handshake proved.
func (c chain) identified(o measurements.Observation) {
	if o.OK() && o.App != nil && o.App.Proof == measurements.ProvedIdentity {
		c.p.proofs.hear(proofKey{c.s.m.App + "/" + c.role.target, o.Family}, o.Started)
	}
}

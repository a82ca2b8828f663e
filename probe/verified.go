package probe

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"sync"
	"time"
)

// verified remembers what has been verified, so that a chain that a round meets at every address, and with every control, is
// verified once: that is a good part of what a handshake costs us. What failed is not remembered. A nil one
// remembers nothing.
type verified struct {
	mu    sync.Mutex
	spans map[claim]span
}

// claim is that a chain leads from a name to a root of the pool.
type claim struct {
	pool  *x509.CertPool
	name  string
	chain [sha256.Size]byte
}

// span is the time in which all certificates on the way are valid, both ends included (RFC 5280, section 4.1.2.5).
type span struct{ from, to time.Time }

// claimOf tells chains apart by all that they are made of: no two of different certificates, or of the same in another
// order, are one claim.
func claimOf(pool *x509.CertPool, chain []*x509.Certificate, name string) claim {
	h := sha256.New()
	for _, c := range chain {
		_ = binary.Write(h, binary.BigEndian, uint64(len(c.Raw))) // a hash takes everything
		h.Write(c.Raw)
	}
	out := claim{pool: pool, name: name}
	h.Sum(out.chain[:0])
	return out
}

func (p *verified) holds(c claim, at time.Time) bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s, known := p.spans[c]
	return known && !at.Before(s.from) && !at.After(s.to)
}

// add notes what was verified by way of these certificates, from the leaf to the root.
func (p *verified) add(c claim, way []*x509.Certificate) {
	if p == nil || len(way) == 0 {
		return
	}
	s := span{way[0].NotBefore, way[0].NotAfter}
	for _, cert := range way[1:] {
		if cert.NotBefore.After(s.from) {
			s.from = cert.NotBefore
		}
		if cert.NotAfter.Before(s.to) {
			s.to = cert.NotAfter
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spans == nil {
		p.spans = map[claim]span{}
	}
	p.spans[c] = s
}

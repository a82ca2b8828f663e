package probe

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// locatePause is how long an endpoint is left in peace after a scan (chosen by us: a scan is conspicuous,
// and paths rarely change within a day).
const locatePause = 24 * time.Hour

// located remembers when endpoints were scanned.
type located struct {
	mu sync.Mutex
	at map[netip.AddrPort]time.Time
}

// turn says whether an endpoint may be scanned now, and takes the turn.
func (l *located) turn(ep netip.AddrPort) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for known, at := range l.at {
		if now.Sub(at) >= locatePause {
			delete(l.at, known)
		}
	}
	if _, resting := l.at[ep]; resting {
		return false
	}
	if l.at == nil {
		l.at = map[netip.AddrPort]time.Time{}
	}
	l.at[ep] = now
	return true
}

// locates says whether this visit looks for the place at which the handshake dies: on suspicion alone,
// once a day, and only where the volunteer has asked for it.
func (c chain) locates(t Target, host string) bool {
	return c.p.Locate && host != "" && c.p.Host.Dial == nil && c.p.Suspicion != nil &&
		c.p.Suspicion.Suspected(c.s.key(t)) && c.p.located.turn(c.ep)
}

// locate scans, after control N has passed, and says whether the target's hello met anything. What it
// met is the visit's observation: nothing is sent to the place after it.
func (c chain) locate(ctx context.Context, t Target, host string) (died bool) {
	began := time.Now()
	scan := c.p.Host.Hops(ctx, c.ep, host, neutralFor(t, host))
	scan.Target = t.ID
	c.s.scan(scan)
	if scan.Dies == 0 {
		return false
	}
	s := begin(measurements.TLSHandshake, "tcp", c.ep, host)
	s.o.Started = began
	o := s.end(nil, nil)
	o.Failure, o.TLS = scan.Failure, &measurements.TLS{Shape: measurements.Small}
	c.role.conn = c.s.conn()
	c.note(o)
	return true
}

// scan records where handshakes die.
func (s *sheet) scan(h measurements.HopScan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m.Hops = append(s.m.Hops, h)
}

package probe

import (
	"net/netip"
	"sync"

	"github.com/telltale-probe/telltale/probe/schedule"
)

// places makes sure that no two chains are at the same (transport, ip, port) at once: the one would
// be seen as the other's cause. The locks are channels, since they are held over waits on the
// network, and virtual time stands still for who waits on a mutex.
type places struct {
	mu   sync.Mutex
	busy map[schedule.Place]chan struct{}
}

func (ps *places) lock(transport string, ep netip.AddrPort) (unlock func()) {
	key := schedule.Place{Transport: transport, Endpoint: ep}
	ps.mu.Lock()
	if ps.busy == nil {
		ps.busy = map[schedule.Place]chan struct{}{}
	}
	c := ps.busy[key]
	if c == nil {
		c = make(chan struct{}, 1)
		ps.busy[key] = c
	}
	ps.mu.Unlock()
	c <- struct{}{}
	return func() { <-c }
}

package netlab

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Move is what content networks do: a name leads to other edges from now on, and some time later nobody serves it at the
// old ones.
type Move struct {
	Host string
	// Grace is how long the old edges go on serving.
	Grace time.Duration
	// Refuses: then their ports are closed; without it nobody is there any more.
	Refuses bool
	// Kept is how long the ISP's resolver goes on giving the old addresses: some keep answers for longer than they
	// may (RFC 8767 allows it where the name's own servers don't answer).
	Kept time.Duration
	// Renewed: the new edges show certificates with a key of their own.
	Renewed bool
}

// Move gives the edges of a host new addresses, where every name that led to the old ones leads from now on. It returns
// at once; what comes later comes by itself, while the world lasts.
func (w *World) Move(m Move) error {
	old := w.zone.addresses(m.Host)
	if len(old) == 0 {
		return fmt.Errorf("netlab: no host %q can move", m.Host)
	}
	if m.Kept > 0 {
		w.keep(m.Host, old, m.Kept)
	}
	var errs []error
	for i, a := range old {
		from, to, err := w.settle(strings.ToLower(m.Host), a, i, m.Renewed)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		w.zone.renumber(a, to)
		w.later(m.Grace, func() { w.retire(from, m.Refuses) })
	}
	return errors.Join(errs...)
}

// settle starts a machine that serves what the one at an old address serves, at a new one of the same operator's.
func (w *World) settle(host string, old netip.Addr, number int, renewed bool) (from *machine, to netip.Addr, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := slices.IndexFunc(w.machines, func(m *machine) bool { return m.address == old })
	if at < 0 {
		return nil, to, fmt.Errorf("netlab: nothing is at %v any more", old)
	}
	from = w.machines[at]
	if to = w.book.inventIPv6(host); old.Is4() {
		to = w.book.inventIPv4(host, number)
	}
	next := &machine{
		address: to, operator: from.operator, issuer: from.issuer, newcomer: from.newcomer, sites: from.sites, anyHost: from.anyHost,
		tcp: from.tcp, udp: from.udp, clock: from.clock, heard: from.heard, near: from.near, renewed: from.renewed, trouble: from.trouble,
	}
	if renewed {
		next.renewed = time.Now().Add(next.clock)
	}
	if err := next.start(w.network); err != nil {
		return nil, to, errors.Join(err, next.stop())
	}
	w.lay(next)
	w.machines = append(w.machines, next)
	return from, to, nil
}

// retire ends what is at an address.
func (w *World) retire(m *machine, refuses bool) {
	w.mu.Lock()
	w.machines = slices.DeleteFunc(w.machines, func(o *machine) bool { return o == m })
	w.mu.Unlock()
	_ = m.stop() // nobody asks what became of it
	if !refuses {
		w.network.forget(m.address)
	}
}

// keep makes the ISP's resolver give a name's addresses for so long, whatever the name's own servers say.
func (w *World) keep(host string, at []netip.Addr, long time.Duration) {
	name := w.zone.canonical(strings.ToLower(host))
	w.isp.keep(name, at)
	w.later(long, func() { w.isp.keep(name, nil) })
}

// keep gives a canonical name addresses of the resolver's own, or takes them away.
func (r *resolver) keep(name string, at []netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := maps.Clone(r.kept)
	if kept == nil {
		kept = map[string][]netip.Addr{}
	}
	if kept[name] = at; at == nil {
		delete(kept, name)
	}
	r.kept = kept
}

// later does something after a time, unless the world ends first.
func (w *World) later(after time.Duration, do func()) {
	w.moves.Go(func() {
		timer := time.NewTimer(after)
		defer timer.Stop()
		select {
		case <-timer.C:
			do()
		case <-w.alive.Done():
		}
	})
}

package reference

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// The limits, chosen by us. A volunteer who meets a block makes two handshakes one after the other, a
// target over TLS and QUIC at most; several may live behind one address.
const (
	mostOpen     = 64 // connections at the same time
	mostOfClient = 4  // of them, of one client
	mostAMinute  = 30 // that a client begins
	mostClients  = 4096
)

// limits counts who is here. The zero value is ready to use.
type limits struct {
	mu      sync.Mutex
	open    int
	clients map[netip.Prefix]*client
	swept   time.Time // when those who are gone were forgotten last
}

// client is an IPv4 address, or the /64 that an IPv6 household has (RFC 6177).
type client struct {
	open, begun int
	since       time.Time // of begun: a minute is counted from its first
}

// enter takes a place; leave gives it back, once.
func (l *limits) enter(from net.Addr) (leave func(), ok bool) {
	ap, err := netip.ParseAddrPort(from.String())
	if err != nil {
		return nil, false
	}
	key := household(ap.Addr())
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.clients[key]
	if c == nil {
		if l.clients == nil || len(l.clients) >= mostClients && now.Sub(l.swept) >= time.Second {
			l.forget(now)
		}
		if c = (&client{since: now}); len(l.clients) >= mostClients {
			return nil, false
		}
		l.clients[key] = c
	}
	if now.Sub(c.since) >= time.Minute {
		c.begun, c.since = 0, now
	}
	if l.open >= mostOpen || c.open >= mostOfClient || c.begun >= mostAMinute {
		return nil, false
	}
	l.open++
	c.open++
	c.begun++
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.open--
		c.open--
	}), true
}

// forget drops those who have been gone for a minute.
func (l *limits) forget(now time.Time) {
	kept := map[netip.Prefix]*client{}
	for key, c := range l.clients {
		if c.open > 0 || now.Sub(c.since) < time.Minute {
			kept[key] = c
		}
	}
	l.clients, l.swept = kept, now
}

func household(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits) // fails only for a length that the family has not
	return p
}

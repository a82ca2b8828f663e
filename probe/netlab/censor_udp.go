package netlab

import (
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/telltale-probe/telltale/probe/hello"
)

// outward shows a datagram to the boxes. It says where it goes on to, if it does.
func (c *datagramConn) outward(b []byte) (to netip.AddrPort, passes bool) {
	f := c.flow
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return c.remote, false
	}
	if r := f.n.rests(f); r != nil {
		return c.remote, c.act(r, event{}, b)
	}
	for _, e := range f.understand(b) {
		for _, r := range f.n.match(f, e) {
			if r.Action == DNSRedirect {
				return netip.AddrPortFrom(r.Answer[0], 53), true
			}
			if c.expires(r.hop()+1) || !c.act(r, e, b) {
				return c.remote, false
			}
		}
	}
	return c.remote, !c.expires(pathHops)
}

// expires says whether a datagram's hop limit does not take it to a hop, and tells so, as a socket hears that
// asked for a hop limit. A router counts before its filter looks.
func (c *datagramConn) expires(hop int) bool {
	c.hops.Lock()
	defer c.hops.Unlock()
	if c.hops.limit == 0 || c.hops.limit >= hop {
		return false
	}
	c.hops.sender = c.flow.router(c.hops.limit)
	c.inbox.put(arrival{at: time.Now().Add(2 * time.Millisecond), errno: syscall.EHOSTUNREACH})
	return true
}

// SetHopLimit bounds how far datagrams go from now on.
func (c *datagramConn) SetHopLimit(hops int) error {
	c.hops.Lock()
	defer c.hops.Unlock()
	c.hops.limit = hops
	return nil
}

// ErrorSender is the router that sent the last ICMP error.
func (c *datagramConn) ErrorSender() (netip.Addr, bool) {
	c.hops.Lock()
	defer c.hops.Unlock()
	return c.hops.sender, c.hops.sender.IsValid()
}

// refusedAt notes at which router the rule stands that has sent an ICMP error.
func (c *datagramConn) refusedAt(r *Rule) {
	c.hops.Lock()
	defer c.hops.Unlock()
	c.hops.sender = c.flow.router(r.hop())
}

// router is the address of a hop. 203.0.113.0/24 and 2001:db8::/32 are for documentation (RFC 5737, RFC 3849).
func (f *flow) router(hop int) netip.Addr {
	if f.to.Addr().Is4() {
		return netip.AddrFrom4([4]byte{203, 0, 113, byte(hop)})
	}
	return netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 4: 0xff, 15: byte(hop)})
}

// understand is what a datagram shows: that it is one, and what it bears.
func (f *flow) understand(b []byte) []event {
	out := []event{{protocol: UDP}}
	if f.to.Port() == 53 {
		if e := readQuery(b); e.query != nil {
			out = append(out, e)
		}
		return out
	}
	if e, ok := f.initial.look(b); ok {
		out = append(out, e)
	}
	return out
}

// look reads a client's datagram. Each that starts with an Initial of version 1 is an event: one that
// a box has eaten is sent again.
func (i *initialReader) look(b []byte) (event, bool) {
	version, _, _, long := hello.ParseLongHeader(b)
	if !long || version != hello.Version1 || b[0]&0x30 != 0 { // the type of an Initial (RFC 9000, section 17.2.2)
		return event{}, false
	}
	if !i.done {
		i.seen++
		msg, done, err := i.reader.Add(b)
		if i.done = done && err == nil; i.done {
			if h, err := hello.Parse(msg); err == nil {
				i.name = strings.ToLower(h.ServerName)
			}
		}
	}
	return event{protocol: QUIC, name: i.name, large: !i.done || i.seen > 1}, true
}

// act does what a rule says to a datagram, and says whether it passes. The caller holds the flow's lock.
func (c *datagramConn) act(r *Rule, e event, b []byte) (passes bool) {
	f, at := c.flow, c.flow.injected(r)
	switch r.Action {
	case Drop:
		if r.Direction == "in" {
			f.deaf = true
			return true
		}
		// A box that eats a query does not eat the next one's answer, and residual blocking ends.
		f.dead = e.protocol != DNS && e.protocol != ""
	case Reset: // UDP has none: what a firewall's "reject with reset" sends instead
		c.inbox.put(arrival{at: at, errno: syscall.ECONNREFUSED})
	case ICMP:
		if !icmpIsSoft(r.Code) {
			c.refusedAt(r)
			c.inbox.put(arrival{at: at, errno: f.icmp(r.Code)})
		}
	case DNSForge, DNSNXDomain, DNSServfail, DNSRefused, DNSEmpty:
		if answer := r.answer(e.query); answer != nil {
			c.inbox.put(arrival{at: at.Add(r.Delay), data: answer, from: c.remote})
		}
		return r.OnPath
	case QUICVersion:
		if forged, err := hello.ForgeVersionNegotiation(b, 0xff00001d, 0xff00001b); err == nil { // drafts: a client could go on with version 2
			c.inbox.put(arrival{at: at, data: forged, from: c.remote})
		}
		return r.OnPath
	case QUICClose:
		if forged, err := hello.ForgeClose(b, uint64(r.Alert), ""); err == nil {
			c.inbox.put(arrival{at: at, data: forged, from: c.remote})
		}
		f.dead = !r.OnPath
		return r.OnPath
	default:
		return true // what only streams can suffer
	}
	return false
}

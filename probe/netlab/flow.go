package netlab

import (
	"io"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/telltale-probe/telltale/probe"
)

// flow is what the boxes on the path keep of one connection, or of one UDP socket: what they have
// read of it, and what they do to it since.
type flow struct {
	n         *Network
	transport string // "tcp" or "udp"
	to        netip.AddrPort
	link      Link
	born      time.Time

	mu             sync.Mutex
	client, server *conn
	prefix         []byte  // the client's first bytes, until they are understood
	read           bool    // understood, or given up
	dead           bool    // nothing passes any more
	deaf           bool    // nothing comes back any more
	cut            *Rule   // acts on the server's stream after cut.After bytes
	came           int64   // bytes of the server's stream so far
	shown          []byte  // the server's first bytes, while a certificate may come
	certified      bool    // it came, or none will
	stuck          [2]bool // a segment is lost for good, outward and inward: nothing behind it is ever read
	rate           int64   // throttled to, bit/s
	free           [2]time.Time
	late           time.Duration
	lateAt         float64         // where the last box stands that makes it so
	drawn          map[string]bool // what rules with a probability drew for this flow
	initial        initialReader
}

func (n *Network) newFlow(transport string, to netip.AddrPort, l Link) *flow {
	return &flow{n: n, transport: transport, to: to, link: l, born: time.Now(), drawn: map[string]bool{}}
}

// upTo is the time from the vantage to the box of a rule, one way.
func (f *flow) upTo(r *Rule) time.Duration {
	return time.Duration(float64(f.link.Latency) * r.position())
}

// injected is when something arrives at the vantage that the box sends in answer to what leaves now. Where a box
// nearer to the vantage delays the flow, both pass it. The caller holds the flow's lock.
func (f *flow) injected(r *Rule) time.Time {
	at := time.Now().Add(2 * f.upTo(r))
	if r.position() > f.lateAt {
		at = at.Add(2 * f.late)
	}
	return at
}

// path is the flow's link, with what rules have made of it.
func (f *flow) path() Link {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.link
}

// icmp is what a socket of this flow gets from an ICMP destination unreachable. ICMPv6 has one code for
// all that is prohibited (RFC 4443, section 3.1), and Linux calls it EACCES (icmpv6_err_convert).
func (f *flow) icmp(code int) syscall.Errno {
	if f.to.Addr().Is6() && (code == 9 || code == 10 || code == 13) {
		return syscall.EACCES
	}
	return icmpErrno(code)
}

// unreached tells who sent an ICMP error: the router at which the rule stands, or the server itself at the end of
// the path.
func (f *flow) unreached(r *Rule, err error, own netip.Addr) error {
	e := &probe.Unreached{Err: err, Type: 3, Code: r.Code, Sender: f.router(r.hop()), Local: own}
	switch {
	case r.position() >= 1:
		e.Sender = f.to.Addr()
	case r.position() < atHome:
		if home, err := own.Prefix(homeBits(own)); err == nil {
			e.Sender = home.Addr().Next() // as most routers have it
		}
	}
	if f.to.Addr().Is6() {
		e.Type, e.Code = 1, icmp6Code(r.Code)
	}
	return e
}

// atHome is how near a box stands that is the home's own router: one that is an operator's first stands at a tenth.
const atHome = 0.05

// homeBits are those of a home's network (RFC 6177, section 2, for IPv6).
func homeBits(own netip.Addr) int {
	if own.Is4() {
		return 24
	}
	return 64
}

// icmp6Code is what ICMPv6 has in place of a code of ICMP's (RFC 792, RFC 1812; RFC 4443, section 3.1).
func icmp6Code(code int) int {
	switch code {
	case 1:
		return 3
	case 3:
		return 4
	case 9, 10, 13:
		return 1
	}
	return 0
}

func (f *flow) kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = true
}

// carry takes bytes of one end to the other, as far as the boxes let them.
func (f *flow) carry(c *conn, part []byte) {
	c.mu.Lock()
	f = c.flow
	out := c.out
	c.mu.Unlock()
	if c.client {
		passes := f.outward(part)
		if passes {
			f.deliver(outward, out, part)
		}
		c.acknowledge(f, passes, len(part))
		return
	}
	f.inward(out, part)
}

// acknowledge counts what arrives, where its acknowledgement comes back: all that passes, but what the line swallows,
// and what goes to a box that has taken the connection over.
func (c *conn) acknowledge(f *flow, passes bool, size int) {
	c.mu.Lock()
	taken := c.flow != f
	c.mu.Unlock()
	f.mu.Lock()
	lost := !passes && !taken || f.deaf || f.stuck[outward]
	f.mu.Unlock()
	if lost {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acked += size
}

// outward reads the client's first bytes as a box would, and says whether they pass.
func (f *flow) outward(part []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended() {
		return false
	}
	if f.read {
		return true
	}
	f.prefix = append(f.prefix, part...)
	e, enough := readStream(f.to.Port(), f.prefix)
	if !enough {
		return true
	}
	f.read = true
	if e.protocol == "" {
		return true
	}
	for _, r := range f.n.match(f, e) {
		if !f.act(r, e) {
			return false
		}
	}
	return true
}

// inward passes the server's bytes, up to where a rule cuts.
func (f *flow) inward(out *half, part []byte) {
	f.mu.Lock()
	if f.ended() || f.deaf {
		f.mu.Unlock()
		return
	}
	if r, passes := f.meetsCertificate(part); r != nil {
		f.dead = true
		f.mu.Unlock()
		if at := f.deliver(inward, out, part[:passes]); r.Action == Reset {
			out.finish(syscall.ECONNRESET, at)
		}
		return
	}
	r := f.cut
	if r != nil && f.came+int64(len(part)) > r.After {
		part = part[:max(r.After-f.came, 0)]
		f.dead = true
	} else {
		r = nil
	}
	f.came += int64(len(part))
	f.mu.Unlock()
	at := f.deliver(inward, out, part)
	if r == nil {
		return
	}
	switch r.Action {
	case CutReset:
		out.finish(syscall.ECONNRESET, at)
	case CutClose:
		out.finish(io.EOF, at)
	}
}

// deliver puts bytes on the way, segment by segment.
func (f *flow) deliver(direction int, out *half, part []byte) time.Time {
	at, link := time.Now(), f.path()
	for len(part) > 0 {
		seg := part[:min(len(part), segmentSize)]
		part = part[len(seg):]
		if f.sticks(direction, link, len(seg)) {
			return at
		}
		sent, room := f.n.transmit(direction, link, len(seg))
		at = f.throttled(direction, sent, len(seg)).Add(f.n.delay(link) + f.n.retransmissions(link))
		if !room {
			at = at.Add(leastRTO) // a queue that was full drops it; TCP sends it again
		}
		out.put(seg, at)
	}
	return at
}

// sticks says whether a segment, or one before it, is too large for the line.
func (f *flow) sticks(direction int, link Link, size int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stuck[direction] = f.stuck[direction] || link.swallows(direction, size)
	return f.stuck[direction]
}

// silent says whether an end that would be told now is heard by the other side.
func (f *flow) silent(c *conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended() || f.deaf && !c.client || f.stuck[c.direction()]
}

// throttled is when a segment has passed the boxes that limit or delay this flow.
func (f *flow) throttled(direction int, at time.Time, size int) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	at = at.Add(f.late)
	if f.rate == 0 {
		return at
	}
	if f.free[direction].After(at) {
		at = f.free[direction]
	}
	at = at.Add(bits(size, f.rate))
	f.free[direction] = at
	return at
}

// finish sends one end's FIN, or reset, to the other.
func (f *flow) finish(c *conn, out *half, end error) {
	c.mu.Lock()
	f = c.flow
	c.mu.Unlock()
	if f.silent(c) {
		return
	}
	at := time.Now().Add(f.n.delay(f.path()))
	out.finish(end, at)
}

// act does what a rule says to a stream that has just shown its trigger, and says whether the
// trigger passes. The caller holds the flow's lock.
func (f *flow) act(r *Rule, e event) (passes bool) {
	if r.Action == Drop && r.Direction == "in" {
		f.deaf = true
		return true
	}
	in, at := f.client.in, f.injected(r)
	switch r.Action {
	case Intercept, Imposter:
		f.intercept(r)
		return false
	case DNSForge, DNSNXDomain, DNSServfail, DNSRefused, DNSEmpty:
		if answer := r.answer(e.query); answer != nil {
			in.put(append([]byte{byte(len(answer) >> 8), byte(len(answer))}, answer...), at.Add(r.Delay))
		}
		return r.OnPath
	case Reset:
		in.finish(syscall.ECONNRESET, at)
	case Close:
		in.finish(io.EOF, at)
	case AlertAction:
		in.put([]byte{21, 3, 3, 0, 2, 2, byte(r.Alert)}, at) // a fatal alert record (RFC 8446, section 6)
		in.finish(io.EOF, at)
	case Page:
		in.put([]byte(r.Page), at)
		in.finish(io.EOF, at)
	}
	f.dead = true
	if f.server != nil && r.Action != Drop && r.Action != ICMP {
		f.server.in.finish(syscall.ECONNRESET, time.Now().Add(f.link.Latency))
	}
	return false
}

// syn asks the boxes about a connection's first packet: nil lets it pass.
func (f *flow) syn() *Rule {
	if r := f.n.rests(f); r != nil {
		return r
	}
	found := f.n.match(f, event{protocol: TCP})
	if len(found) == 0 {
		return nil
	}
	if r := found[0]; r.Direction != "in" { // the only one: nothing races a SYN
		return r
	}
	return &Rule{Action: Drop}
}

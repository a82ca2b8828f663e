package netlab

import (
	"net/netip"
	"time"
)

// Link is one stretch of a path. The zero value costs nothing.
type Link struct {
	Latency time.Duration // one way
	Jitter  time.Duration // up to so much more, one way, drawn for each packet
	Loss    float64       // share of packets lost, each way
	Burst   time.Duration // of the access line: losses come in bursts that last so long on average; 0: each packet by itself
	Rate    int64         // bit/s each way; 0 = unlimited

	// MTU is the largest payload of a packet that the access line takes, without a word about larger ones;
	// 0: all that Ethernet does. TCP then sends the lost segment again and again, in vain.
	MTU int
	// MTUDirection says which way: "out", "in", or "" for both.
	MTUDirection string

	// Full is the share of new flows for which a translator of addresses in the access line has no room: their
	// packets are dropped. DNS is let through, as to a resolver that stands before the translator.
	Full float64

	bursty float64 // share lost in bursts, of a whole path
	box    *lossy  // on the way, that loses packets of its own; nil for none

	near, far *queue // what waits before the access line, and before the path behind it; nil where nothing does
}

// lossy is a box that loses a share of what passes it in a span of time, of flows that were begun before it too; a
// segment that is sent again later passes. A zero until: it never ends.
type lossy struct {
	share       float64
	from, until time.Time
	next        *lossy // another box
}

// queue is one stretch's two transmitters, each with a drop-tail buffer before it. A stretch has its
// own, so that one server's slow path does not fill the volunteer's line.
type queue struct {
	rate int64
	free [2]time.Time // when a transmitter is free again, outward and inward
}

// Direction of a packet, seen from the vantage.
const (
	outward = 0
	inward  = 1
)

const (
	// segmentSize is the payload of a full TCP segment on an Ethernet path (RFC 6691).
	segmentSize = 1460
	// synSize is a SYN with Linux' options, and its headers.
	synSize = 60
	// synTimeout is the first retransmission timeout of a SYN (RFC 6298, section 2).
	synTimeout = time.Second
	// leastRTO is Linux' lower bound of the retransmission timeout (RFC 6298 says one second; TCP_RTO_MIN is 200 ms).
	leastRTO = 200 * time.Millisecond
	// mostSYNs and mostRTO are where Linux gives up (tcp_syn_retries = 6, tcp_retries2 = 15, TCP_RTO_MAX).
	mostSYNs, mostSends, mostRTO = 7, 15, 2 * time.Minute
	// longestQueue is how long a packet may wait for a slow transmitter before a drop-tail queue
	// drops it: half a second, as home routers' buffers go.
	longestQueue = 500 * time.Millisecond
)

// SetAccess sets the volunteer's own line, a part of every path. Connections that are open keep its
// old latency and loss; its rate holds for them too.
func (n *Network) SetAccess(l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l.near, l.far = n.line, nil
	l.near.rate = l.Rate
	n.access = l
}

// SetPath sets the path behind the access line to a prefix; the longest prefix that fits counts. All
// servers of a prefix share its rate.
func (n *Network) SetPath(prefix netip.Prefix, l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l.near, l.far = nil, nil
	if l.Rate > 0 {
		l.far = &queue{rate: l.Rate}
	}
	n.paths[prefix] = l
}

// path is the whole way to an address: latencies add up, losses combine, and the slower rate counts.
func (n *Network) path(to netip.Addr) Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	var l Link
	if own, ok := n.paths[netip.PrefixFrom(to, to.BitLen())]; ok {
		l = own // no prefix is longer
	} else {
		best := -1
		for prefix, beyond := range n.paths {
			if prefix.Bits() > best && prefix.Contains(to) {
				best, l = prefix.Bits(), beyond
			}
		}
	}
	a := n.access
	p := Link{
		Latency: a.Latency + l.Latency, Jitter: a.Jitter + l.Jitter,
		Loss: 1 - (1-a.Loss)*(1-l.Loss), Rate: slower(a.Rate, l.Rate),
		MTU: a.MTU, MTUDirection: a.MTUDirection,
		near: n.line, far: l.far,
	}
	if a.Burst > 0 {
		p.Loss, p.bursty, p.Burst = l.Loss, a.Loss, a.Burst
	}
	return p
}

// swallows says whether a packet is too large for the line.
func (l Link) swallows(direction, size int) bool {
	if l.MTU == 0 || size <= l.MTU {
		return false
	}
	return l.MTUDirection == "" || l.MTUDirection == [2]string{"out", "in"}[direction]
}

// hasRoom says whether the translator of the access line takes a new flow. Those that it does not take are
// spread evenly, so that a scenario does not hang on the dice.
func (n *Network) hasRoom(to netip.AddrPort) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.access.Full == 0 || to.Port() == 53 {
		return true
	}
	n.mapped++
	return int(float64(n.mapped)*n.access.Full) == int(float64(n.mapped-1)*n.access.Full)
}

func slower(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// delay draws one way's time.
func (n *Network) delay(l Link) time.Duration {
	if l.Jitter <= 0 {
		return l.Latency
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return l.Latency + time.Duration(n.rnd.Int64N(int64(l.Jitter)))
}

// queues are the transmitters that a packet passes, in their order.
func (l Link) queues(direction int) [2]*queue {
	if direction == outward {
		return [2]*queue{l.near, l.far}
	}
	return [2]*queue{l.far, l.near}
}

// transmit gives the time at which size bytes have left the last transmitter on the way, and whether
// they found room before each.
func (n *Network) transmit(direction int, l Link, size int) (at time.Time, ok bool) {
	at = time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, q := range l.queues(direction) {
		if q == nil || q.rate == 0 {
			continue
		}
		free := later(q.free[direction], at)
		if free.Sub(at) > longestQueue {
			return free, false
		}
		at = free.Add(bits(size, q.rate))
		q.free[direction] = at
	}
	return at, true
}

// roomAt is when a sender that watches its losses sends on: TCP fills half of a queue and then goes
// by the answers, so that datagrams find a queue that is long and not full.
func (n *Network) roomAt(direction int, l Link) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	var at time.Time
	for _, q := range l.queues(direction) {
		if q != nil && q.rate > 0 {
			at = later(at, q.free[direction].Add(-longestQueue/2))
		}
	}
	return at
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// bits is the time that size bytes take at a rate.
func bits(size int, rate int64) time.Duration {
	return time.Duration(float64(size) * 8 / float64(rate) * float64(time.Second))
}

// retransmissions is how much later a segment arrives that is lost now and then. On a path that loses
// everything that is a quarter of an hour, when Linux would have given up.
func (n *Network) retransmissions(l Link) (late time.Duration) {
	rto := max(leastRTO, 2*l.Latency+l.Jitter)
	for sent := 1; sent < mostSends && n.loses(l, time.Now().Add(late)); sent++ {
		late += rto
		rto = min(2*rto, mostRTO)
	}
	return late
}

// handshake is how long a SYN and its answer take: a round trip, and a second, three, seven … more
// for those that are lost (RFC 6298, section 5.5). ok is false where Linux gives up before.
func (n *Network) handshake(l Link) (took time.Duration, ok bool) {
	rto := synTimeout
	for range mostSYNs {
		left, room := n.transmit(outward, l, synSize)
		if at := time.Now().Add(took); room && !n.loses(l, at) && !n.loses(l, at) {
			return took + time.Until(left) + n.delay(l) + n.delay(l), true
		}
		took += rto
		rto *= 2
	}
	return took, false
}

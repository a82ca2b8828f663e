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
	Rate    int64         // bit/s each way; 0 = unlimited
}

// Direction of a packet, seen from the vantage.
const (
	outward = 0
	inward  = 1
)

const (
	// segmentSize is the payload of a full TCP segment on an Ethernet path (RFC 6691).
	segmentSize = 1460
	// synTimeout is the first retransmission timeout of a SYN (RFC 6298, section 2).
	synTimeout = time.Second
	// leastRTO is Linux' lower bound of the retransmission timeout (RFC 6298 says one second; TCP_RTO_MIN is 200 ms).
	leastRTO = 200 * time.Millisecond
	// longestQueue is how long a packet may wait for a slow transmitter before a drop-tail queue
	// drops it: half a second, as home routers' buffers go.
	longestQueue = 500 * time.Millisecond
)

// SetAccess sets the volunteer's own line, a part of every path.
func (n *Network) SetAccess(l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.access = l
}

// SetPath sets the path behind the access line to a prefix; the longest prefix that fits counts.
func (n *Network) SetPath(prefix netip.Prefix, l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.paths[prefix] = l
}

// path is the whole way to an address: latencies add up, losses combine, the slower rate counts.
func (n *Network) path(to netip.Addr) Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	l, found := n.paths[netip.PrefixFrom(to, to.BitLen())]
	for best, prefix := -1, (netip.Prefix{}); !found; {
		for p := range n.paths {
			if p.Contains(to) && p.Bits() > best {
				best, prefix = p.Bits(), p
			}
		}
		l, found = n.paths[prefix], true
	}
	a := n.access
	return Link{Latency: a.Latency + l.Latency, Jitter: a.Jitter + l.Jitter, Loss: 1 - (1-a.Loss)*(1-l.Loss), Rate: slower(a.Rate, l.Rate)}
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

// transmit gives the time at which size bytes have left the access line's transmitter, and whether
// they found room in its queue.
func (n *Network) transmit(direction int, l Link, size int) (at time.Time, ok bool) {
	now := time.Now()
	if l.Rate == 0 {
		return now, true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	at = n.free[direction]
	if at.Before(now) {
		at = now
	}
	if at.Sub(now) > longestQueue {
		return at, false
	}
	at = at.Add(bits(size, l.Rate))
	n.free[direction] = at
	return at, true
}

// bits is the time that size bytes take at a rate.
func bits(size int, rate int64) time.Duration {
	return time.Duration(float64(size) * 8 / float64(rate) * float64(time.Second))
}

// retransmissions is how much later a segment arrives that is lost now and then.
func (n *Network) retransmissions(l Link) time.Duration {
	rto, late := max(leastRTO, 2*l.Latency+l.Jitter), time.Duration(0)
	for n.chance(l.Loss) && late < 2*time.Minute {
		late += rto
		rto *= 2
	}
	return late
}

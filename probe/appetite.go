package probe

import "github.com/telltale-probe/telltale/probe/app"

// appetite is how much of what a peer sends is read. The zero value takes everything.
type appetite struct {
	sip     int // how much is asked of the network at once; 0: as much as the reader takes
	left    int // how much may still go both ways before no more is read, where that is bounded
	under   int // of it, what is being written now
	bounded bool
	full    bool // the bound was met
}

// sipBytes is a sip. Chosen by us: a quarter of a segment.
const sipBytes = 320

// mostOfExchange is what an app's own exchange may take on its connection, both ways: 3 kB on the wire, less the
// headers of ten segments of 72 bytes, with IPv6 and timestamps, and what we say in closing. Inside TLS it is somewhat
// less, as package app counts it.
const mostOfExchange = 3000 - 10*72 - 160

// errBound is our own doing: the rest is not wanted.
func errBound() error { return &app.NotSpoken{Reason: "more than we read"} }

// sip makes the connection ask the network for little at a time. crypto/tls else asks for as much as its buffer takes,
// also where it wants a record's last bytes, and what it does not want has come all the same.
func (c *Conn) sip() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hunger.sip = sipBytes
}

// boundFrom lets the connection carry what an app's exchange may take, counted from what it had carried before; reads
// fail afterwards.
func (c *Conn) boundFrom(before Traffic) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hunger.bounded, c.hunger.full = true, false
	c.hunger.left = mostOfExchange - int(c.seen.Sent-before.Sent+c.seen.Received-before.Received)
}

// full says whether the bound was met.
func (c *Conn) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hunger.full
}

// room is how many of so many bytes may be asked of the network now.
func (c *Conn) room(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hunger.sip > 0 {
		n = min(n, c.hunger.sip)
	}
	if c.hunger.bounded && n > 0 {
		n = min(n, max(c.hunger.left-c.hunger.under, 0))
		c.hunger.full = c.hunger.full || n == 0
	}
	return n
}

package probe

import (
	"net"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// hopLimited is a connection that tells the hop limit with which a datagram came (IPv4: its TTL); an
// emulated one may be. 0 is "not known".
type hopLimited interface {
	ReadHopLimit(b []byte) (n, hops int, err error)
}

// watchHops has the kernel tell the hop limit of each datagram from now on, where it can: Linux and the BSDs
// do (IP_RECVTTL, ip(7); IPV6_RECVHOPLIMIT, RFC 3542, section 6.3), Windows does not. It is called before
// the first Read.
func (c *Conn) watchHops() {
	switch inner := c.Conn.(type) {
	case hopLimited:
		c.withHops = inner.ReadHopLimit
	case *net.UDPConn:
		c.withHops = socketHops(inner, c.endpoint.Addr().Is4())
	}
}

// socketHops is nil where the kernel does not tell.
func socketHops(conn *net.UDPConn, v4 bool) func([]byte) (int, int, error) {
	if v4 {
		p := ipv4.NewPacketConn(conn)
		if p.SetControlMessage(ipv4.FlagTTL, true) != nil {
			return nil
		}
		return func(b []byte) (int, int, error) {
			n, told, _, err := p.ReadFrom(b)
			if told == nil {
				return n, 0, err
			}
			return n, told.TTL, err
		}
	}
	p := ipv6.NewPacketConn(conn)
	if p.SetControlMessage(ipv6.FlagHopLimit, true) != nil {
		return nil
	}
	return func(b []byte) (int, int, error) {
		n, told, _, err := p.ReadFrom(b)
		if told == nil {
			return n, 0, err
		}
		return n, told.HopLimit, err
	}
}

// read reads from the network, with the hop limit where that is known.
func (c *Conn) read(b []byte) (n, hops int, err error) {
	if c.withHops != nil {
		return c.withHops(b)
	}
	n, err = c.Conn.Read(b)
	return n, 0, err
}

// lastHops is the hop limit of the datagram that was read last; 0 where it is not known.
func (c *Conn) lastHops() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hops
}

package measurements

import "fmt"

// ICMPError is the "destination unreachable" that came in answer to a step, where the platform tells of it (Linux,
// IP_RECVERR). It holds no address: a router's tells where the volunteer lives.
type ICMPError struct {
	// Type and Code are those of the message: 3 and RFC 792's and RFC 1812's over IPv4, 1 and RFC 4443's over IPv6.
	Type   int    `json:"type"`
	Code   int    `json:"code"`
	Sender string `json:"sender"` // a word below
}

// Who sent an ICMP error.
const (
	ICMPServer  = "server"  // the address that was asked
	ICMPHome    = "home"    // this machine, or a router of its own network
	ICMPPrivate = "private" // a router with a private address: the home's, or one of a provider that uses them as well
	ICMPPath    = "path"    // anybody else
)

var icmpSenders = []string{ICMPServer, ICMPHome, ICMPPrivate, ICMPPath}

// check refuses what can't come from us. RFC 792 and RFC 4443 give a code eight bits.
func (e *ICMPError) check() error {
	switch {
	case e == nil:
		return nil
	case e.Type < 0 || e.Type > 255 || e.Code < 0 || e.Code > 255:
		return fmt.Errorf(".icmp: type %d and code %d are out of bounds", e.Type, e.Code)
	}
	return word(".icmp.sender", e.Sender, icmpSenders)
}

// ICMP says two things by one message. That there is no way is a router's word on routing, and nobody's will: an app
// that withdraws its routes, as Meta's did in October 2021, is "unreachable" to every router. That something is
// prohibited is somebody's will (RFC 1812, section 5.2.7.1; RFC 4443, section 3.1); and that a port is closed is for
// the server to say, which says it with a reset (RFC 9293, section 3.10.7).

// prohibits says whether the message speaks of will: that of somebody who administers the way.
func (e *ICMPError) prohibits() bool {
	if e == nil {
		return false
	}
	if e.Type == icmp6Unreachable {
		return e.Code == 1 || e.Code == 5 || e.Code == 6
	}
	return e.Code == 9 || e.Code == 10 || e.Code == 13
}

// closes says whether it says that the port is closed.
func (e *ICMPError) closes() bool {
	if e == nil {
		return false
	}
	return e.Type == icmp6Unreachable && e.Code == 4 || e.Type == icmp4Unreachable && e.Code == 3
}

// routes says whether it is about routing alone.
func (e *ICMPError) routes() bool { return e != nil && !e.prohibits() && !e.closes() }

// The types of "destination unreachable".
const (
	icmp4Unreachable = 3 // RFC 792
	icmp6Unreachable = 1 // RFC 4443, section 3.1
)

// fromARouter says whether a connect met the will of somebody who is neither the server nor at home: a router that
// prohibits it, or that says of a port, in the server's place, that it is closed. One that is as far away as the
// server may be the server's own.
func (c *Case) fromARouter() bool {
	e := c.T.ICMP
	if c.T.Operation != Connect || e == nil || e.Sender != ICMPPath || !e.prohibits() && !e.closes() {
		return false
	}
	least, known := c.view.leastRTT(c.Addr())
	return !known || float64(c.T.Duration) < resetNearer*float64(least)
}

// pathReason says why a failure is evidence from the path; "" where it is not.
func (c *Case) pathReason() string {
	switch {
	case !c.FromThePath():
		return ""
	case c.T.ICMP.prohibits():
		return fmt.Sprintf("a router on the way, which is not the server, says that it is prohibited (ICMP type %d, code %d)", c.T.ICMP.Type, c.T.ICMP.Code)
	case c.T.ICMP.closes():
		return "a router on the way, which is not the server, says that the port is closed"
	}
	return "the answer came faster than the server can be reached"
}

package probe

import (
	"errors"
	"net/netip"

	"github.com/telltale-probe/telltale/measurements"
)

// Unreached is the error of a dial in whose course ICMP said that the destination can't be reached, where the
// platform tells who said so. It reads as the error that it wraps.
type Unreached struct {
	Err error
	// Type and Code are those of the message: 3 and RFC 792's and RFC 1812's, or 1 and RFC 4443's.
	Type, Code int
	// Sender is whoever sent it, and Local our own address: they are compared, and never kept.
	Sender, Local netip.Addr
}

func (e *Unreached) Error() string { return e.Err.Error() }

// Unwrap gives the dial's own error.
func (e *Unreached) Unwrap() error { return e.Err }

// icmpOf is what ICMP said in the course of a step; nil where it said nothing, or nobody tells.
func icmpOf(err error, to netip.Addr) *measurements.ICMPError {
	e, ok := errors.AsType[*Unreached](err)
	if !ok || !e.Sender.IsValid() {
		return nil
	}
	return &measurements.ICMPError{Type: e.Type, Code: e.Code, Sender: sender(e.Sender.Unmap(), to.Unmap(), e.Local.Unmap())}
}

// homeBits4 and homeBits6 are how much of our own address the home's router has in common with it: a home's network
// is a /24 as a rule, and a provider delegates no less than a /56 (RFC 6177, section 2).
const homeBits4, homeBits6 = 24, 56

// sender says in a word who an ICMP error is from.
func sender(who, server, own netip.Addr) string {
	bits := homeBits4
	if who.Is6() {
		bits = homeBits6
	}
	home, err := own.Prefix(bits)
	switch {
	case who == server:
		return measurements.ICMPServer
	case who.IsLoopback() || who.IsLinkLocalUnicast() || err == nil && own.IsValid() && home.Contains(who):
		return measurements.ICMPHome
	case who.IsPrivate():
		return measurements.ICMPPrivate
	}
	return measurements.ICMPPath
}

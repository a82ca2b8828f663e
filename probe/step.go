package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/telltale-probe/telltale/measurements"
)

// mostError bounds an error's text, into which net/http and quic-go put what a peer has sent. Chosen by us.
const mostError = 1 << 10

// step is an observation in the making: what all steps have in common.
type step struct {
	o    measurements.Observation
	ep   netip.AddrPort
	base Traffic // of the connection when the step began
}

// begin starts a step. transport is a word of Observation.Transport.
func begin(op measurements.Operation, transport string, ep netip.AddrPort, name string) *step {
	ep = netip.AddrPortFrom(ep.Addr().Unmap(), ep.Port())
	return &step{ep: ep, o: measurements.Observation{
		Operation: op, Transport: transport, Family: measurements.FamilyOf(ep.Addr()),
		Endpoint: ep.String(), Name: name, Started: time.Now(),
	}}
}

// beginOn starts a step on a connection that may have carried something before.
func beginOn(op measurements.Operation, transport string, conn *Conn, name string) *step {
	s := begin(op, transport, conn.endpoint, name)
	s.base = conn.Traffic()
	return s
}

// stop takes the time, where there is something left to do before the step can end.
func (s *step) stop() {
	if s.o.Duration == 0 {
		s.o.Duration = measurements.Seconds(time.Since(s.o.Started))
	}
}

// end completes the observation. conn is nil where none came to be; err is nil for success.
func (s *step) end(conn *Conn, err error) measurements.Observation {
	s.stop()
	var local net.Addr
	if conn != nil {
		t := conn.Traffic()
		s.o.Sent, s.o.Received = t.Sent-s.base.Sent, t.Received-s.base.Received
		if !conn.datagrams {
			s.o.TCP = conn.tcpInfo()
		}
		local = conn.LocalAddr()
		s.o.LocalPort = portOf(local)
		err = s.cause(err, t.Err)
	}
	if err != nil {
		s.o.ICMP = icmpOf(err, s.ep.Addr())
		s.o.Error = scrubExcept(scrub(err.Error(), local), s.ep.Addr())
		s.o.Error = strings.ToValidUTF8(s.o.Error[:min(len(s.o.Error), mostError)], "")
		s.o.Failure = classify(s.o.Operation, err)
		if s.o.Failure.IsUnknown() {
			s.o.Failure = measurements.Unknown(s.o.Error)
		}
	}
	return s.o
}

// cause gives the first error of a connection where the step's own is no more than an echo of it: a
// socket tells its error once, to whoever reads or writes first.
func (s *step) cause(err, first error) error {
	if err != nil && first != nil && classify(s.o.Operation, err) == measurements.ConnectionClosed {
		return first
	}
	return err
}

// quicInfo counts the datagrams of this step.
func (s *step) quicInfo(conn *Conn) *measurements.QUICInfo {
	if conn == nil {
		return &measurements.QUICInfo{}
	}
	t := conn.Traffic()
	return &measurements.QUICInfo{DatagramsSent: t.Writes - s.base.Writes, DatagramsReceived: t.Reads - s.base.Reads}
}

// portOf is the port of one of our own addresses; 0 where it has none.
func portOf(a net.Addr) uint16 {
	if a == nil {
		return 0
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return 0
	}
	return ap.Port()
}

// ended gives the context's own error in place of what its end did to a connection.
func ended(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	var t interface{ Timeout() bool }
	cancelled, ok := errors.AsType[*http3.Error](err)
	switch {
	case errors.Is(err, net.ErrClosed), errors.As(err, &t) && t.Timeout(), ok && !cancelled.Remote:
		return ctx.Err()
	}
	return err
}

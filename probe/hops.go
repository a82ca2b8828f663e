package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/deadline"
)

const (
	// mostHops bounds a scan; paths on the internet rarely have more (CAIDA's traceroutes: 30 is the
	// customary limit, few pass 25).
	mostHops = 24
	// hopPause is the time between two hellos, as CenTrace keeps it: a scan must not look like a flood.
	hopPause = 3 * time.Second
	// hopWait is how long one hello is waited for. Chosen by us: several round trips, and less than a
	// step, since most hellos of a scan expire on purpose.
	hopWait = 2 * time.Second
	// usualLimit is what a host sends with (RFC 1700; Linux and BSD).
	usualLimit = 64
	// silentHops ends a scan in which the neutral hello is answered: the target's may be late by so many.
	silentHops = 1
)

// errHops is said where the platform does not tell.
var errHops = errors.New("hop limits can't be measured on this system")

// Hops looks for the place on the path at which a TLS handshake with a name dies. Each hello is one
// segment on a connection of its own, with a hop limit set after the TCP handshake; a neutral hello
// goes before each of the target's. It ends with the first of the target's that meets anything, or
// once the server has answered the neutral one. It takes a minute; ctx ends it, and what was seen until
// then is returned.
//
// Nothing before the place triggers anything, so that a scan causes one failure, as a visit does. The
// server sees some connections that say nothing or little.
func (h Host) Hops(ctx context.Context, ep netip.AddrPort, name, neutral string) measurements.HopScan {
	scan := measurements.HopScan{Endpoint: ep.String(), Family: measurements.FamilyOf(ep.Addr()), Name: name}
	if h.Dial != nil {
		scan.Unsupported = errHops.Error()
		return scan
	}
	near := true // the routers so far are at home, or the carrier's
	answered := 0
	for limit := 1; limit <= mostHops && ctx.Err() == nil; limit++ {
		if near {
			near = h.router(ctx, ep, limit, &scan)
		}
		n, err := h.hello(ctx, ep, neutral, limit)
		if err != nil {
			scan.Unsupported = err.Error()
			return scan
		}
		if scan.Server == 0 && n == fateAnswered {
			scan.Server = limit
		}
		t, err := h.hello(ctx, ep, name, limit)
		if err != nil {
			scan.Unsupported = err.Error()
			return scan
		}
		if failure := t.failure(n); failure != "" {
			scan.Failure, scan.Dies = failure, limit
			return scan
		}
		if t == fateAnswered || scan.Server > 0 {
			if answered++; answered > silentHops {
				return scan
			}
		}
		wait(ctx, hopPause)
	}
	return scan
}

// fate is what became of a hello.
type fate string

const (
	fateExpired  fate = "expired"  // a router said that its hop limit was reached
	fateSilent   fate = "silent"   // nothing came
	fateReset    fate = "reset"    // the connection was reset
	fateClosed   fate = "closed"   // … or closed
	fateAnswered fate = "answered" // bytes came
)

// failure is what the target's hello met that the neutral one did not; "" where nothing. Silence is a
// fate only where the neutral hello, with the same hop limit, was told to have expired or was answered:
// then the target's was neither dropped by its age nor by a mute router.
func (f fate) failure(neutral fate) measurements.Failure {
	switch {
	case f == neutral:
		return ""
	case f == fateReset:
		return measurements.ConnectionReset
	case f == fateClosed:
		return measurements.EOF
	case f == fateSilent && (neutral == fateExpired || neutral == fateAnswered):
		return measurements.Timeout
	}
	return ""
}

// router asks who is at a hop, by a SYN, and counts it if it is one of the home's or of a carrier's
// NAT. It says whether the next one may be, too. A router that keeps silent ends the count.
func (h Host) router(ctx context.Context, ep netip.AddrPort, limit int, scan *measurements.HopScan) bool {
	who, ok := synTo(ctx, ep, limit)
	switch {
	case !ok:
		return false
	case who.IsPrivate() || who.IsLinkLocalUnicast():
		scan.Home++
		return scan.Access == 0
	case sharedSpace.Contains(who.Unmap()):
		scan.Access++
		return true
	}
	return false
}

// hello connects, lowers the hop limit, sends a ClientHello of one segment and waits. An error says
// that the system can't do it, or that the connect failed: then nothing can be said.
func (h Host) hello(ctx context.Context, ep netip.AddrPort, name string, limit int) (fate, error) {
	dctx, cancel := context.WithTimeout(ctx, 2*hopWait)
	defer cancel()
	conn, err := h.open(dctx, "tcp", ep)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := setHopLimit(conn.Conn, ep.Addr(), limit); err != nil {
		return "", err
	}
	// In the end the server hears of a reset, and not of a hello that is sent again with the full limit.
	if tcp, ok := conn.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
		defer func() { _ = setHopLimit(conn.Conn, ep.Addr(), usualLimit) }()
	}
	_ = conn.SetDeadline(time.Now().Add(hopWait))
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(deadline.Past) })
	defer stop()
	// Nothing is verified: who answers is no question here, and nothing is said to whoever does.
	in := TLSInput{Name: name, Shape: measurements.Small, ALPN: alpn}
	_ = tls.Client(conn, in.config(&shown{}, tls.VersionTLS12)).Handshake() // its error says less than the bytes
	return fateOf(conn), nil
}

// fateOf reads what a connection has seen since its hello.
func fateOf(conn *Conn) fate {
	t := conn.Traffic()
	if t.Received > 0 {
		return fateAnswered
	}
	switch classify(measurements.TLSHandshake, t.Err) {
	case measurements.ConnectionReset:
		return fateReset
	case measurements.EOF:
		return fateClosed
	}
	if expired(conn.Conn) {
		return fateExpired
	}
	return fateSilent
}

// wait sleeps for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

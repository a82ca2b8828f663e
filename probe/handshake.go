package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/app"
)

// MTProto measures Telegram's first exchange on a connection that has carried nothing yet: a *Conn, or a
// WebSocket. name is that of the host, if it has one. No account, no key and no name is made, sent or kept.
//
// It fails when the connection dies (reset, EOF, timeout), with app_not_spoken when the answer is no MTProto,
// with app_refused when it is an error of MTProto's transport, and with app_imposter when the peer speaks
// MTProto and does not prove itself. It closes conn. core.telegram.org/mtproto/auth_key.
func MTProto(ctx context.Context, conn net.Conn, name string, in app.MTProtoInput) measurements.Observation {
	return handshake(ctx, conn, name, func(h *measurements.Handshake) error {
		h.Protocol, h.Arm = measurements.MTProto, string(in.Transport)
		a, err := app.MTProto(ctx, conn, in)
		h.Key, h.Unknown = a.Fingerprint, a.Fingerprints > 0 && a.Fingerprint == ""
		switch {
		case a.Identity:
			h.Proof = measurements.ProvedIdentity
		case a.Nonce && a.Fingerprint != "":
			h.Proof = measurements.ProvedProtocol
		}
		return err
	})
}

// WhatsApp measures the first two messages of the Noise handshake of WhatsApp's chat servers, on a *Conn or
// on a WebSocket, and follows the certificates in the second to root. No account and no name is sent; the
// third message, which would carry them, is not.
//
// It fails when the connection dies, with app_not_spoken when the answer is no server hello, and with
// app_imposter when it does not decrypt or its chain does not hold. It closes conn. Noise, revision 34.
func WhatsApp(ctx context.Context, conn net.Conn, name string, root [32]byte) measurements.Observation {
	return handshake(ctx, conn, name, func(h *measurements.Handshake) error {
		h.Protocol = measurements.WhatsAppNoise
		a, err := app.WhatsApp(ctx, conn, app.WhatsAppInput{Root: root, Now: time.Now()})
		h.Dated = a.Signed && !a.Verified
		if a.Verified {
			h.Proof = measurements.ProvedIdentity
		}
		return err
	})
}

// STUN measures whether a STUN server at ep answers a binding request over UDP, as calls begin with. The
// address under which it says to see us is no part of the observation; invalid where it told none.
//
// It fails by silence (timeout), by ICMP, with app_refused where the server answers with an error, and with
// app_not_spoken where other datagrams come and come. It keeps no socket. RFC 8489.
func (h Host) STUN(ctx context.Context, ep netip.AddrPort, name string) (measurements.Observation, netip.Addr) {
	s := begin(measurements.AppHandshake, "udp", ep, name)
	var answer app.STUNAnswer
	seen := measurements.Handshake{Protocol: measurements.STUN}
	socket, err := h.open(ctx, "udp", ep)
	if err == nil {
		err = survived(func() (err error) { answer, err = app.STUN(ctx, socket); return err })
		_ = socket.Close()
	}
	s.stop()
	if err == nil {
		seen.Proof = measurements.ProvedProtocol
	}
	tell(&seen, err)
	o := s.end(socket, ended(ctx, err))
	o.App = &seen
	return o, answer.Mapped
}

// handshake is the step around an app's first exchange.
func handshake(ctx context.Context, conn net.Conn, name string, exchange func(*measurements.Handshake) error) measurements.Observation {
	under := conn
	wire, transport := underneath(&under)
	wire.sip()
	wire.boundFrom(wire.Traffic())
	s := beginOn(measurements.AppHandshake, transport, wire, name)
	var h measurements.Handshake
	err := survived(func() error { return exchange(&h) })
	s.stop()
	_ = conn.Close()
	tell(&h, err)
	o := s.end(wire, ended(ctx, err))
	o.App = &h
	return o
}

// tell puts down what an error says of the peer.
func tell(h *measurements.Handshake, err error) {
	if r, ok := errors.AsType[*app.Refused](err); ok {
		h.Code, h.FirstBytes = r.Code, r.FirstBytes
	}
	if n, ok := errors.AsType[*app.NotSpoken](err); ok {
		h.FirstBytes = n.FirstBytes
	}
}

package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"sync"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/hello"
)

// firstBytes of a peer's answer are told of a handshake that failed: an alert, or the head of a block
// page. Chosen by us; the recording holds more.
const firstBytes = 256

// TLSInput says which handshake to make, over TCP or inside QUIC.
type TLSInput struct {
	// Name is sent as SNI, and the certificate is verified for it. Empty: no SNI, and only the chain is
	// verified.
	Name string
	// Shape of our hello; empty means Default.
	Shape measurements.Shape
	// Key, if set, is all that proves the server (measurements.KeyOf): a helper's, whose chain nobody vouches
	// for, and which bears any name.
	Key string
	// ALPN is what we offer, in order; empty: the extension is left out. QUIC then offers h3, since
	// RFC 9001, section 8.1, requires one.
	ALPN []string
	// Roots, if any, are the only ones that prove the server: an app with an authority of its own. None:
	// the host's.
	Roots []*x509.Certificate
}

// shape is the input's, or the default one.
func (in TLSInput) shape() measurements.Shape {
	if in.Shape == "" {
		return measurements.Default
	}
	return in.Shape
}

// TLS measures a TLS handshake on a fresh connection: the hello has the wanted shape, and the chain is
// verified with the host's roots once the handshake is through; those of the machine's own store prove
// nothing, and are asked for a second opinion (TLS.ChainRoot).
//
// It fails when the connection dies (reset, EOF, timeout), when the peer sends an alert or what is no
// TLS, or when the chain does not verify (ssl_*). In the last case alone the handshake is complete,
// and the connection is returned with the failure, so that what this peer serves can be captured. On
// every other failure it is nil, and conn is closed. What is returned is closed by the caller.
//
// A TLS 1.3 handshake is complete for us before the server has seen our last word; what it thinks of
// it shows in the exchange. RFC 8446; OONI df-006-tlshandshake.
func (h Host) TLS(ctx context.Context, conn *Conn, in TLSInput) (*tls.Conn, measurements.Observation) {
	h = h.pinned(in.Roots)
	s := beginOn(measurements.TLSHandshake, "tcp", conn, in.Name)
	var state shown
	secure := tls.Client(conn, in.config(&state, tls.VersionTLS12))
	err := secure.HandshakeContext(ctx)
	s.stop() // verifying is our own work, and no part of the time
	t := h.seen(in, &state)
	alive := err == nil
	if alive {
		err = h.proves(state.get().PeerCertificates, in)
	}
	t.ChainRoot = h.root(err, in, &state)
	if alive && err != nil {
		h.tellValidity(t, &state, in.Name)
	}
	if !alive {
		_ = conn.Close()
		secure = nil
		t.FirstBytes = conn.Traffic().FirstReceived
		t.FirstBytes = t.FirstBytes[:min(len(t.FirstBytes), firstBytes)]
	}
	t.JA4 = ja4OverTCP(conn.Traffic().FirstSent, s.base.Sent)
	o := s.end(conn, err)
	o.TLS = t
	return secure, o
}

// seen is what a handshake showed, however it ended.
func (h Host) seen(in TLSInput, state *shown) *measurements.TLS {
	t := &measurements.TLS{Shape: in.shape()}
	describe(t, state.get())
	return t
}

// tellValidity says of a chain that does not verify now when it does, if it is the name's own.
func (h Host) tellValidity(t *measurements.TLS, state *shown, name string) {
	if chain := state.get().PeerCertificates; h.holdsThen(chain, name) {
		t.ValidFrom, t.ValidUntil = chain[0].NotBefore.UTC(), chain[0].NotAfter.UTC()
	}
}

// root is TLS.ChainRoot. A chain that verifies needs no second look where one set of roots can say so.
func (h Host) root(err error, in TLSInput, state *shown) string {
	if chain := state.get().PeerCertificates; err != nil || in.Key != "" || len(chain) == 0 || h.Extra != nil || h.own {
		return h.rootOf(chain)
	}
	return measurements.RootBundle
}

// config is our side of a handshake. crypto/tls itself verifies nothing: verify does, afterwards.
func (in TLSInput) config(state *shown, least uint16) *tls.Config {
	c := &tls.Config{
		ServerName:         in.Name,
		NextProtos:         in.ALPN,
		MinVersion:         least,
		InsecureSkipVerify: true,
		VerifyConnection:   state.set,
	}
	if in.shape() == measurements.Old {
		c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	}
	if in.shape() != measurements.Default {
		// Without the post-quantum key share, which alone has 1,216 bytes, a hello fits one segment.
		c.CurvePreferences = []tls.CurveID{tls.X25519}
	}
	return c
}

// shown is what the peer has shown so far. It is set in the middle of the handshake, perhaps by a
// goroutine of quic-go's, and so is there also when the handshake dies after the certificate.
type shown struct {
	mu sync.Mutex
	cs tls.ConnectionState
}

func (s *shown) set(cs tls.ConnectionState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cs = cs
	return nil
}

func (s *shown) get() tls.ConnectionState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cs
}

// recordHeader is type, version and length (RFC 8446, section 5.1).
const recordHeader = 5

// ja4OverTCP fingerprints the ClientHello that stands in the first record after what the connection
// had carried before; "" where it is not there, since we could not send it, or could not keep it.
func ja4OverTCP(sent []byte, before int64) string {
	if int64(len(sent)) < before+recordHeader {
		return ""
	}
	sent = sent[before:]
	end := recordHeader + int(sent[3])<<8 + int(sent[4])
	if len(sent) < end {
		return ""
	}
	ja4, err := hello.JA4(sent[:end], false)
	if err != nil {
		return ""
	}
	return ja4
}

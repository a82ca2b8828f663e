package reference

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/telltale-probe/telltale/measurements"
)

const (
	// shakePatience bounds a handshake. It is longer than the longest step that a volunteer can configure
	// (network.timeout, a minute): where the network swallows a hello, our own hanging up must not come
	// first and make an end of a silence.
	shakePatience = 75 * time.Second
	// leavePatience is how long a client may stay after the handshake. Ours leave at once.
	leavePatience = 10 * time.Second
	// leaveBytes are read meanwhile and thrown away, so that a client's goodbye meets no reset.
	leaveBytes = 4 << 10
	// goodbye closes a QUIC connection that has done what it was for (RFC 9114, section 8.1, H3_NO_ERROR).
	goodbye = 0x100
	// certificateLife is longer than a process lives: nobody looks at the date of a pinned key.
	certificateLife = 10 * 365 * 24 * time.Hour
)

// AnyName completes TLS and QUIC handshakes for whatever name a client asks for, and does no more: the
// far end of control X. Its key is made anew with each value. It keeps nothing of its clients: no
// address, no name, no log.
//
// It serves few at a time. Over TCP, who is refused finds the connection closed before a byte of his was
// read; over QUIC, a CONNECTION_REFUSED (RFC 9000, section 20.1). Neither looks like a hello that was
// swallowed on the way. A QUIC client's address is validated first (RFC 9000, section 8.1.2), so that
// nobody's address can be flooded with our answers.
type AnyName struct {
	certificate tls.Certificate
	key         string
	limits      limits
}

// NewAnyName makes one, with a key of its own.
func NewAnyName() (*AnyName, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	form := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "telltale helper"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, &form, &form, private.Public(), private)
	if err != nil {
		return nil, err
	}
	return &AnyName{certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, key: measurements.KeyOf(der)}, nil
}

// Key is what the reference announces of it.
func (a *AnyName) Key() string { return a.key }

// config takes any name, since nothing looks at it. In TLS 1.3 alone, so that the certificate, which
// says what this is, is not to be read on the way.
func (a *AnyName) config(protocols ...string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{a.certificate}, NextProtos: protocols, SessionTicketsDisabled: true}
}

// ServeTLS serves over TCP until ctx ends or the listener fails; then it closes the listener and every
// connection, and returns when they are done. The error is nil where ctx ended.
func (a *AnyName) ServeTLS(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	config := a.config("h2", "http/1.1")
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			_ = l.Close()
			return nil
		case err != nil && temporary(err):
			wait(ctx, time.Second)
			continue
		case err != nil:
			_ = l.Close()
			return err
		}
		leave, ok := a.limits.enter(conn.RemoteAddr())
		if !ok {
			_ = conn.Close()
			continue
		}
		wg.Go(func() {
			defer leave()
			defer func() { _ = conn.Close() }()
			defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
			shake(ctx, tls.Server(conn, config))
		})
	}
}

// temporary says whether a listener may be asked again: too many files are open, or a client went. What
// net/http's server goes by, too.
func temporary(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary()
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// shake makes one handshake, and waits a little for the client to go.
func shake(ctx context.Context, conn *tls.Conn) {
	if conn.SetDeadline(time.Now().Add(shakePatience)) != nil || conn.HandshakeContext(ctx) != nil {
		return
	}
	if conn.SetDeadline(time.Now().Add(leavePatience)) == nil {
		_, _ = io.CopyN(io.Discard, conn, leaveBytes)
	}
	_ = conn.Close()
}

// ServeQUIC serves over UDP until ctx ends or the socket fails; then it closes every connection and the
// socket, and returns when they are done. The error is nil where ctx ended.
func (a *AnyName) ServeQUIC(ctx context.Context, socket net.PacketConn) error {
	defer func() { _ = socket.Close() }()
	transport := &quic.Transport{Conn: socket, VerifySourceAddress: func(net.Addr) bool { return true }, ConnContext: a.admit}
	defer func() { _ = transport.Close() }()
	l, err := transport.Listen(a.config("h3"), &quic.Config{
		HandshakeIdleTimeout: shakePatience / 2, // quic-go gives a handshake twice that (quic.Config)
		MaxIdleTimeout:       leavePatience,
		MaxIncomingStreams:   -1, MaxIncomingUniStreams: -1,
		Versions: []quic.Version{quic.Version1}, DisablePathMTUDiscovery: true,
	})
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for {
		conn, err := l.Accept(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		wg.Go(func() {
			stay, leave := context.WithTimeout(conn.Context(), leavePatience)
			defer leave()
			defer context.AfterFunc(ctx, leave)()
			<-stay.Done() // ours close it themselves
			_ = conn.CloseWithError(goodbye, "")
		})
	}
}

var errFull = errors.New("too many")

// admit lets a connection in whose client's address has been validated; its context ends with it.
func (a *AnyName) admit(ctx context.Context, client *quic.ClientInfo) (context.Context, error) {
	leave, ok := a.limits.enter(client.RemoteAddr)
	if !ok {
		return nil, errFull
	}
	context.AfterFunc(ctx, leave)
	return ctx, nil
}

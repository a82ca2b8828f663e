package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"

	"github.com/quic-go/quic-go"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/app"
)

// ownClasses are what we did ourselves.
var ownClasses = []class{
	{
		says:    "the round was broken off",
		word:    is(context.Canceled, measurements.Interrupted),
		example: gives(measurements.Connect, context.Canceled, measurements.Interrupted),
	},
}

// certificateClasses are handshakes with a chain that does not verify (OONI df-007: ssl_*).
var certificateClasses = []class{
	{
		says:    "the certificate is for other names",
		word:    as[x509.HostnameError](measurements.SSLInvalidHostname),
		example: gives(measurements.TLSHandshake, x509.HostnameError{Certificate: &x509.Certificate{}, Host: "www.example.com"}, measurements.SSLInvalidHostname),
	},
	{
		says:    "the chain leads to no root of ours",
		word:    as[x509.UnknownAuthorityError](measurements.SSLUnknownAuthority),
		example: gives(measurements.TLSHandshake, x509.UnknownAuthorityError{}, measurements.SSLUnknownAuthority),
	},
	{
		says:    "the chain is invalid in another way: expired, not for servers, …",
		word:    as[x509.CertificateInvalidError](measurements.SSLInvalidCertificate),
		example: gives(measurements.TLSHandshake, x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired}, measurements.SSLInvalidCertificate),
	},
	{
		says:    "the chain does not verify, for a reason without a type",
		word:    as[*tls.CertificateVerificationError](measurements.SSLInvalidCertificate),
		example: gives(measurements.QUICHandshake, &tls.CertificateVerificationError{Err: errors.New("x509: unhandled critical extension")}, measurements.SSLInvalidCertificate),
	},
}

// quicClasses are the typed errors of quic-go (RFC 9000, sections 6, 10 and 20).
var quicClasses = []class{
	{
		says:    "version negotiation offers no version of ours: forged, or a server without v1",
		word:    as[*quic.VersionNegotiationError](measurements.QUICIncompatibleVersion),
		example: gives(measurements.QUICHandshake, &quic.VersionNegotiationError{}, measurements.QUICIncompatibleVersion),
	},
	{
		says:    "a stateless reset",
		word:    as[*quic.StatelessResetError](measurements.QUICStatelessReset),
		example: gives(measurements.HTTPExchange, &quic.StatelessResetError{}, measurements.QUICStatelessReset),
	},
	{
		says:    "silence",
		word:    as[*quic.IdleTimeoutError](measurements.Timeout),
		example: gives(measurements.QUICHandshake, &quic.IdleTimeoutError{}, measurements.Timeout),
	},
	{
		says:    "the server answers, and never comes to an end",
		word:    as[*quic.HandshakeTimeoutError](measurements.Timeout),
		example: gives(measurements.QUICHandshake, &quic.HandshakeTimeoutError{}, measurements.Timeout),
	},
	{
		says:    "the peer, or somebody in its name, closes: by an alert (code 0x100 + alert, RFC 9001, section 4.8) or by another code",
		word:    peerClosed,
		example: gives(measurements.QUICHandshake, &quic.TransportError{Remote: true, ErrorCode: 0x178}, measurements.TLSAlert(120)),
	},
	{
		says:    "we close, since the peer breaks TLS",
		word:    weClosed,
		example: gives(measurements.QUICHandshake, &quic.TransportError{ErrorCode: 0x12f}, measurements.SSLFailedHandshake),
	},
	{
		says:    "the application closes the connection",
		word:    applicationClosed,
		example: gives(measurements.QUICHandshake, &quic.ApplicationError{Remote: true, ErrorCode: 0x10c}, measurements.QUICClose(0x10c)),
	},
}

// tlsClasses are the errors of crypto/tls over TCP.
var tlsClasses = []class{
	{
		says:    "a ClientHello is answered with bytes that are no TLS record",
		word:    during(as[tls.RecordHeaderError](measurements.TLSNotTLS), measurements.TLSHandshake),
		example: gives(measurements.TLSHandshake, tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, measurements.TLSNotTLS),
	},
	{
		says:    "the peer sends an alert (RFC 8446, section 6)",
		word:    remoteAlert,
		example: gives(measurements.TLSHandshake, &net.OpError{Op: "remote error", Err: tls.AlertError(40)}, measurements.TLSAlert(40)),
	},
	{
		says:    "we send the alert: the peer breaks TLS",
		word:    during(localAlert, measurements.TLSHandshake, measurements.QUICHandshake),
		example: gives(measurements.TLSHandshake, &net.OpError{Op: "local error", Err: tls.AlertError(20)}, measurements.SSLFailedHandshake),
	},
}

// appClasses are what the apps' own first exchanges end with (package app).
var appClasses = []class{
	{
		says:    "the peer speaks the app's protocol, and can't prove that it is the app",
		word:    as[*app.Imposter](measurements.AppImposter),
		example: gives(measurements.AppHandshake, &app.Imposter{Reason: "another nonce"}, measurements.AppImposter),
	},
	{
		says:    "the app's own transport says no",
		word:    during(as[*app.Refused](measurements.AppRefused), measurements.AppHandshake),
		example: gives(measurements.AppHandshake, &app.Refused{Code: -404}, measurements.AppRefused),
	},
	{
		says:    "the answer is not the app's protocol",
		word:    during(as[*app.NotSpoken](measurements.AppNotSpoken), measurements.AppHandshake),
		example: gives(measurements.AppHandshake, &app.NotSpoken{Reason: "no HTTP answer"}, measurements.AppNotSpoken),
	},
	{
		says:    "the answer to a WebSocket's request is no HTTP, or a 101 that fits no such request",
		word:    during(as[*app.NotSpoken](measurements.HTTPRequestFailed), measurements.HTTPExchange),
		example: gives(measurements.HTTPExchange, &app.NotSpoken{Reason: "no HTTP answer"}, measurements.HTTPRequestFailed),
	},
}

// plainClasses have no errno and no protocol of their own.
var plainClasses = []class{
	{
		says:    "the peer ends the stream",
		word:    is(io.EOF, measurements.EOF),
		example: gives(measurements.TLSHandshake, io.EOF, measurements.EOF),
	},
	{
		says:    "the peer ends the stream in the middle of something",
		word:    is(io.ErrUnexpectedEOF, measurements.EOF),
		example: gives(measurements.HTTPExchange, io.ErrUnexpectedEOF, measurements.EOF),
	},
	{
		says:    "the step's time is over",
		word:    is(context.DeadlineExceeded, measurements.Timeout),
		example: gives(measurements.TLSHandshake, context.DeadlineExceeded, measurements.Timeout),
	},
	{
		says:    "a socket's time is over",
		word:    timedOut,
		example: gives(measurements.Connect, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, measurements.Timeout),
	},
	{
		says:    "used after its end",
		word:    is(net.ErrClosed, measurements.ConnectionClosed),
		example: gives(measurements.TLSHandshake, &net.OpError{Op: "read", Err: net.ErrClosed}, measurements.ConnectionClosed),
	},
	{
		says:    "an in-memory connection used after its end",
		word:    is(io.ErrClosedPipe, measurements.ConnectionClosed),
		example: gives(measurements.TLSHandshake, io.ErrClosedPipe, measurements.ConnectionClosed),
	},
	{
		says:    "the peer breaks TLS in a way for which crypto/tls has only a sentence",
		word:    during(brokenTLS, measurements.TLSHandshake),
		example: gives(measurements.TLSHandshake, errors.New("tls: server selected unsupported protocol version 301"), measurements.SSLFailedHandshake),
	},
	{
		says:    "whatever else is wrong with an answer: net/http and http3 have mostly sentences for it",
		word:    during(func(measurements.Operation, error) measurements.Failure { return measurements.HTTPRequestFailed }, measurements.HTTPExchange),
		example: gives(measurements.HTTPExchange, errors.New("malformed HTTP response"), measurements.HTTPRequestFailed),
	},
}

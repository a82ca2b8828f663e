package measurements

import (
	"fmt"
	"strconv"
	"strings"
)

// Failure says what went wrong in a step, never why. The empty Failure is success.
//
// The words are OONI's (ooni/spec df-007) where one exists. Those that OONI leaves as
// unknown_failure and that matter here (TLS alerts, answers that are not TLS, QUIC close
// codes) have words of their own. Anything else is "unknown_failure: <scrubbed text>", so
// that what we do not understand stays visible and can be counted.
type Failure string

// The words of df-007 that our steps can produce.
const (
	ConnectionRefused Failure = "connection_refused"
	ConnectionReset   Failure = "connection_reset"
	ConnectionAborted Failure = "connection_aborted"
	ConnectionClosed  Failure = "connection_already_closed"
	EOF               Failure = "eof_error"
	Timeout           Failure = "generic_timeout_error"
	HostUnreachable   Failure = "host_unreachable"
	NetworkUnreach    Failure = "network_unreachable"
	NetworkDown       Failure = "network_down"
	NetworkReset      Failure = "network_reset"
	Interrupted       Failure = "interrupted"
	PermissionDenied  Failure = "permission_denied"
	AddrNotAvailable  Failure = "address_not_available"
	MessageSize       Failure = "message_size"

	DNSNXDomain     Failure = "dns_nxdomain_error"
	DNSRefused      Failure = "dns_refused_error"
	DNSServfail     Failure = "dns_servfail_error"
	DNSNoAnswer     Failure = "dns_no_answer"
	DNSBogon        Failure = "dns_bogon_error"
	DNSMisbehaving  Failure = "dns_server_misbehaving"
	DNSWrongQueryID Failure = "dns_reply_with_wrong_query_id"

	SSLInvalidHostname    Failure = "ssl_invalid_hostname"
	SSLUnknownAuthority   Failure = "ssl_unknown_authority"
	SSLInvalidCertificate Failure = "ssl_invalid_certificate"
	SSLFailedHandshake    Failure = "ssl_failed_handshake"

	QUICIncompatibleVersion Failure = "quic_incompatible_version"
	HTTPRequestFailed       Failure = "http_request_failed"
)

// Words of our own, for what OONI files under unknown_failure (ooni/probe#2410, #2420).
const (
	// TLSNotTLS: the peer answered our ClientHello with bytes that are no TLS record.
	TLSNotTLS Failure = "tls_not_tls"
	// AppImposter: the peer speaks the app's protocol, and can't prove that it is the app.
	AppImposter Failure = "app_imposter"
	// AppNotSpoken: the answer is not the app's protocol.
	AppNotSpoken Failure = "app_not_spoken"
	// AppRefused: the app's own transport says no; Handshake.Code tells how.
	AppRefused Failure = "app_refused"
	// QUICStatelessReset: a stateless reset (RFC 9000, section 10.3) ended the connection.
	QUICStatelessReset Failure = "quic_stateless_reset"

	tlsAlertPrefix  = "tls_alert_"
	quicClosePrefix = "quic_close_"
	unknownPrefix   = "unknown_failure: "
)

// TLSAlert is the failure of a handshake that the peer ended with an alert, by its number
// (RFC 8446, section 6), over TCP and over QUIC alike.
func TLSAlert(number uint8) Failure { return Failure(fmt.Sprintf("%s%d", tlsAlertPrefix, number)) }

// QUICClose is the failure of a connection that the peer ended with a CONNECTION_CLOSE whose
// code is no TLS alert (RFC 9000, section 20.1).
func QUICClose(code uint64) Failure { return Failure(fmt.Sprintf("%s%#x", quicClosePrefix, code)) }

// Unknown keeps the text of an error that no word describes. The caller scrubs the text.
func Unknown(text string) Failure { return Failure(unknownPrefix + text) }

// Alert gives the number of a TLS alert, and whether f is one.
func (f Failure) Alert() (number uint8, ok bool) {
	rest, ok := strings.CutPrefix(string(f), tlsAlertPrefix)
	if !ok {
		return 0, false
	}
	n, err := fmt.Sscanf(rest, "%d", &number)
	return number, n == 1 && err == nil
}

// IsQUICClose says whether the peer closed with a code that is no TLS alert.
func (f Failure) IsQUICClose() bool { return strings.HasPrefix(string(f), quicClosePrefix) }

// IsUnknown says whether no word describes f.
func (f Failure) IsUnknown() bool { return strings.HasPrefix(string(f), unknownPrefix) }

// mostCloseCode is the largest close code that a standard gives a meaning: those of RFC 9000, section 20.1, lie
// below 0x200, those of HTTP/3 (RFC 9114, section 8.1) and QPACK (RFC 9204, section 6) below 0x400. A code has
// 62 bits, in which a peer could write whatever it knows of us.
const mostCloseCode = 0x3ff

// Reason is the failure as a metric label: bounded, so the text of an unknown failure is left out, and so are
// close codes without a meaning.
func (f Failure) Reason() string {
	if f.IsUnknown() {
		return "unknown_failure"
	}
	if code, ok := strings.CutPrefix(string(f), quicClosePrefix); ok {
		if n, err := strconv.ParseUint(code, 0, 64); err != nil || n > mostCloseCode {
			return quicClosePrefix + "other"
		}
	}
	return string(f)
}

// IsUnreachable says whether ICMP, or the kernel's own route table, said that there is no way.
// "Prohibited" by ICMPv6 is a permission denied to Linux (RFC 4443, section 3.1; icmpv6_err_convert),
// as a firewall of our own is: neither alone is a block.
func (f Failure) IsUnreachable() bool {
	return f == HostUnreachable || f == NetworkUnreach || f == NetworkDown || f == PermissionDenied
}

// IsCertificate says whether a handshake completed with a chain that does not verify.
func (f Failure) IsCertificate() bool {
	return f == SSLInvalidHostname || f == SSLUnknownAuthority || f == SSLInvalidCertificate
}

// Kind folds failures to the four ways in which a connection dies, as signatures name them:
// "reset", "timeout", "eof", "alert"; "" for every other failure and for success.
func (f Failure) Kind() string {
	switch f {
	case ConnectionReset, ConnectionAborted, NetworkReset, QUICStatelessReset:
		return "reset"
	case Timeout:
		return "timeout"
	case EOF:
		return "eof"
	}
	if _, ok := f.Alert(); ok || f == SSLFailedHandshake {
		return "alert"
	}
	return ""
}

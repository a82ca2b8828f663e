package probe

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"reflect"
	"strings"
	"syscall"

	"github.com/quic-go/quic-go"

	"github.com/telltale-probe/telltale/measurements"
)

// peerClosed names a CONNECTION_CLOSE of the transport's kind by its code.
func peerClosed(_ measurements.Operation, err error) measurements.Failure {
	e, ok := errors.AsType[*quic.TransportError](err)
	switch {
	case !ok || !e.Remote:
		return ""
	case e.ErrorCode.IsCryptoError():
		return measurements.TLSAlert(uint8(e.ErrorCode - firstCryptoError))
	}
	return measurements.QUICClose(uint64(e.ErrorCode))
}

// firstCryptoError begins the 256 codes that are TLS alerts (RFC 9000, section 20.1).
const firstCryptoError = 0x100

// weClosed names what made us close. The peer's breach of QUIC itself has no word.
func weClosed(_ measurements.Operation, err error) measurements.Failure {
	e, ok := errors.AsType[*quic.TransportError](err)
	switch {
	case !ok || e.Remote:
		return ""
	case e.ErrorCode.IsCryptoError():
		return measurements.SSLFailedHandshake
	}
	return measurements.Unknown(scrub(e.Error(), nil))
}

// applicationClosed names a CONNECTION_CLOSE of the application's kind. Over HTTP/3 it is the
// server's word about the exchange; before that it has no business here.
func applicationClosed(op measurements.Operation, err error) measurements.Failure {
	e, ok := errors.AsType[*quic.ApplicationError](err)
	switch {
	case !ok || !e.Remote:
		return ""
	case op == measurements.HTTPExchange:
		return measurements.HTTPRequestFailed
	}
	return measurements.QUICClose(uint64(e.ErrorCode))
}

// remoteAlert reads the number of a peer's alert. crypto/tls gives it over TCP in a type that it
// keeps to itself, so that errors.As finds no tls.AlertError; its kind is uint8 all the same.
func remoteAlert(_ measurements.Operation, err error) measurements.Failure {
	e, ok := errors.AsType[*net.OpError](err)
	if !ok || e.Op != "remote error" || e.Err == nil {
		return ""
	}
	if v := reflect.ValueOf(e.Err); v.Kind() == reflect.Uint8 {
		return measurements.TLSAlert(uint8(v.Uint()))
	}
	return measurements.SSLFailedHandshake
}

func localAlert(_ measurements.Operation, err error) measurements.Failure {
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "local error" {
		return measurements.SSLFailedHandshake
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return measurements.SSLFailedHandshake
	}
	return ""
}

func brokenTLS(_ measurements.Operation, err error) measurements.Failure {
	if strings.HasPrefix(err.Error(), "tls: ") {
		return measurements.SSLFailedHandshake
	}
	return ""
}

func timedOut(_ measurements.Operation, err error) measurements.Failure {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return measurements.Timeout
	}
	return ""
}

// errnoClasses are the kernel's words. Windows has numbers of its own for them, from 10000 up
// (Winsock error codes), which no Unix uses, so that one table does for both.
var errnoClasses = []class{
	errno("a reset in answer to a SYN, or ICMP port unreachable", measurements.ConnectionRefused, syscall.ECONNREFUSED, 10061),
	errno("a reset", measurements.ConnectionReset, syscall.ECONNRESET, 10054),
	errno("a reset after the peer's FIN, or the echo of one", measurements.ConnectionReset, syscall.EPIPE),
	errno("aborted by our own side", measurements.ConnectionAborted, syscall.ECONNABORTED, 10053),
	errno("ICMP host unreachable or prohibited, or no answer to ARP", measurements.HostUnreachable, syscall.EHOSTUNREACH, 10065),
	errno("the host is down, as the last hop knows", measurements.HostUnreachable, syscall.EHOSTDOWN, 10064),
	errno("no route, or ICMP network unreachable", measurements.NetworkUnreach, syscall.ENETUNREACH, 10051),
	errno("the kernel has no such family", measurements.NetworkUnreach, syscall.EAFNOSUPPORT, 10047),
	errno("our interface is down", measurements.NetworkDown, syscall.ENETDOWN, 10050),
	errno("our network was reset", measurements.NetworkReset, syscall.ENETRESET, 10052),
	errno("the kernel gave up", measurements.Timeout, syscall.ETIMEDOUT, 10060),
	errno("our own firewall", measurements.PermissionDenied, syscall.EPERM),
	errno("our own firewall, or a sandbox", measurements.PermissionDenied, syscall.EACCES, 10013),
	errno("no address or port of ours is left", measurements.AddrNotAvailable, syscall.EADDRNOTAVAIL, 10049),
	errno("larger than our own link takes", measurements.MessageSize, syscall.EMSGSIZE, 10040),
}

func errno(says string, f measurements.Failure, numbers ...syscall.Errno) class {
	return class{
		says: says,
		word: func(_ measurements.Operation, err error) measurements.Failure {
			for _, n := range numbers {
				if errors.Is(err, n) {
					return f
				}
			}
			return ""
		},
		example: gives(measurements.Connect, &net.OpError{Op: "read", Err: os.NewSyscallError("read", numbers[0])}, f),
	}
}

package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/quic-go/quic-go"

	"github.com/telltale-probe/telltale/measurements"
)

// The table tests itself: each class brings an example, which must get its word, and get it from this
// class and from none before. A class that another one shadows is dead.
func TestEveryClassTakesItsExample(t *testing.T) {
	t.Parallel()
	for i, c := range classes {
		op, want, err := c.example()
		if got := classify(op, err); got != want {
			t.Errorf("%s: %q got %q, want %q", c.says, err, got, want)
		}
		if got := classify(op, fmt.Errorf("wrapped: %w", err)); got != want && !strings.HasPrefix(err.Error(), "tls: ") {
			t.Errorf("%s: wrapped, %q got %q, want %q", c.says, err, got, want)
		}
		for _, earlier := range classes[:i] {
			if f := earlier.word(op, err); f != "" {
				t.Errorf("%q is taken by %q before %q", err, earlier.says, c.says)
			}
		}
	}
}

// Where the order matters, or the operation, or where crypto/tls and quic-go set traps.
func TestClassify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		op   measurements.Operation
		err  error
		want measurements.Failure
	}{
		{"success", measurements.Connect, nil, ""},
		{"a cancelled dial", measurements.Connect, &net.OpError{Op: "dial", Err: context.Canceled}, measurements.Interrupted},
		{"an alert in a type that is not ours to name", measurements.HTTPExchange, &net.OpError{Op: "remote error", Err: alertError(112)}, measurements.TLSAlert(112)},
		{"an alert that we send in the exchange", measurements.HTTPExchange, &net.OpError{Op: "local error", Err: alertError(20)}, measurements.HTTPRequestFailed},
		{"a QUIC close by another code", measurements.QUICHandshake, &quic.TransportError{Remote: true, ErrorCode: quic.ConnectionRefused}, measurements.QUICClose(2)},
		{"a QUIC close of our own", measurements.QUICHandshake, &quic.TransportError{ErrorCode: quic.ProtocolViolation, ErrorMessage: "bad frame"}, "unknown_failure: PROTOCOL_VIOLATION (local): bad frame"},
		{"an HTTP/3 close", measurements.HTTPExchange, &quic.ApplicationError{Remote: true, ErrorCode: 0x102}, measurements.HTTPRequestFailed},
		{"a QUIC connection that we closed", measurements.HTTPExchange, &quic.ApplicationError{}, measurements.ConnectionClosed},
		{"an errno inside a closed transport", measurements.QUICHandshake, errors.Join(net.ErrClosed, syscall.ECONNREFUSED), measurements.ConnectionRefused},
		{"a Winsock number", measurements.Connect, syscall.Errno(10061), measurements.ConnectionRefused},
		{"an unknown one, without the near end", measurements.Connect, errors.New("read tcp 192.0.2.9:1->192.0.2.1:2: odd"), "unknown_failure: read tcp [scrubbed]->192.0.2.1:2: odd"},
		{"an unknown one in an exchange", measurements.HTTPExchange, errors.New("odd"), measurements.HTTPRequestFailed},
	} {
		if got := classify(c.op, c.err); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// alertError stands for crypto/tls's own type: a uint8 that errors.As can't be asked for.
type alertError uint8

func (alertError) Error() string { return "tls: some alert" }

// The first error of a connection is told where the step's own is only its echo.
func TestCauseIsTheFirstError(t *testing.T) {
	t.Parallel()
	s := begin(measurements.TLSHandshake, "tcp", nowhere, site)
	conn := record(&unconnected{}, nowhere, false)
	conn.Write(nil)
	if o := s.end(conn, net.ErrClosed); o.Failure != measurements.ConnectionReset {
		t.Errorf("got %q", o.Failure)
	}
	if o := s.end(conn, io.EOF); o.Failure != measurements.EOF {
		t.Errorf("an error of its own became %q", o.Failure)
	}
}

// unconnected is a connection that dies at its first write.
type unconnected struct{ net.Conn }

func (*unconnected) Write([]byte) (int, error) { return 0, syscall.ECONNRESET }
func (*unconnected) LocalAddr() net.Addr       { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 9} }

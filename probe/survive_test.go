package probe

import (
	"net"
	"strings"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
)

// A decoder that panics costs its step, and says where it was; the connection is closed all the same.
func TestPanicsAreFailures(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer func() { _ = far.Close() }()
	conn := record(near, nowhere, false)
	o := handshake(t.Context(), conn, "", func(h *measurements.Handshake) error {
		h.Protocol = measurements.MTProto
		return decodeCarelessly(nil)
	})
	const where = "panic in probe.decodeCarelessly, line "
	if !o.Failure.IsUnknown() || !strings.Contains(string(o.Failure), where) || !strings.Contains(string(o.Failure), "out of range") {
		t.Errorf("%s", o.Failure)
	}
	if o.App == nil || o.App.Protocol != measurements.MTProto || o.Endpoint != nowhere.String() {
		t.Errorf("%+v", o)
	}
	if _, err := far.Write([]byte{0}); err == nil {
		t.Error("the connection is still open")
	}
	if err := survived(func() error { panic("on purpose") }); err == nil || !strings.HasSuffix(err.Error(), ": on purpose") {
		t.Error(err)
	}
	if err := survived(func() error { return net.ErrClosed }); err != net.ErrClosed { //nolint:errorlint // the very value
		t.Error(err)
	}
}

//go:noinline
func decodeCarelessly(b []byte) error {
	_ = b[20:]
	return nil
}

package probe

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
)

var nowhere = netip.MustParseAddrPort("192.0.2.1:443")

// script is a connection that reads and writes what it is told to.
type script struct {
	net.Conn
	errs []error // of successive writes
}

func (s *script) Write(b []byte) (int, error) {
	if len(s.errs) == 0 {
		return len(b), nil
	}
	err := s.errs[0]
	s.errs = s.errs[1:]
	return 0, err
}

func (s *script) Read(b []byte) (int, error) { return copy(b, "0123456789"), nil }

// A socket tells its error once; what comes after it is an echo.
func TestFirstErrorIsKept(t *testing.T) {
	t.Parallel()
	c := record(&script{errs: []error{net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE}}, nowhere, false)
	for range 3 {
		c.Write([]byte("x"))
	}
	if err := c.Traffic().Err; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v", err)
	}
}

func TestRecordingIsBounded(t *testing.T) {
	t.Parallel()
	stream, packets := record(&script{}, nowhere, false), record(&script{}, nowhere, true)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, c := range []*Conn{stream, packets} {
				c.Write(bytes.Repeat([]byte("y"), 1000))
				c.Read(make([]byte, 10))
				c.Traffic()
			}
		})
	}
	wg.Wait()
	s, p := stream.Traffic(), packets.Traffic()
	if s.Sent != 8000 || s.Received != 80 || len(s.FirstSent) != recordedBytes || len(s.FirstReceived) != 80 || s.DatagramsSent != nil {
		t.Errorf("of a stream: %d/%d, %d/%d", s.Sent, s.Received, len(s.FirstSent), len(s.FirstReceived))
	}
	if p.Writes != 8 || p.Reads != 8 || len(p.DatagramsSent) != recordedDatagrams || len(p.DatagramsReceived) != recordedDatagrams || p.FirstSent != nil {
		t.Errorf("of datagrams: %d/%d, %d/%d", p.Writes, p.Reads, len(p.DatagramsSent), len(p.DatagramsReceived))
	}
}

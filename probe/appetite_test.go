package probe

import (
	"io"
	"net"
	"testing"
)

// eager has answered, and is being read, before the call that writes to it returns.
type eager struct {
	net.Conn
	during func()
}

func (e *eager) Write(b []byte) (int, error) {
	e.during()
	return len(b), nil
}

func (e *eager) Read(b []byte) (int, error) { return len(b), nil }

// What is on its way out takes its part of what an app's exchange may carry, also where the answer is faster.
func TestAppetiteCountsWhatIsBeingWritten(t *testing.T) {
	t.Parallel()
	e := &eager{}
	c := &Conn{Conn: e}
	e.during = func() {
		c.boundFrom(Traffic{})
		_, _ = io.Copy(io.Discard, c) // until the bound is met
	}
	if _, err := c.Write(make([]byte, 300)); err != nil {
		t.Fatal(err)
	}
	if n := c.Traffic(); !c.full() || n.Sent+n.Received != mostOfExchange {
		t.Errorf("%d bytes out and %d in; full: %t", n.Sent, n.Received, c.full())
	}
}

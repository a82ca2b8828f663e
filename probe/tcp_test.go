package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

func TestConnect(t *testing.T) {
	t.Parallel()
	conn, o := there.Connect(within(t, patient), serveTCP(t, idle))
	wantFailure(t, o, "")
	defer conn.Close()
	if o.LocalPort == 0 || o.Transport != "tcp" || o.Family != measurements.IPv4 || o.Operation != measurements.Connect {
		t.Errorf("got %+v", o)
	}
	if runtime.GOOS == "linux" && o.TCP == nil {
		t.Error("the kernel says nothing about the connection")
	}

	conn, o = there.Connect(within(t, patient), closed(t, "tcp"))
	wantFailure(t, o, measurements.ConnectionRefused)
	if conn != nil {
		t.Error("a connection came of a failure")
	}
}

// A Host that hangs stands for a network that drops: nothing leaves this machine.
func TestConnectEnds(t *testing.T) {
	t.Parallel()
	hangs := Host{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: network, Err: ctx.Err()}
	}}
	_, o := hangs.Connect(within(t, brief), netip.MustParseAddrPort("[2001:db8::1]:443"))
	wantFailure(t, o, measurements.Timeout)
	if o.Family != measurements.IPv6 {
		t.Errorf("family: %s", o.Family)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(brief/3, cancel)
	_, o = hangs.Connect(ctx, netip.MustParseAddrPort("192.0.2.1:443"))
	wantFailure(t, o, measurements.Interrupted)
}

func TestConnectUnmapsAddresses(t *testing.T) {
	t.Parallel()
	var network, address string
	spy := Host{Dial: func(_ context.Context, n, a string) (net.Conn, error) {
		network, address = n, a
		return nil, io.EOF
	}}
	_, o := spy.Connect(t.Context(), netip.MustParseAddrPort("[::ffff:192.0.2.1]:443"))
	if network != "tcp4" || address != "192.0.2.1:443" || o.Endpoint != address || o.Family != measurements.IPv4 {
		t.Errorf("dialled %s %s, recorded %s %s", network, address, o.Family, o.Endpoint)
	}
}

func TestRoutable(t *testing.T) {
	t.Parallel()
	no := Host{Routable: func(netip.Addr) bool { return false }}
	if no.IsRoutable(nobody4) || no.LeadsOut(measurements.IPv6) {
		t.Error("the host's own word was not asked for")
	}
	if (Host{}).IsRoutable(netip.Addr{}) {
		t.Error("a route to no address")
	}
	if !(Host{}).IsRoutable(netip.MustParseAddr("127.0.0.2")) || !(Host{}).IsRoutable(netip.MustParseAddr("::ffff:127.0.0.2")) {
		t.Error("no route to this machine itself")
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		server  func(*net.TCPConn)
		silence time.Duration
		want    measurements.Failure
	}{
		{"silence is life", func(c *net.TCPConn) { idle(c) }, brief, ""},
		{"bytes are life", func(c *net.TCPConn) { io.WriteString(c, "banner"); idle(c) }, patient, ""},
		{"a reset is death", abort, patient, measurements.ConnectionReset},
		{"a FIN is death", func(c *net.TCPConn) { c.CloseWrite(); idle(c) }, patient, measurements.EOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			connects := make(chan struct{}) // what dies before we know that it lived never connected
			conn := connected(t, serveTCP(t, func(conn *net.TCPConn) { <-connects; c.server(conn) }))
			close(connects)
			wantFailure(t, Settle(within(t, patient), conn, c.silence), c.want)
		})
	}
}

// What comes during the silence belongs to the next reader, and is counted once.
func TestSettleKeepsBytes(t *testing.T) {
	t.Parallel()
	conn := connected(t, serveTCP(t, func(c *net.TCPConn) {
		io.WriteString(c, "banner")
		hear(c)
		io.WriteString(c, " and more")
	}))
	o := Settle(within(t, patient), conn, patient)
	wantFailure(t, o, "")
	if o.Received != int64(len("banner")) {
		t.Errorf("received %d bytes", o.Received)
	}
	io.WriteString(conn, "go on")
	if got, err := io.ReadAll(conn); string(got) != "banner and more" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	seen := conn.Traffic()
	if string(seen.FirstReceived) != "banner and more" || string(seen.FirstSent) != "go on" || !errors.Is(seen.Err, io.EOF) {
		t.Errorf("recorded %+v", seen)
	}
	if seen.FirstWrite.IsZero() || !seen.LastRead.After(seen.FirstWrite) {
		t.Errorf("first write %v, last read %v", seen.FirstWrite, seen.LastRead)
	}
}

func TestSettleIsInterrupted(t *testing.T) {
	t.Parallel()
	conn := connected(t, serveTCP(t, idle))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(brief/3, cancel)
	wantFailure(t, Settle(ctx, conn, patient), measurements.Interrupted)
}

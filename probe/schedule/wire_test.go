package schedule

import (
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

const (
	v4 = "192.0.2.1:443"
	v6 = "[2001:db8::1]:443"
)

// Each kind of step, worked out by hand: IPv4 and TCP with timestamps are 52 bytes of header, IPv6
// 72, and a SYN 8 more.
func TestWire(t *testing.T) {
	seconds := func(n int) measurements.Seconds { return measurements.Seconds(time.Duration(n) * time.Second) }
	tests := []struct {
		name    string
		o       measurements.Observation
		out, in int64
	}{
		{"connect", measurements.Observation{Operation: measurements.Connect, Endpoint: v4}, 60 + 3*52, 60 + 2*52},
		{"connect over IPv6", measurements.Observation{Operation: measurements.Connect, Endpoint: v6}, 80 + 3*72, 80 + 2*72},
		{"connect refused", measurements.Observation{Operation: measurements.Connect, Endpoint: v4, Failure: measurements.ConnectionRefused}, 60, 56},
		{"connect into silence", measurements.Observation{Operation: measurements.Connect, Endpoint: v4, Failure: measurements.Timeout, Duration: seconds(10)}, 7 * 60, 0},
		{"silence kept", measurements.Observation{Operation: measurements.Settle, Endpoint: v4}, 0, 0},

		{"TLS", measurements.Observation{Operation: measurements.TLSHandshake, Endpoint: v4, Sent: 400, Received: 4000},
			400 + 52 + 2*52, 4000 + 3*52 + 52},
		{"TLS into silence", measurements.Observation{Operation: measurements.TLSHandshake, Endpoint: v4, Sent: 300, Failure: measurements.Timeout, Duration: seconds(10)},
			300 + 52 + 5*352, 52},
		{"TLS with loss that the kernel saw", measurements.Observation{Operation: measurements.TLSHandshake, Endpoint: v4, Sent: 300, Received: 100, TCP: &measurements.TCPInfo{Retransmits: 2}},
			300 + 52 + 52 + 2*352, 100 + 52 + 52},
		{"HTTP over TLS, a volume", measurements.Observation{Operation: measurements.HTTPExchange, Transport: "tls", Endpoint: v4, Sent: 100, Received: 100 * 1448},
			100 + 52 + 50*52, 100*1448 + 100*52 + 52},

		{"QUIC, counted", measurements.Observation{Operation: measurements.QUICHandshake, Endpoint: v4, Sent: 2500, Received: 4000, QUIC: &measurements.QUICInfo{DatagramsSent: 5, DatagramsReceived: 4}},
			2500 + 5*28, 4000 + 4*28},
		{"HTTP over QUIC, not counted", measurements.Observation{Operation: measurements.HTTPExchange, Transport: "quic", Endpoint: v6, Sent: 300, Received: 12520},
			300 + 5*48, 12520 + 10*48},
		{"version ping into silence", measurements.Observation{Operation: measurements.QUICVersion, Endpoint: v4, Sent: 1200}, 1200 + 28, 0},

		{"DNS over UDP", measurements.Observation{Operation: measurements.Resolve, Transport: "udp", Endpoint: "192.0.2.53:53", Family: measurements.IPv6, Sent: 40, Received: 80}, 40 + 28, 80 + 28},
		{"DNS with an injected answer", measurements.Observation{Operation: measurements.Resolve, Transport: "udp", Endpoint: "192.0.2.53:53", Sent: 40, Received: 160, DNS: &measurements.DNS{Attempts: 1, Late: make([]measurements.DNSAnswer, 1)}},
			40 + 28, 160 + 2*28},
		{"DNS into silence, resolver not told", measurements.Observation{Operation: measurements.Resolve, Transport: "udp", Family: measurements.IPv4, Sent: 120, Failure: measurements.Timeout, DNS: &measurements.DNS{Attempts: 3}}, 120 + 3*48, 0},
		{"DNS over HTTPS", measurements.Observation{Operation: measurements.Resolve, Transport: "tcp", Endpoint: v4, Sent: 700, Received: 1400},
			60 + 3*52 + 700 + 52 + 52, 60 + 2*52 + 1400 + 52 + 52},
		{"DNS over HTTPS, refused", measurements.Observation{Operation: measurements.Resolve, Transport: "tcp", Endpoint: v4, Failure: measurements.ConnectionRefused}, 60, 56},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if out, in := Wire(tt.o); out != tt.out || in != tt.in {
				t.Errorf("out %d, in %d; want %d, %d", out, in, tt.out, tt.in)
			}
		})
	}
}

// Whatever a step saw, the wire carried at least its payload, and not wildly more than payload and
// fixed costs explain.
func FuzzWire(f *testing.F) {
	for i := range len(operations) {
		f.Add(i, int64(1000), int64(50000), int64(time.Second), "", uint32(0))
		f.Add(i, int64(300), int64(0), int64(10*time.Second), string(measurements.Timeout), uint32(0))
	}
	f.Fuzz(func(t *testing.T, i int, sent, received, duration int64, failure string, retransmits uint32) {
		const most = 1 << 30
		sent, received = sent&(most-1), received&(most-1)
		o := operations[uint(i)%uint(len(operations))]
		o.Sent, o.Received, o.Failure = sent, received, measurements.Failure(failure)
		o.Duration = measurements.Seconds(duration & int64(time.Hour-1))
		o.TCP = &measurements.TCPInfo{Retransmits: retransmits % 100}
		out, in := Wire(o)
		if o.Operation != measurements.Connect && (out < sent || in < received) {
			t.Errorf("%+v: out %d, in %d", o, out, in)
		}
		if bound := (sent+received)*2 + 200<<10; out < 0 || in < 0 || out > bound || in > bound {
			t.Errorf("%+v: out %d, in %d", o, out, in)
		}
	})
}

var operations = []measurements.Observation{
	{Operation: measurements.Resolve, Transport: "udp"},
	{Operation: measurements.Resolve, Transport: "tcp", Endpoint: v6},
	{Operation: measurements.Connect, Endpoint: v4},
	{Operation: measurements.Settle, Endpoint: v4},
	{Operation: measurements.TLSHandshake, Endpoint: v6},
	{Operation: measurements.HTTPExchange, Transport: "tls", Endpoint: v4},
	{Operation: measurements.HTTPExchange, Transport: "quic", Endpoint: v4},
	{Operation: measurements.QUICHandshake, Endpoint: v6},
	{Operation: measurements.QUICVersion, Endpoint: v4},
}

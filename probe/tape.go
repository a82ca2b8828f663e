package probe

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/app"
)

// Message is something that a visit sends, byte by byte. What is random in it is random again each time.
type Message struct {
	What  string
	Bytes []byte
}

// taped is where what is taped would go: an address for documentation (RFC 5737).
var taped = netip.MustParseAddrPort("192.0.2.1:443")

// Tape lists what visits to a target send, in order, by running their own steps against connections that lead
// nowhere; nothing leaves the process. What follows an answer is there where the answer is an app's own, since a
// server of our making gives it. Inside TLS and QUIC the list has what is enciphered, in clear: HTTP/1.1, whose
// fields HTTP/2 and HTTP/3 send in their own form.
func Tape(ctx context.Context, t Target) []Message {
	tp := &tape{}
	for _, host := range t.Hosts {
		tp.resolve(ctx, host)
		break // the others' differ by their names alone
	}
	host := ""
	if len(t.Hosts) > 0 {
		host = t.Hosts[0]
	}
	for _, w := range t.Probes {
		switch w {
		case ProbeTLS, ProbeHTTPS, ProbeWSS, ProbeLEGY:
			tp.hello(ctx, host, measurements.Small)
			tp.hello(ctx, host, measurements.Default)
			tp.hello(ctx, host, measurements.Old)
		case ProbeH3:
			tp.initial(ctx, host, measurements.Small)
			tp.initial(ctx, host, measurements.Default)
		}
		tp.exchange(ctx, t, host, w)
	}
	return tp.out
}

// exchange is what a probe says once it is connected.
func (tp *tape) exchange(ctx context.Context, t Target, host string, w Probe) {
	switch w {
	case ProbeHTTPS, ProbeLEGY, ProbeH3, ProbeHTTP:
		in := HTTPInput{Host: host, Path: t.Path}
		if w == ProbeLEGY {
			in.Speaks = measurements.LEGY
		}
		if host == "" {
			in.Host = taped.Addr().String()
		}
		tp.listen("request", func(c net.Conn) { HTTP(ctx, c, in) })
	case ProbeWSS:
		tp.listen("request for a WebSocket", func(c net.Conn) {
			_, _ = app.Upgrade(ctx, c, app.UpgradeInput{Host: host, Path: t.Path, Origin: t.Origin, Protocol: t.Subprotocol, UserAgent: UserAgent})
		})
		tp.spoken(ctx, t, t.Speaks, []app.Transport{app.Obfuscated})
	case ProbeMTProto:
		tp.spoken(ctx, t, measurements.MTProto, app.Transports)
	case ProbeWhatsApp:
		tp.spoken(ctx, t, measurements.WhatsAppNoise, nil)
	case ProbeSTUN:
		tp.listen("STUN binding request", func(c net.Conn) { _, _ = app.STUN(ctx, c) })
	}
}

// spoken is an app's own first exchange.
func (tp *tape) spoken(ctx context.Context, t Target, protocol string, arms []app.Transport) {
	switch protocol {
	case measurements.MTProto:
		for _, arm := range arms {
			tp.mtproto(ctx, t, arm)
		}
	case measurements.WhatsAppNoise:
		tp.listen("WhatsApp's client hello (Noise)", func(c net.Conn) {
			_, _ = app.WhatsApp(ctx, c, app.WhatsAppInput{Root: t.NoiseRoot, Now: time.Now()})
		})
	}
}

// mtproto has a server that answers, with a key of its own: the question for its proof follows the answer.
func (tp *tape) mtproto(ctx context.Context, t Target, arm app.Transport) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // the system's chance does not fail (crypto/rand, since Go 1.24)
	}
	near, far := net.Pipe()
	defer near.Close()
	go func() {
		s := app.MTProtoServer{Key: key}
		_ = s.Serve(far)
	}()
	c := &listener{Conn: near, heard: make(chan struct{})}
	_, _ = app.MTProto(ctx, c, app.MTProtoInput{Transport: arm, Keys: []*rsa.PublicKey{&key.PublicKey}, DC: t.DC, Identity: true, Host: taped.Addr().String()})
	what := "MTProto, " + string(arm) + ": "
	for i, b := range c.sent {
		tp.out = append(tp.out, Message{What: what + []string{"req_pq_multi", "req_DH_params (under suspicion, and about once a week)"}[min(i, 1)], Bytes: b})
	}
}

// tape is the list in the making.
type tape struct{ out []Message }

// listen runs a step on a connection on which nobody answers, and keeps what it writes.
func (tp *tape) listen(what string, step func(net.Conn)) {
	c := &listener{heard: make(chan struct{})}
	step(c)
	for _, b := range c.sent {
		tp.out = append(tp.out, Message{What: what, Bytes: b})
	}
}

func (tp *tape) dialled(what string, c *listener, step func(Host)) {
	step(Host{Dial: func(context.Context, string, string) (net.Conn, error) { return c, nil }})
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.sent {
		tp.out = append(tp.out, Message{What: what, Bytes: b})
	}
}

func (tp *tape) resolve(ctx context.Context, host string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c := &listener{heard: make(chan struct{})}
	h := Host{Dial: func(context.Context, string, string) (net.Conn, error) { return c, nil }}
	h.Resolve(ctx, Resolver{URL: "udp://" + taped.Addr().String()}, host, measurements.IPv4)
	if len(c.sent) > 0 {
		tp.out = append(tp.out, Message{What: "DNS query over UDP (another for AAAA)", Bytes: c.sent[0]})
	}
}

// patience is how long a step may wait for nobody. Chosen by us: what is sent first is sent at once.
const patience = 50 * time.Millisecond

func (tp *tape) hello(ctx context.Context, host string, shape measurements.Shape) {
	tp.dialled("ClientHello, "+string(shape), &listener{heard: make(chan struct{})}, func(h Host) {
		conn, _ := h.Connect(ctx, taped)
		_, _ = h.TLS(ctx, conn, TLSInput{Name: host, Shape: shape, ALPN: alpn})
	})
}

func (tp *tape) initial(ctx context.Context, host string, shape measurements.Shape) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tp.dialled("QUIC Initial, "+string(shape), &listener{heard: make(chan struct{}), patient: true}, func(h Host) { _, _ = h.QUIC(ctx, taped, TLSInput{Name: host, Shape: shape}) })
}

// listener keeps what is written to it. It has nothing to say of its own.
type listener struct {
	net.Conn
	mu   sync.Mutex
	sent [][]byte

	// A read waits for heard, then ends. Without the wait net/http may see the end of the connection before it
	// has written what it wants to say.
	heard   chan struct{} // closed by the first write, at a deadline and by Close
	patient bool          // the first write does not: QUIC reads on
	once    sync.Once
}

func (l *listener) Write(b []byte) (int, error) {
	l.mu.Lock()
	l.sent = append(l.sent, append([]byte(nil), b...))
	l.mu.Unlock()
	if l.Conn != nil {
		return l.Conn.Write(b)
	}
	if !l.patient {
		l.wake()
	}
	return len(b), nil
}

func (l *listener) Read(b []byte) (int, error) {
	if l.Conn != nil {
		return l.Conn.Read(b)
	}
	<-l.heard
	if l.patient {
		return 0, os.ErrDeadlineExceeded
	}
	return 0, io.EOF
}

func (l *listener) Close() error {
	l.wake()
	if l.Conn != nil {
		return l.Conn.Close()
	}
	return nil
}

// wake ends a read that waits, once for all.
func (l *listener) wake() {
	l.once.Do(func() { close(l.heard) })
}

func (l *listener) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(taped) }
func (l *listener) LocalAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(taped.Addr(), 40000))
}

func (l *listener) SetDeadline(t time.Time) error { return l.set(net.Conn.SetDeadline, t) }
func (l *listener) SetReadDeadline(t time.Time) error {
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), l.wake) // quic-go's way to end a read is a deadline that has passed
	}
	return l.set(net.Conn.SetReadDeadline, t)
}
func (l *listener) SetWriteDeadline(t time.Time) error { return l.set(net.Conn.SetWriteDeadline, t) }

func (l *listener) set(f func(net.Conn, time.Time) error, t time.Time) error {
	if l.Conn != nil {
		return f(l.Conn, t)
	}
	return nil
}

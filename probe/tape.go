package probe

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

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
// fields HTTP/2 and HTTP/3 send in their own form. Of a target with several names it shows the first.
func Tape(ctx context.Context, t Target) []Message {
	tp := &tape{}
	host := ""
	if len(t.Hosts) > 0 {
		host = t.Hosts[0]
	}
	for _, name := range t.Hosts {
		tp.resolve(ctx, name)
	}
	if t.Neutral != "" && slices.Contains(t.Probes, ProbeSTUN) {
		tp.resolve(ctx, t.Neutral) // control N's server is another's
	}
	for _, w := range t.Probes {
		switch w {
		case ProbeTLS, ProbeHTTPS, ProbeWSS, ProbeLEGY:
			for _, shape := range []measurements.Shape{measurements.Small, measurements.Default, measurements.Old} {
				tp.hello(ctx, host, shape, offersOf(w))
			}
		case ProbeH3:
			tp.quic(ctx, host, "")
		}
		tp.exchange(ctx, t, host, w)
		if (w == ProbeHTTPS || w == ProbeLEGY) && host != "" && !slices.Contains(t.Probes, ProbeH3) {
			tp.quic(ctx, host, " (where the server's Alt-Svc offers HTTP/3)")
		}
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
	for i, b := range c.messages() {
		tp.out = append(tp.out, Message{What: what + []string{"req_pq_multi", "req_DH_params (under suspicion, and once a week)"}[min(i, 1)], Bytes: b})
	}
}

// tape is the list in the making.
type tape struct{ out []Message }

// listen runs a step on a connection on which nobody answers, and keeps what it writes.
func (tp *tape) listen(what string, step func(net.Conn)) {
	c := &listener{heard: make(chan struct{})}
	step(c)
	for _, b := range c.messages() {
		tp.out = append(tp.out, Message{What: what, Bytes: b})
	}
}

func (tp *tape) dialled(what string, c *listener, step func(Host)) {
	step(c.host())
	for _, b := range c.messages() {
		tp.out = append(tp.out, Message{What: what, Bytes: b})
	}
}

func (tp *tape) resolve(ctx context.Context, host string) {
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		q := question{name: host, kind: kind, class: dns.ClassINET}
		tp.inquiry(ctx, "DNS query over UDP, "+dns.TypeToString[kind], Resolver{URL: "udp://" + taped.Addr().String()}, q)
	}
}

// inquiry is the first that a resolver gets of a question.
func (tp *tape) inquiry(ctx context.Context, what string, r Resolver, q question) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tp.first(what, func(h Host) { h.inquire(ctx, r, q) })
}

// first keeps the first message that a step sends.
func (tp *tape) first(what string, step func(Host)) {
	c := &listener{heard: make(chan struct{})}
	step(c.host())
	if sent := c.messages(); len(sent) > 0 {
		tp.out = append(tp.out, Message{What: what, Bytes: sent[0]})
	}
}

// patience is how long a step may wait for nobody. Chosen by us: what is sent first is sent at once.
const patience = 50 * time.Millisecond

func (tp *tape) hello(ctx context.Context, host string, shape measurements.Shape, offers []string) {
	tp.dialled("ClientHello, "+string(shape), &listener{heard: make(chan struct{})}, func(h Host) {
		conn, _ := h.Connect(ctx, taped)
		_, _ = h.TLS(ctx, conn, TLSInput{Name: host, Shape: shape, ALPN: offers})
	})
}

// quic is a handshake over QUIC in both shapes, and control V, which follows where it and control N meet silence.
func (tp *tape) quic(ctx context.Context, host, when string) {
	tp.initial(ctx, host, measurements.Small, when)
	tp.initial(ctx, host, measurements.Default, when)
	tp.ping(ctx, "QUIC of an unknown version, after silence"+when)
}

func (tp *tape) initial(ctx context.Context, host string, shape measurements.Shape, when string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tp.dialled("QUIC Initial, "+string(shape)+when, &listener{heard: make(chan struct{}), patient: true}, func(h Host) { _, _ = h.QUIC(ctx, taped, TLSInput{Name: host, Shape: shape}) })
}

func (tp *tape) ping(ctx context.Context, what string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tp.first(what, func(h Host) { h.VersionPing(ctx, taped) })
}

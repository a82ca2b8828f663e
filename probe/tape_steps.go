package probe

import (
	"context"
	"crypto/rsa"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/measurements"
)

// tape is the list in the making.
type tape struct {
	under []Resolver // under test; none: the machine's own, over UDP
	out   []Message
	key   *rsa.PrivateKey // of the data centre that answers; nil: not needed yet
}

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
		for _, r := range tp.asked() {
			tp.question(ctx, r, ", "+dns.TypeToString[kind], question{name: host, kind: kind, class: dns.ClassINET})
		}
	}
}

// asked are the resolvers under test.
func (tp *tape) asked() []Resolver {
	if len(tp.under) == 0 {
		return []Resolver{overUDP}
	}
	return tp.under
}

// overUDP and inTCP are resolvers that are asked in clear. What is asked inside TLS is the same as over TCP.
var (
	overUDP = Resolver{URL: "udp://" + taped.Addr().String()}
	inTCP   = Resolver{URL: "tcp://" + taped.Addr().String()}
)

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

// second keeps the second, which follows where nobody answers.
func (tp *tape) second(what string, step func(Host)) {
	c := &listener{heard: make(chan struct{}), patient: true}
	step(c.host())
	if sent := c.messages(); len(sent) > 1 {
		tp.out = append(tp.out, Message{What: what, Bytes: sent[1]})
	}
}

// patience is how long a step may wait for nobody. Chosen by us: what is sent first is sent at once.
const patience = 50 * time.Millisecond

// hellos are the three shapes of a ClientHello. also says who else gets them; the hop scan then has the small one.
func (tp *tape) hellos(ctx context.Context, host string, offers []string, also string) {
	for _, shape := range []measurements.Shape{measurements.Small, measurements.Default, measurements.Old} {
		scanned := strings.Replace(also, ")", ", and in the hop scan)", 1)
		tp.hello(ctx, host, shape, offers, map[bool]string{true: scanned, false: also}[shape == measurements.Small])
	}
}

func (tp *tape) hello(ctx context.Context, host string, shape measurements.Shape, offers []string, also string) {
	tp.dialled("ClientHello, "+string(shape)+also, &listener{heard: make(chan struct{})}, func(h Host) {
		conn, _ := h.Connect(ctx, taped)
		_, _ = h.TLS(ctx, conn, TLSInput{Name: host, Shape: shape, ALPN: offers})
	})
}

// quic is a handshake over QUIC in both shapes, and control V, which follows where it and control N meet silence.
func (tp *tape) quic(ctx context.Context, host, when string) {
	tp.initial(ctx, host, measurements.Small, when)
	tp.initial(ctx, host, measurements.Default, when)
	tp.ping(ctx, "QUIC of an unknown version, after silence")
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

func (tp *tape) request(ctx context.Context, what string, in HTTPInput) {
	tp.listen(what, func(c net.Conn) { HTTP(ctx, c, in) })
}

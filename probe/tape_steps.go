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
	tp.keep(what, c.messages())
}

func (tp *tape) dialled(what string, c *listener, step func(Host)) {
	step(c.host())
	tp.keep(what, c.messages())
}

func (tp *tape) keep(what string, messages [][]byte) {
	for _, b := range messages {
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
	tp.first(ctx, what, func(ctx context.Context, h Host) { h.inquire(ctx, r, q) })
}

// first keeps the first message that a step sends.
func (tp *tape) first(ctx context.Context, what string, step func(context.Context, Host)) {
	if sent := overheard(ctx, 1, false, step); len(sent) > 0 {
		tp.keep(what, sent[:1])
	}
}

// second keeps the second, which follows where nobody answers.
func (tp *tape) second(ctx context.Context, what string, step func(context.Context, Host)) {
	if sent := overheard(ctx, 2, true, step); len(sent) > 1 {
		tp.keep(what, sent[1:2])
	}
}

// patience is how long a step may wait for nobody, and mostPatience how long where it had not sent all when that was over:
// a machine that is busy must not make the list shorter. Chosen by us: what is sent first is sent at once.
const (
	patience     = 50 * time.Millisecond
	mostPatience = 64 * patience
)

// overheard is what a step sends to nobody: this many messages at least, unless it ends long before its time is over. QUIC
// ends a little before.
func overheard(ctx context.Context, least int, patient bool, step func(context.Context, Host)) [][]byte {
	for wait := patience; ; wait *= 2 {
		c := &listener{heard: make(chan struct{}), patient: patient}
		begun := time.Now()
		bounded, cancel := context.WithTimeout(ctx, wait)
		step(bounded, c.host())
		cancel()
		early := time.Since(begun) < wait/2
		if sent := c.messages(); len(sent) >= least || early || ctx.Err() != nil || wait >= mostPatience {
			return sent
		}
	}
}

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
	datagrams := 2 // that the hello takes
	if shape == measurements.Small {
		datagrams = 1
	}
	tp.keep("QUIC Initial, "+string(shape)+when, overheard(ctx, datagrams, true, func(ctx context.Context, h Host) {
		_, _ = h.QUIC(ctx, taped, TLSInput{Name: host, Shape: shape})
	}))
}

func (tp *tape) ping(ctx context.Context, what string) {
	tp.first(ctx, what, func(ctx context.Context, h Host) { h.VersionPing(ctx, taped) })
}

func (tp *tape) request(ctx context.Context, what string, in HTTPInput) {
	tp.listen(what, func(c net.Conn) { HTTP(ctx, c, in) })
}

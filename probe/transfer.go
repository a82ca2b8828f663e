package probe

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"net"
	"sync"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// A transfer is wanted past 256 KiB or half a minute: shorter ones measure the slow start of TCP, or a
// policer's bucket (Xue et al., Throttling Twitter, IMC 2021; OONI dd-007).
const (
	transferBytes = 256 << 10
	transferTime  = 30 * time.Second
)

var (
	errStalled = errors.New("transfer: no byte came for as long as a step may take")
	errEnough  = errors.New("transfer: the time is over")
)

// Transfer measures how a body comes over an existing TLS connection: its bytes, the time from the
// first to the last, and what ended it. It fails as an exchange does, and with generic_timeout_error
// where no byte has come for the time stall; the step's own timeout does not end it. That the time is
// over, or enough bytes are here, is success. It closes conn.
func Transfer(ctx context.Context, conn net.Conn, in HTTPInput, stall time.Duration) measurements.Observation {
	wire, transport := underneath(&conn)
	s := beginOn(measurements.Transfer, transport, wire, in.Host)
	return s.transfer(ctx, wire, in, stall, conn, func(ctx context.Context, x *exchange) error {
		err := x.over(ctx, conn)
		return x.cause(err, wire.Traffic().Err)
	})
}

// TransferQUIC measures the same over HTTP/3 on an existing QUIC connection, and fails as HTTP3 does.
// It closes conn.
func TransferQUIC(ctx context.Context, conn *QUICConn, in HTTPInput, stall time.Duration) measurements.Observation {
	s := beginOn(measurements.Transfer, "quic", conn.socket, in.Host)
	o := s.transfer(ctx, conn.socket, in, stall, conn, func(ctx context.Context, x *exchange) error { return x.overQUIC(ctx, conn) })
	o.QUIC = s.quicInfo(conn.socket)
	return o
}

func (s *step) transfer(ctx context.Context, wire *Conn, in HTTPInput, stall time.Duration, conn io.Closer, over func(context.Context, *exchange) error) measurements.Observation {
	in.MaxBody = transferBytes
	mctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	m := newMeter(cancel, stall)
	defer m.stop()
	x := exchange{in: in, scheme: "https", port: wire.endpoint.Port(), meter: m}
	err := over(mctx, &x)
	s.stop()
	_ = conn.Close()

	body := m.result()
	switch cause := context.Cause(mctx); {
	case errors.Is(cause, errEnough):
		err, body.Ended = nil, measurements.EndedByTime
	case errors.Is(cause, errStalled):
		err, body.Ended = context.DeadlineExceeded, measurements.EndedByStall
	case err != nil:
		body.Ended = measurements.EndedByFailure
	case x.seen.BodyBytes >= transferBytes:
		body.Ended = measurements.EndedByBytes
	default:
		body.Ended = measurements.EndedComplete
	}
	o := s.end(wire, ended(ctx, err))
	if body.Ended == measurements.EndedByStall {
		o.Failure = measurements.Timeout
	}
	if head, whole := m.object(); whole && in.Number != nil {
		body.Object = in.Number(head)
	}
	o.HTTP, o.Transfer = &x.seen, body
	return o
}

// meter is told of a body as it comes, and ends its transfer when it stalls or has lasted long enough.
type meter struct {
	mu          sync.Mutex
	began       time.Time
	first, last time.Time
	bytes       int64
	stall       time.Duration
	stalled     *time.Timer
	over        *time.Timer
	head        hash.Hash // of the first BodyHead bytes
}

func newMeter(cancel context.CancelCauseFunc, stall time.Duration) *meter {
	return &meter{
		began: time.Now(), stall: stall, head: sha256.New(),
		stalled: time.AfterFunc(stall, func() { cancel(errStalled) }),
		over:    time.AfterFunc(transferTime, func() { cancel(errEnough) }),
	}
}

// Write is told of bytes of the body.
func (m *meter) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = time.Now()
	if m.bytes == 0 {
		m.first = m.last
	}
	if left := measurements.BodyHead - m.bytes; left > 0 {
		_, _ = m.head.Write(b[:min(int64(len(b)), left)]) // never fails
	}
	m.bytes += int64(len(b))
	m.stalled.Reset(m.stall)
	return len(b), nil
}

func (m *meter) stop() {
	m.stalled.Stop()
	m.over.Stop()
}

// object names the body by how it begins; whole is false where too little came.
func (m *meter) object() (head [sha256.Size]byte, whole bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return [sha256.Size]byte(m.head.Sum(nil)), m.bytes >= measurements.BodyHead
}

func (m *meter) result() *measurements.Body {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := &measurements.Body{Bytes: m.bytes}
	if m.bytes > 0 {
		b.Wait, b.Active = measurements.Seconds(m.first.Sub(m.began)), measurements.Seconds(m.last.Sub(m.first))
	}
	return b
}

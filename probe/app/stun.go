package app

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/telltale-probe/telltale/probe/deadline"
)

// How often a request is sent, and how long an answer is waited for (RFC 8489, section 6.2.1: RTO, Rc
// and Rm): at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s, and given up at 39.5 s.
const (
	stunRTO      = 500 * time.Millisecond
	stunRequests = 7
	stunLast     = 16 * stunRTO // the wait after the last request
)

// mostOfStrangers and mostFromStrangers are how many datagrams that are no answer we read, and how many bytes of them
// end it. Chosen by us: more than an injector or another program would plausibly send, and so few that a flood costs
// no more than the 3 kB of an app's handshake, with one datagram over the bound.
const (
	mostOfStrangers   = 8
	mostFromStrangers = 512
)

// STUNAnswer is what a server of STUN let us measure.
type STUNAnswer struct {
	// Mapped is the address under which the server says to see us; invalid where there was no answer. It is
	// for taking it out of records, and nothing proves it.
	Mapped netip.Addr
	// RTT is the time from the request to its answer; 0 where there was no answer, and where more than one
	// request was sent: all have the same transaction, so nobody knows which one was answered (Karn's
	// algorithm, RFC 8489, section 6.2.1).
	RTT time.Duration
	// Requests that were sent, 7 at most; 0 where the connection took none.
	Requests int
	// Bytes of datagrams, without their IP and UDP headers, answers of strangers included.
	Sent, Received int
}

// STUN measures whether a server of STUN answers a binding request: how calls begin. It sends no
// attribute, so a server learns no more than that somebody asks. Conn is one of UDP that is connected,
// so that what comes is from the server or from who claims to be it.
//
// It fails with *Refused and the error code of section 14.8 for an error response, and with *NotSpoken
// when nothing but strange datagrams came until the end, or more of them than we read: one that is not the answer is no
// answer, as section 6.3 has it, and the right one may come yet. Its FirstBytes are 20 at most, which is
// a header: no attribute is kept, for one of them is the volunteer's address. Everything else is the
// connection's own error, an ICMP error among them; a timeout where ctx ended, or 39.5 s went by. The
// caller closes conn; it has no deadline afterwards. Sources: RFC 8489, sections 5, 6 and 14.
func STUN(ctx context.Context, conn net.Conn) (STUNAnswer, error) {
	defer deadline.Obey(ctx, conn)()
	var t stunTransaction
	_, _ = rand.Read(t.id[:]) // never fails
	err := t.run(ctx, conn)
	if t.Requests > 1 || err != nil {
		t.RTT = 0
	}
	if t.stranger != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		err = t.stranger
	}
	return t.STUNAnswer, err
}

// stunTransaction is one request, sent until it is answered.
type stunTransaction struct {
	STUNAnswer
	id        stunID
	strangers int
	stranger  *NotSpoken // the first of them
}

// run sends and waits, in turns.
func (t *stunTransaction) run(ctx context.Context, conn net.Conn) error {
	request := appendSTUN(nil, stunBindingRequest, t.id, nil)
	start := time.Now()
	for wait := stunRTO; ; wait *= 2 {
		n, err := conn.Write(request)
		if err != nil {
			return err
		}
		t.Requests++
		t.Sent += n
		last := t.Requests == stunRequests
		if last {
			wait = stunLast
		}
		err = t.await(ctx, conn, time.Now().Add(wait))
		if last || !errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil {
			t.RTT = time.Since(start)
			return err
		}
	}
}

// await reads until the answer comes, or that time.
func (t *stunTransaction) await(ctx context.Context, conn net.Conn, until time.Time) error {
	if err := conn.SetReadDeadline(until); err != nil {
		return err
	}
	if ctx.Err() != nil { // Obey may have set its deadline before ours
		_ = conn.SetReadDeadline(deadline.Past)
	}
	// What is longer than a path of IPv6 has to pass is cut here, and so no message: section 6.1 wants less.
	var b [1280]byte
	for {
		n, err := conn.Read(b[:])
		if err != nil {
			return err
		}
		t.Received += n
		mapped, reason, err := t.id.answeredBy(b[:n])
		if reason == "" {
			t.Mapped = mapped
			return err
		}
		if t.stranger == nil {
			t.stranger = &NotSpoken{Reason: reason, FirstBytes: append([]byte(nil), b[:min(n, stunHeader)]...)}
		}
		if t.strangers++; t.strangers == mostOfStrangers || t.Received > mostFromStrangers {
			return t.stranger
		}
	}
}

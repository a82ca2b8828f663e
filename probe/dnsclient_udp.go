package probe

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/measurements"
)

const (
	// lateWindow is how long the socket stays open after the first answer. An injector is nearer than
	// the resolver, whose own answer then follows within a round trip; half a second covers the farthest
	// ones on Earth (about 300 ms) with a cache miss.
	lateWindow = 500 * time.Millisecond
	// mostLate further answers are kept. China's three injectors send up to three (Anonymous et al.,
	// FOCI 2020).
	mostLate = 8
	// mostDatagrams are looked at, over all sockets: a flood must not keep us busy. Chosen by us.
	mostDatagrams = 256
	// mostUDP is the largest answer that is read; a larger one, which we never asked for, is cut and no
	// DNS message any more.
	mostUDP = 4096
)

// udpShares are the parts of the step's time that the attempts wait, in sixths: each longer than the one
// before. Of ten seconds the first has 1.7 and the second 3.3, so that one lost datagram costs little;
// the last has five, enough for a resolver that has to go far itself (resolv.conf(5) waits as long).
var udpShares = []int64{1, 2, 3}

// arrival is a datagram, or the error that ends a socket.
type arrival struct {
	attempt int
	b       []byte
	hops    int // its IP hop limit; 0: not known
	err     error
}

// attempt is one sending of the question: an id and a source port of its own.
type attempt struct {
	id   uint16
	sent time.Time
}

// udp is the state of a question over UDP. All sockets listen until the end, so that an answer to the
// first attempt counts also when it comes after the second.
type udp struct {
	x        *inquiry
	attempts []attempt
	arrivals chan arrival
	stop     chan struct{}
	ears     sync.WaitGroup
	seen     int // datagrams

	first *answer // what counts; nil before it is here
	from  int     // its attempt
	err   error   // what is wrong with it
	// poor is an answer that counts only if none better comes: junk behind the right id, or a server
	// that could not read the question.
	poor *answer
}

// overUDP asks until an answer comes, and then listens for contradiction.
func (x *inquiry) overUDP(ctx context.Context) error {
	u := &udp{x: x, arrivals: make(chan arrival), stop: make(chan struct{})}
	defer u.close()
	deadline, _ := ctx.Deadline()
	share := time.Until(deadline) / 6
	next := time.NewTimer(0) // the next attempt, or the end of the late window
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return u.end(ctx.Err())
		case <-next.C:
			if u.first != nil {
				return u.err
			}
			if len(u.attempts) == len(udpShares) {
				continue // the context's end is near
			}
			next.Reset(time.Duration(int64(share) * udpShares[len(u.attempts)]))
			if err := u.send(ctx); err != nil {
				return u.end(err)
			}
		case a := <-u.arrivals:
			if u.seen++; u.seen > mostDatagrams {
				return u.end(errNoise)
			}
			if a.err != nil {
				return u.end(a.err)
			}
			u.hear(a, next)
		}
	}
}

// close ends all listening.
func (u *udp) close() {
	close(u.stop)
	for _, c := range u.x.conns {
		_ = c.Close()
	}
	u.ears.Wait()
}

// send asks once more, on a fresh socket. The first attempt alone has EDNS: boxes that drop or refuse
// what they don't know are common at home, and an ordinary stub does without (RFC 6891, section 6.2.2).
func (u *udp) send(ctx context.Context) error {
	conn, err := u.x.open(ctx)
	if err != nil {
		return err
	}
	conn.watchHops()
	a := attempt{id: queryID()}
	packed, err := u.x.q.pack(a.id, len(u.attempts) == 0)
	if err != nil {
		return err
	}
	a.sent = time.Now()
	number := len(u.attempts)
	u.attempts = append(u.attempts, a)
	if _, err := conn.Write(packed); err != nil {
		return err
	}
	u.x.seen.Attempts++
	u.ears.Go(func() { u.listen(number, conn) })
	return nil
}

// listen hands over what a socket hears.
func (u *udp) listen(number int, conn *Conn) {
	b := make([]byte, mostUDP)
	for {
		n, err := conn.Read(b)
		select {
		case u.arrivals <- arrival{number, bytes.Clone(b[:n]), conn.lastHops(), err}: // evidence must not hold the whole buffer
		case <-u.stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// hear takes a datagram. next is set to what is to happen when no further one comes.
func (u *udp) hear(d arrival, next *time.Timer) {
	asked := u.attempts[d.attempt]
	a, err := u.x.q.read(asked.id, d.b)
	switch {
	case errors.Is(err, errNotOurs):
	case u.first != nil:
		if err == nil && d.attempt == u.from {
			u.contradict(a, d.hops, time.Since(asked.sent))
		}
	case errors.Is(err, errJunk):
		if u.poor == nil {
			u.poor = &a
		}
	case (a.rcode == dns.RcodeFormatError || a.rcode == dns.RcodeNotImplemented) && d.attempt == 0:
		u.poor = &a // a server that does not know EDNS (RFC 6891, section 7): ask again without, now
		if len(u.attempts) == 1 {
			next.Reset(0)
		}
	default:
		u.first, u.from, u.x.conn = &a, d.attempt, u.x.conns[d.attempt]
		u.err, u.x.seen.HopLimit = u.x.take(a), d.hops
		next.Reset(lateWindow)
	}
}

// contradict keeps a further answer to the same query if it says something that none before it said. A
// truncated one without addresses says nothing.
func (u *udp) contradict(a answer, hops int, after time.Duration) {
	late := u.x.seen.Late
	if len(late) >= mostLate || a.truncated && len(a.addresses) == 0 || a.sameAs(u.first.rcode, u.first.addresses) {
		return
	}
	for _, l := range late {
		if a.sameAs(l.Rcode, l.Addresses) {
			return
		}
	}
	u.x.seen.Late = append(late, measurements.DNSAnswer{After: measurements.Seconds(after), Rcode: a.rcode, Addresses: a.addresses, HopLimit: hops})
}

// end gives the step's error when err ends the listening: what was answered counts first, then what the
// network said, and a poor answer before silence.
func (u *udp) end(err error) error {
	word := classify(measurements.Resolve, err)
	switch {
	case u.first != nil:
		return u.err
	case u.poor != nil && word == measurements.Timeout:
		return u.x.take(*u.poor)
	case word == measurements.ConnectionReset:
		return &told{measurements.ConnectionRefused, err} // Windows' word for ICMP port unreachable (WSAECONNRESET)
	}
	return err
}

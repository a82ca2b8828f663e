package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/measurements/store"
)

// Outbox is the part of a store that a courier empties.
type Outbox interface {
	Next(kind string, n int) ([]store.Message, error)
	Delivered(kind string, seq int64) error
}

// Sender hands messages of one kind to the receiver, in one request. Its errors are *Refused for what will
// never be taken, and *Later or any other for what may be taken another time.
type Sender interface {
	Send(ctx context.Context, messages []store.Message) error
}

// Counts is told what becomes of the messages. Its methods are called from one goroutine.
type Counts interface {
	// Sent tells of messages that the receiver has, and that are forgotten here.
	Sent(kind string, messages int)
	// Failed tells of an attempt that failed, by one of Reasons.
	Failed(kind, reason string)
	// Dropped tells of messages that were given up.
	Dropped(kind string, messages int)
}

// Why an attempt failed, as metrics count it.
const (
	Unreachable = "unreachable" // no answer: the line, the proxy, TLS
	Limited     = "limited"     // 429: too much for now
	Server      = "server"      // 5xx, or a redirect, as a captive portal gives
	Denied      = "denied"      // evidence alone, 401, 403, 404 and 407: a token or a table that may still come
	Rejected    = "refused"     // another 4xx: never
	Damaged     = "damaged"     // the message can't be read back
	Local       = "local"       // our own store failed
)

// Reasons lists them all.
var Reasons = []string{Unreachable, Limited, Server, Denied, Rejected, Damaged, Local}

// Refused says that what was sent will never be taken.
type Refused struct {
	Reason string // Rejected or Damaged
	Err    error
}

func (r *Refused) Error() string { return r.Err.Error() }
func (r *Refused) Unwrap() error { return r.Err }

// Later says that what was sent may be taken another time.
type Later struct {
	Reason string        // one of Reasons
	After  time.Duration // which the receiver asked for; 0 where it did not
	Err    error
}

func (l *Later) Error() string { return l.Err.Error() }
func (l *Later) Unwrap() error { return l.Err }

// Courier empties the outbox of one kind of messages, in their order.
type Courier struct {
	Kind   string
	Outbox Outbox
	Sender Sender
	Counts Counts
	Log    zerolog.Logger
	// Batch is how many messages go in one request while many wait; 0 is one.
	Batch int
	// Pause is the mean time between two requests while messages wait, so that a week's worth does not fall
	// on the receiver, and on the volunteer's line, at once; 0 is none.
	Pause time.Duration
	// Least is how long to wait after a first failure; 0 is what is right for a receiver on the internet.
	Least time.Duration
	// Wake is sent to when there is something new. Optional: the outbox is looked at every minute as well.
	Wake <-chan struct{}
}

// lookEvery is how often the outbox is looked at without being woken. Chosen by us.
const lookEvery = time.Minute

// Run delivers until ctx ends, and returns at once then. A message under way is sent again next time.
func (c *Courier) Run(ctx context.Context) {
	wait := backoff{least: c.Least}
	alone := 0 // so many messages go one by one, since a batch with them was refused
	for ctx.Err() == nil {
		n := max(c.Batch, 1)
		if alone > 0 {
			n = 1
		}
		messages, err := c.Outbox.Next(c.Kind, n)
		if err != nil {
			c.failed(Local, err)
			sleep(ctx, wait.next(0))
			continue
		}
		if len(messages) == 0 {
			alone = 0
			c.idle(ctx)
			continue
		}
		err = c.Sender.Send(ctx, messages)
		sent := len(messages)
		var refused *Refused
		switch {
		case ctx.Err() != nil:
			return
		case errors.As(err, &refused) && len(messages) > 1:
			alone = len(messages) // one of them is at fault; the others must not suffer for it
			sleep(ctx, c.pause())
			continue
		case errors.As(err, &refused):
			c.failed(refused.Reason, err)
			c.Log.Error().Err(err).Str("kind", c.Kind).Time("of", messages[0].Created).Msg("the receiver will never take this: dropped")
			c.Counts.Dropped(c.Kind, 1)
			sent = 0
		case err != nil:
			reason, after := Unreachable, time.Duration(0)
			if later := (*Later)(nil); errors.As(err, &later) {
				reason, after = later.Reason, later.After
			}
			c.failed(reason, err)
			sleep(ctx, wait.next(after))
			continue
		}
		alone = max(alone-len(messages), 0)
		if !c.forget(ctx, messages[len(messages)-1].Seq, &wait) {
			return
		}
		if sent > 0 {
			c.Counts.Sent(c.Kind, sent)
		}
		wait.failures = 0
		sleep(ctx, c.pause())
	}
}

// forget is patient: to send on before the disk has it would be to send it all again after a restart.
func (c *Courier) forget(ctx context.Context, seq int64, wait *backoff) (done bool) {
	for {
		err := c.Outbox.Delivered(c.Kind, seq)
		if err == nil {
			return true
		}
		c.failed(Local, fmt.Errorf("delivered, but can't be forgotten: %w", err))
		if sleep(ctx, wait.next(0)); ctx.Err() != nil {
			return false
		}
	}
}

// failed counts an attempt, and says so at a level that an offline week can bear: the metrics have the rest.
func (c *Courier) failed(reason string, err error) {
	c.Counts.Failed(c.Kind, reason)
	c.Log.Debug().Err(err).Str("kind", c.Kind).Str("reason", reason).Msg("not delivered")
}

func (c *Courier) idle(ctx context.Context) {
	timer := time.NewTimer(lookEvery)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-c.Wake:
	}
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

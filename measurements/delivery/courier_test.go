package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/telltale-probe/telltale/measurements/store"
)

// box is an outbox in memory.
type box struct {
	mu       sync.Mutex
	messages []store.Message
	fail     int // so many calls of Delivered
}

func boxOf(n int) *box {
	b := &box{}
	for i := range n {
		b.messages = append(b.messages, store.Message{Seq: int64(i + 1), Kind: "k", Body: []byte{byte(i + 1)}})
	}
	return b
}

func (b *box) put(seq int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = append(b.messages, store.Message{Seq: seq, Kind: "k"})
}

func (b *box) Next(_ string, n int) ([]store.Message, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.messages[:min(n, len(b.messages))]), nil
}

func (b *box) Delivered(_ string, seq int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail > 0 {
		b.fail--
		return errors.New("the disk is full")
	}
	b.messages = slices.DeleteFunc(b.messages, func(m store.Message) bool { return m.Seq <= seq })
	return nil
}

// request is what a sender was asked to send, and when.
type request struct {
	At   time.Duration
	Seqs []int64
}

// script is a sender that answers as it is told.
type script struct {
	start    time.Time
	requests []request
	answer   func(request int, seqs []int64) error
}

func (s *script) Send(_ context.Context, messages []store.Message) error {
	r := request{At: time.Since(s.start)}
	for _, m := range messages {
		r.Seqs = append(r.Seqs, m.Seq)
	}
	s.requests = append(s.requests, r)
	return s.answer(len(s.requests), r.Seqs)
}

func (s *script) seqs() (out [][]int64) {
	for _, r := range s.requests {
		out = append(out, r.Seqs)
	}
	return out
}

// tally counts what a courier tells.
type tally struct {
	sent, dropped int
	failed        map[string]int
}

func (c *tally) Sent(_ string, n int) { c.sent += n }
func (c *tally) Failed(_, reason string) {
	if c.failed == nil {
		c.failed = map[string]int{}
	}
	c.failed[reason]++
}
func (c *tally) Dropped(_ string, n int) { c.dropped += n }

// carry runs a courier for a while of virtual time.
func carry(t *testing.T, b *box, c Courier, d time.Duration, answer func(request int, seqs []int64) error) (*script, *tally) {
	s, n := &script{answer: answer}, &tally{}
	synctest.Test(t, func(t *testing.T) {
		s.start = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		c.Kind, c.Outbox, c.Sender, c.Counts = "k", b, s, n
		c.Run(ctx)
		if took := time.Since(s.start); took > d {
			t.Errorf("it ran for %s after it was told to stop", took-d)
		}
	})
	return s, n
}

var errDown = &Later{Reason: Server, Err: errors.New("503")}

// What fails is sent again, after longer and longer pauses, and nothing overtakes it.
func TestBackOff(t *testing.T) {
	b := boxOf(5)
	s, n := carry(t, b, Courier{Batch: 2}, 24*time.Hour, func(i int, _ []int64) error {
		if i <= 12 {
			return errDown
		}
		return nil
	})
	if got := s.seqs(); len(got) != 15 || !cmp.Equal(got[11:], [][]int64{{1, 2}, {1, 2}, {3, 4}, {5}}) || n.sent != 5 || n.failed[Server] != 12 || len(b.messages) != 0 {
		t.Fatalf("%v, %+v", got, n)
	}
	for i := 1; i < 13; i++ {
		wait, most := s.requests[i].At-s.requests[i-1].At, min(leastWait<<(i-1), mostWait)
		if wait > most || wait < most/2-time.Second {
			t.Errorf("pause %d is %s; at most %s", i, wait, most)
		}
	}
	// A thousand vantages must not come back in step.
	other, _ := carry(t, boxOf(1), Courier{}, 24*time.Hour, func(int, []int64) error { return errDown })
	if other.requests[5].At == s.requests[5].At {
		t.Error("no jitter")
	}
}

// A month without a line costs few attempts, and the line's return is noticed within minutes.
func TestALongOutage(t *testing.T) {
	const month = 30 * 24 * time.Hour
	s, n := carry(t, boxOf(3), Courier{Batch: 8}, month+time.Hour, func(int, []int64) error { return errDown })
	if attempts := int(month / mostWait); len(s.requests) < attempts || len(s.requests) > 2*attempts+20 || n.sent != 0 {
		t.Fatalf("%d attempts, %d sent", len(s.requests), n.sent)
	}
	for i := 1; i < len(s.requests); i++ {
		if wait := s.requests[i].At - s.requests[i-1].At; wait > mostWait {
			t.Fatalf("a pause of %s", wait)
		}
	}
}

// Retry-After is honoured, and bounded.
func TestRetryAfter(t *testing.T) {
	for after, want := range map[time.Duration]time.Duration{20 * time.Minute: 20 * time.Minute, time.Millisecond: 0, 1000 * time.Hour: mostAfter} {
		s, _ := carry(t, boxOf(1), Courier{}, 24*time.Hour, func(i int, _ []int64) error {
			if i == 1 {
				return &Later{Reason: Limited, After: after, Err: errors.New("429")}
			}
			return nil
		})
		if len(s.requests) != 2 || s.requests[1].At < want || s.requests[1].At > want+want/10+leastWait {
			t.Errorf("Retry-After %s: %v", after, s.requests)
		}
	}
}

// What is refused for good is dropped alone, and once; the rest of its request arrives.
func TestRefused(t *testing.T) {
	b := boxOf(9)
	arrived := []int64{}
	s, n := carry(t, b, Courier{Batch: 4, Pause: time.Second}, time.Hour, func(_ int, seqs []int64) error {
		if slices.Contains(seqs, 3) {
			return &Refused{Rejected, errors.New("400")}
		}
		arrived = append(arrived, seqs...)
		return nil
	})
	if want := [][]int64{{1, 2, 3, 4}, {1}, {2}, {3}, {4}, {5, 6, 7, 8}, {9}}; !cmp.Equal(s.seqs(), want) {
		t.Errorf("%v", s.seqs())
	}
	if !slices.Equal(arrived, []int64{1, 2, 4, 5, 6, 7, 8, 9}) || n.dropped != 1 || n.sent != 8 || n.failed[Rejected] != 1 {
		t.Errorf("%v, %+v", arrived, n)
	}
}

// A backlog goes out at a bounded pace.
func TestPace(t *testing.T) {
	s, _ := carry(t, boxOf(100), Courier{Batch: 2, Pause: 2 * time.Second}, time.Hour, func(int, []int64) error { return nil })
	if took := s.requests[49].At; len(s.requests) != 50 || took < 75*time.Second || took > 125*time.Second {
		t.Errorf("%d requests in %s", len(s.requests), s.requests[len(s.requests)-1].At)
	}
}

// While the disk can't forget what was delivered nothing else is sent: a restart would send it all again.
func TestDeliveredButNotForgotten(t *testing.T) {
	b := boxOf(2)
	b.fail = 3
	s, n := carry(t, b, Courier{}, time.Hour, func(int, []int64) error { return nil })
	if want := [][]int64{{1}, {2}}; !cmp.Equal(s.seqs(), want) || n.failed[Local] != 3 || s.requests[1].At < leastWait {
		t.Errorf("%v, %+v", s.requests, n)
	}
}

// Something new is sent when the courier is woken, else within a minute.
func TestWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, wake := &box{}, make(chan struct{}, 1)
		s := &script{start: time.Now(), answer: func(int, []int64) error { return nil }}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		go func() {
			time.Sleep(5*time.Minute + time.Second)
			b.put(1)
			wake <- struct{}{}
			time.Sleep(time.Second)
			b.put(2)
		}()
		(&Courier{Kind: "k", Outbox: b, Sender: s, Counts: &tally{}, Wake: wake}).Run(ctx)
		if len(s.requests) != 2 || s.requests[0].At != 5*time.Minute+time.Second || s.requests[1].At > 6*time.Minute+2*time.Second {
			t.Error(fmt.Sprint(s.requests))
		}
	})
}

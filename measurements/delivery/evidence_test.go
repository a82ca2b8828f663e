package delivery_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	ms "github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/delivery"
	"github.com/telltale-probe/telltale/measurements/ooni"
	"github.com/telltale-probe/telltale/measurements/store"
)

// collector is an HTTP receiver that keeps one line a measurement id, as the documentation tells receivers
// to. Of seven requests it takes three as it should; it answers one with 500 and one as if the token or the table were
// not there yet, and of two it cuts the connection: before it has read all of one, after it has kept the other.
type collector struct {
	mu       sync.Mutex
	ids      []string // in the order in which they came first
	bodies   map[string][]byte
	repeated int // lines that came again
	requests int
	wrong    []string
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	switch c.requests % 7 {
	case 1:
		w.WriteHeader(http.StatusInternalServerError)
		return
	case 2:
		panic(http.ErrAbortHandler) // the connection is cut
	case 3:
		w.WriteHeader([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusProxyAuthRequired}[c.requests/7%4])
		return
	}
	c.take(r)
	if c.requests%7 == 5 {
		panic(http.ErrAbortHandler) // kept, but the answer is lost
	}
}

func (c *collector) take(r *http.Request) {
	fail := func(format string, args ...any) { c.wrong = append(c.wrong, fmt.Sprintf(format, args...)) }
	if r.Header.Get("Content-Type") != "application/x-ndjson" || r.Header.Get("Content-Encoding") != "gzip" || r.Method != http.MethodPost {
		fail("%s %v", r.Method, r.Header)
	}
	packed, err := io.ReadAll(r.Body)
	if err != nil {
		fail("%v", err)
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if was, again := c.bodies[key]; again && !bytes.Equal(was, packed) {
		fail("round %q came again with other bytes", key)
	}
	c.bodies[key] = packed
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		fail("%v", err)
		return
	}
	for m, err := range ooni.Read(plain) {
		if err != nil {
			fail("%v", err)
			return
		}
		if m.Round != key {
			fail("measurement %s of round %q under the key %q", m.ID, m.Round, key)
		}
		if slices.Contains(c.ids, m.ID) {
			c.repeated++
			continue
		}
		c.ids = append(c.ids, m.ID)
	}
}

// keptRound puts a round of two apps into the store, with what stands for it in the outbox.
func keptRound(t *testing.T, s *store.Store, n int, at time.Time) (ids []string) {
	t.Helper()
	measured := func(app string) ms.Measurement {
		id := fmt.Sprintf("%s-%d", app, n)
		ids = append(ids, id)
		return ms.Measurement{ID: id, App: app, Started: at, Targets: []ms.TargetInfo{{ID: "web"}}, Observations: []ms.Observation{{Target: "web", Operation: ms.Connect, Started: at, Endpoint: "192.0.2.1:443"}}}
	}
	r := ms.Round{ID: fmt.Sprint("round-", n), Started: at, Gate: measured(ms.ControlApp), Apps: []ms.Measurement{measured("telegram"), measured("line")}}
	if err := s.Keep(&store.Kept{Round: r, Outbox: []store.Message{delivery.EvidenceMessage(&r)}}); err != nil {
		t.Fatal(err)
	}
	return ids
}

// tally ends a courier after so many messages.
type tally struct {
	sent, dropped, failed int
	most                  int
	stop                  context.CancelFunc
}

func (c *tally) Sent(_ string, n int) {
	if c.sent += n; c.sent >= c.most {
		c.stop()
	}
}
func (c *tally) Failed(string, string)   { c.failed++ }
func (c *tally) Dropped(_ string, n int) { c.dropped += n }

// A week of evidence through 500s, cut connections, lost answers and restarts: each measurement once, in order.
func TestEvidenceArrivesOnceAndInOrder(t *testing.T) {
	const week = 7 * 96
	dir := filepath.Join(t.TempDir(), "store")
	open := func() *store.Store {
		s, err := store.Open(dir, store.Options{Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	start := time.Now().Add(-7 * 24 * time.Hour).Truncate(time.Millisecond)
	var want []string
	for i := range week {
		want = append(want, keptRound(t, s, i, start.Add(time.Duration(i)*15*time.Minute))...)
	}
	c := &collector{bodies: map[string][]byte{}}
	server := httptest.NewUnstartedServer(c)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the connections that it cuts
	server.Start()
	defer server.Close()
	sent, failed := 0, 0
	for restarts := 0; sent < week; restarts++ {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		n := &tally{most: min(50+restarts, week-sent), stop: cancel}
		if restarts%2 == 1 { // killed in the middle of something
			ctx, cancel = context.WithTimeout(ctx, 40*time.Millisecond)
		}
		(&delivery.Courier{Kind: delivery.EvidenceKind, Outbox: s, Counts: n, Batch: 1, Least: time.Millisecond, Log: zerolog.Nop(),
			Sender: &delivery.Evidence{Post: postTo(t, server.URL), Rounds: s, Log: zerolog.Nop()}}).Run(ctx)
		cancel()
		n.stop()
		if n.dropped > 0 {
			t.Fatalf("%d dropped", n.dropped)
		}
		sent, failed = sent+n.sent, failed+n.failed
		if left, err := s.Waiting(delivery.EvidenceKind); err != nil || left != week-sent {
			t.Fatalf("%d left after %d: %v", left, sent, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open()
	}
	defer func() { _ = s.Close() }()
	if diff := cmp.Diff(want, c.ids); diff != "" || len(c.wrong) > 0 {
		t.Errorf("%v\n(-want +got):\n%s", c.wrong, diff)
	}
	if c.repeated == 0 || failed < week/3 {
		t.Errorf("only %d repeated lines and %d failures: the test tests nothing", c.repeated, failed)
	}
	t.Logf("%d measurements in %d requests, %d lines came again", len(c.ids), c.requests, c.repeated)
}

// Evidence that the store has no more is dropped, and what comes after it arrives.
func TestEvidenceThatIsGone(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "store"), store.Options{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	gone := delivery.EvidenceMessage(&ms.Round{ID: "gone", Started: time.Now()})
	if err := s.Enqueue(gone, store.Message{Kind: delivery.EvidenceKind, Body: []byte("{")}); err != nil {
		t.Fatal(err)
	}
	want := keptRound(t, s, 1, time.Now())
	c := &collector{bodies: map[string][]byte{}, requests: 3} // the next is taken
	server := httptest.NewServer(c)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	n := &tally{most: 1, stop: cancel}
	(&delivery.Courier{Kind: delivery.EvidenceKind, Outbox: s, Counts: n, Log: zerolog.Nop(),
		Sender: &delivery.Evidence{Post: postTo(t, server.URL), Rounds: s, Log: zerolog.New(zerolog.NewTestWriter(t))}}).Run(ctx)
	if n.dropped != 2 || n.sent != 1 || !slices.Equal(c.ids, want) {
		t.Errorf("%+v, %v", n, c.ids)
	}
}

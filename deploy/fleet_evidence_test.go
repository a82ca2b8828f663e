package deploy

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/delivery"
	"github.com/telltale-probe/telltale/measurements/ooni"
	"github.com/telltale-probe/telltale/measurements/store"
)

// rounds is how many a vantage point has to deliver: a day's fourth.
const rounds = 24

// record is one of them, as it must arrive.
type record struct {
	id   string
	text string
	of   measurements.Measurement
}

// outbox is the store of a vantage point which was without a line for some hours.
func outbox(t *testing.T) (dir string, want []record) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "store")
	s := opened(t, dir)
	homes := lines(t, "innocent-clean-line", "tls-reset-by-name", "dns-nxdomain-at-the-isp")
	begin := time.Now().Add(-6 * time.Hour).Truncate(time.Millisecond)
	for i := range rounds {
		l := homes[i%len(homes)].at(begin.Add(time.Duration(i)*15*time.Minute), fmt.Sprintf("round-%02d", i))
		kept := store.Kept{Round: l.round, Verdict: l.verdict, Outbox: []store.Message{delivery.EvidenceMessage(&l.round)}}
		if err := s.Keep(&kept); err != nil {
			t.Fatal(err)
		}
		for _, m := range append([]measurements.Measurement{l.round.Gate}, l.round.Apps...) {
			text, err := ooni.Record(m)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, record{m.ID, string(text), m})
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, want
}

func opened(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir, store.Options{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// troubled stands before a receiver, and gives it, of six requests, five in some way: it has one answered with 500,
// one with 404, one with 401, as receivers are that are being moved; two it brings and then loses the answer of one.
type troubled struct {
	to    http.Handler
	mu    sync.Mutex
	asked int
	lost  int // answers
}

func (x *troubled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.asked++
	switch x.asked % 6 {
	case 1, 2, 3:
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader([]int{0, http.StatusInternalServerError, http.StatusNotFound, http.StatusUnauthorized}[x.asked%6])
	case 4:
		x.to.ServeHTTP(httptest.NewRecorder(), r)
		x.lost++
		panic(http.ErrAbortHandler)
	default:
		x.to.ServeHTTP(w, r)
	}
}

// tally ends a courier after so many messages.
type tally struct {
	sent, dropped, failed, most int
	stop                        context.CancelFunc
}

func (c *tally) Sent(_ string, n int) {
	if c.sent += n; c.sent >= c.most {
		c.stop()
	}
}
func (c *tally) Failed(string, string)   { c.failed++ }
func (c *tally) Dropped(_ string, n int) { c.dropped += n }

// delivered brings a vantage point's evidence to a receiver behind the gateway, by the receivers/*.conf of that name,
// through troubles of the receiver and restarts of vantage point and gateway. It gives how many answers were lost.
func delivered(t *testing.T, name string, receiver http.Handler, dir string) (lost int) {
	t.Helper()
	x := &troubled{to: receiver}
	behind := httptest.NewUnstartedServer(x)
	behind.Config.ErrorLog = log.New(io.Discard, "", 0) // of the connections that are cut
	behind.Start()
	defer behind.Close()
	at := behind.Listener.Addr().String()
	g := newGateway(t, "victoriametrics", at, name, at)
	for left := rounds; left > 0; {
		s := opened(t, dir)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		c := &tally{most: min(left, 10), stop: cancel}
		(&delivery.Courier{Kind: delivery.EvidenceKind, Outbox: s, Counts: c, Least: time.Millisecond, Log: zerolog.Nop(),
			Sender: &delivery.Evidence{Post: impatient(g.post("/rounds", token)), Rounds: s, Log: zerolog.Nop()}}).Run(ctx)
		cancel()
		left -= c.sent
		if waiting, err := s.Waiting(delivery.EvidenceKind); err != nil || waiting != left || c.dropped > 0 || c.sent == 0 {
			t.Fatalf("%d left of %d, %+v: %v", waiting, rounds, c, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		g.stop()
		g.start()
	}
	if x.lost < rounds/8 {
		t.Errorf("only %d answers were lost: the test tests nothing", x.lost)
	}
	return x.lost
}

// impatient takes out of answers how long to wait: a test has no minute.
func impatient(p *delivery.Post) *delivery.Post {
	through := p.Client.Transport
	p.Client.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := through.RoundTrip(r)
		if err == nil {
			response.Header.Del("Retry-After")
		}
		return response, err
	})
	return p
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// collector is an HTTP receiver that keeps one line a measurement id, in the order in which they came.
type collector struct {
	ids, texts []string
	lines      int
	wrong      []string
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail := func(err error) {
		c.wrong = append(c.wrong, err.Error())
		w.WriteHeader(http.StatusBadRequest)
	}
	if r.Header.Get("Content-Type") != "application/x-ndjson" || r.Header.Get("Content-Encoding") != "gzip" {
		fail(fmt.Errorf("headers %v", r.Header))
		return
	}
	plain, err := gzip.NewReader(r.Body)
	if err != nil {
		fail(err)
		return
	}
	for m, err := range ooni.Read(plain) {
		if err != nil || m.Round != r.Header.Get("Idempotency-Key") {
			fail(fmt.Errorf("measurement %s of round %s under the key %s: %w", m.ID, m.Round, r.Header.Get("Idempotency-Key"), err))
			return
		}
		c.lines++
		if !slices.Contains(c.ids, m.ID) {
			text, err := ooni.Record(m)
			if err != nil {
				fail(err)
			}
			c.ids, c.texts = append(c.ids, m.ID), append(c.texts, string(text))
		}
	}
}

// Real rounds through a real gateway, to what researchers have, or may have: each measurement is there once, whole,
// though answers are lost and both sides end and begin again.
func TestFleetEvidence(t *testing.T) {
	tool(t, "nginx")
	dir, want := outbox(t)
	for name, receives := range map[string]func(*testing.T, string, []record){
		"a receiver that takes notes": collect, "VictoriaLogs": inVictoriaLogs, "ClickHouse": inClickHouse,
	} {
		t.Run(name, func(t *testing.T) {
			mine := filepath.Join(t.TempDir(), "store")
			if err := errors.Join(os.CopyFS(mine, os.DirFS(dir)), os.Chmod(mine, 0o700)); err != nil {
				t.Fatal(err)
			}
			receives(t, mine, want)
		})
	}
}

// collect wants them in order besides: a database has none.
func collect(t *testing.T, dir string, want []record) {
	c := &collector{}
	lost := delivered(t, "vector", c, dir)
	var ids, texts []string
	for _, r := range want {
		ids, texts = append(ids, r.id), append(texts, r.text)
	}
	if diff := cmp.Diff(ids, c.ids); diff != "" || len(c.wrong) > 0 {
		t.Errorf("%v\n(-want +got):\n%s", c.wrong, diff)
	}
	if !slices.Equal(texts, c.texts) {
		t.Error("records came in another form")
	}
	t.Logf("%d measurements, %d lines, %d answers lost", len(c.ids), c.lines, lost)
}

// proxied is a receiver at an address.
func proxied(t *testing.T, address string) http.Handler {
	t.Helper()
	return httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
}

package deploy

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements/delivery"
	"github.com/telltale-probe/telltale/measurements/metrics"
	"github.com/telltale-probe/telltale/measurements/remotewrite"
)

const (
	// members is how many vantage points the load program has where TELLTALE_FLEET does not say.
	members = 50
	// lookedAt is of how many members every sample is compared.
	lookedAt = 50
	// senders is how many of them have a request under way at a time. Chosen by us: two for each core of a
	// small machine, on which the receiver runs besides.
	senders = 4
	// states is what each sends: a round and its heartbeats until the next one.
	states = 4
	// longest is how long sending may take: it has an end also where the receiver has none.
	longest = 3 * time.Minute
	// lost is how often an answer is lost on the way, after which the same is sent again: one in so many.
	lost = 10
)

// A fleet pushes to a real VictoriaMetrics, in less time than a fleet has: what takes it a quarter of an hour comes
// at once, under the times at which it would have been recorded. Each sample is there once, also those that were
// sent twice. With TELLTALE_FLEET=1000 and -v it prints what a fleet costs.
func TestFleetLoad(t *testing.T) {
	n := members
	if text := os.Getenv("TELLTALE_FLEET"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 || n > 2000 {
			t.Fatalf("TELLTALE_FLEET=%q: 1 to 2000 vantage points", text)
		}
	}
	server := victoriaMetrics(t)
	way := newCounted(senders)
	fleet := recorded(t, 0, n, way.to(t, "http://"+server+"/api/v1/write"), time.Now())
	f := cost{members: n}
	for _, m := range fleet {
		f.samples, f.series = f.samples+m.sum, f.series+m.series
	}
	f.first = sendAll(t, fleet, way, 0, 1) // with what is told once
	f.rest = sendAll(t, fleet, way, 1, states)
	f.second = toSecond(t, fleet[0])
	f.ask(t, server)
	if f.active != f.series || f.rows < f.samples {
		t.Errorf("VictoriaMetrics has %d rows of %d series; %d of %d were sent", f.rows, f.active, f.samples, f.series)
	}
	for _, m := range fleet[:min(n, lookedAt)] {
		compare(t, m, exported(t, server, m.instance))
	}
	t.Log(f)
}

// recorded makes n of a fleet, numbered from first on, and what each has to send: its states, four minutes apart, the
// last one at a given time.
func recorded(t *testing.T, first, n int, post *delivery.Post, last time.Time) (fleet []*member) {
	t.Helper()
	homes := lines(t, households[:min(n, len(households))]...)
	demons, shows := make([]*metrics.Metrics, len(homes)), make([][]*dto.MetricFamily, len(homes))
	for i := range homes {
		demons[i] = shown()
	}
	for i := range n {
		fleet = append(fleet, newMember(first+i, &shows[i%len(homes)], post))
	}
	beat := config.Default().Push.Interval
	begin := last.Truncate(time.Second).Add(-(states - 1) * beat)
	for s := range states {
		at := begin.Add(time.Duration(s) * beat)
		sizes := make([]int, len(homes))
		for i := range homes {
			if s == 0 {
				l := homes[i].at(at.Add(-10*time.Second), fmt.Sprint(s))
				demons[i].Observe(l.round, l.verdict)
			}
			families, err := demons[i].Gather()
			if err != nil {
				t.Fatal(err)
			}
			shows[i] = families
			sizes[i] = len(exposed(t, demons[i]))
		}
		for i, m := range fleet {
			m.series, m.sum = sizes[i%len(homes)], m.sum+sizes[i%len(homes)]
			m.record(t, at.Add(time.Duration(i)*time.Millisecond), i < lookedAt) // no two at the same moment
		}
	}
	return fleet
}

// sendAll has every member bring its states from one to another in their order, one a request, as a daemon does
// whose line is in order.
func sendAll(t *testing.T, fleet []*member, way *counted, from, to int) (p phase) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	begin, before := time.Now(), way.bytes()
	turns := make(chan *member)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range senders {
		wg.Go(func() {
			for m := range turns {
				n, err := m.send(ctx, from, to)
				mu.Lock()
				if p.sendings += n; err != nil {
					t.Errorf("%s: %v", m.instance, err)
				}
				mu.Unlock()
			}
		})
	}
	for _, m := range fleet {
		turns <- m
	}
	close(turns)
	wg.Wait()
	p.took, p.bytes = time.Since(begin), way.bytes()-before
	return p
}

// toSecond is what a member's states cost towards a receiver of remote write 2.0.
func toSecond(t *testing.T, m *member) phase {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Prometheus-Remote-Write-Samples-Written", strconv.Itoa(m.series))
		w.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()
	way := newCounted(1)
	same := *m
	same.writer = remotewrite.NewWriter(way.to(t, receiver.URL), zerolog.Nop())
	return sendAll(t, []*member{&same}, way, 0, states)
}

// send gives how often something was sent: now and then an answer is lost, and the same is sent again.
func (m *member) send(ctx context.Context, from, to int) (sendings int, err error) {
	for i := from; i < to; i++ {
		times := 1
		if (i+int(m.instance[31]))%lost == 0 {
			times = 2
		}
		for range times {
			if err := m.writer.Send(ctx, m.waiting[i:i+1]); err != nil {
				return sendings, err
			}
			sendings++
		}
	}
	return sendings, nil
}

// compare holds what a receiver has of a member against what was recorded.
func compare(t *testing.T, m *member, got samples) {
	t.Helper()
	wrong := 0
	for series, want := range m.truth {
		for at, value := range want {
			// It keeps some fifteen decimal digits (docs.victoriametrics.com, "What is the precision of stored values").
			if have, there := got[series][at]; !there || math.Abs(have-value) > 1e-12*math.Abs(value) {
				if wrong++; wrong < 4 {
					t.Errorf("%s: %s at %d is %v, want %v", m.instance, series, at, have, value)
				}
			}
		}
		if len(got[series]) != len(want) {
			t.Errorf("%s: %s has %d samples, want %d", m.instance, series, len(got[series]), len(want))
		}
	}
	if len(got) != len(m.truth) || len(got) == 0 {
		t.Errorf("%s: %d series, want %d", m.instance, len(got), len(m.truth))
	}
}

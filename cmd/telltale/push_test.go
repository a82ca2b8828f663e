package main

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/exp/api/remote"
	writev2 "github.com/prometheus/client_golang/exp/api/remote/genproto/v2"
	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/delivery"
	"github.com/telltale-probe/telltale/measurements/remotewrite"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/probe"
)

// sink receives metrics by remote write 2.0, and evidence.
type sink struct {
	mu        sync.Mutex
	values    map[string]map[int64]float64 // by metric name and time, of series without further labels
	instances map[string]bool
	most      int // series in one request
	lines     int
	requests  int
	pushed    pushed
}

func (s *sink) Store(r *http.Request, _ remote.WriteMessageType) (*remote.WriteResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	w := remote.NewWriteResponse()
	plain, err := io.ReadAll(r.Body)
	var request writev2.Request
	if err = errors.Join(err, request.UnmarshalVT(plain)); err != nil {
		return w, err
	}
	s.most = max(s.most, len(request.Timeseries))
	for _, series := range request.Timeseries {
		w.Samples += len(series.Samples)
		labels := map[string]string{}
		pairs := writev2.DesymbolizeLabels(series.LabelsRefs, request.Symbols, nil)
		for i := 0; i < len(pairs); i += 2 {
			labels[pairs[i]] = pairs[i+1]
		}
		s.instances[labels["instance"]] = true
		s.pushed.metrics = append(s.pushed.metrics, fmt.Sprint(strings.Join(pairs, " "), " ", series.Samples[0].Value))
		if name := labels["__name__"]; len(labels) == 3 && !math.IsNaN(series.Samples[0].Value) {
			if s.values[name] == nil {
				s.values[name] = map[int64]float64{}
			}
			for _, x := range series.Samples {
				s.values[name][x.Timestamp] = x.Value
			}
		}
	}
	return w, nil
}

func (s *sink) evidence(_ http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	plain, err := gzip.NewReader(r.Body)
	if err == nil {
		var b []byte
		b, _ = io.ReadAll(plain)
		s.lines += strings.Count(string(b), "\n")
		s.pushed.evidence = append(s.pushed.evidence, string(b))
	}
}

// pushing is a daemon with a sink, and a configuration that pushes there.
func pushing(t *testing.T) (*daemon, *sink, *config.Config) {
	t.Helper()
	s := &sink{values: map[string]map[int64]float64{}, instances: map[string]bool{}}
	mux := http.NewServeMux()
	mux.Handle("/api/v1/write", remote.NewWriteHandler(s, remote.MessageTypes{remote.WriteV2MessageType}))
	mux.HandleFunc("/evidence", s.evidence)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	cfg := config.Default()
	cfg.Consent = time.Now()
	for path, to := range map[string]**url.URL{"/api/v1/write": &cfg.Push.Metrics.URL, "/evidence": &cfg.Push.Evidence.URL} {
		u, err := url.Parse(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		*to = u
	}
	counted := newMetrics(cfg)
	kept, err := store.Open(t.TempDir(), storeOptions(cfg, zerolog.Nop(), counted))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := newPlan(cfg, realHost(cfg))
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{log: zerolog.Nop(), store: kept, metrics: counted, watch: &probe.Watch{Plan: plan}, push: &pusher{log: zerolog.Nop(), store: kept, metrics: counted}}
	t.Cleanup(func() {
		d.push.close()
		_ = kept.Close()
	})
	return d, s, cfg
}

// judgedRound goes through the daemon as a real one does after it was measured.
func judgedRound(d *daemon, id string, started time.Time) (end time.Time) {
	r := measurements.Round{ID: id, Started: started, Runtime: measurements.Seconds(1500 * time.Millisecond), Apps: []measurements.Measurement{{ID: "m" + id, App: "telegram", Started: started}}}
	v := measurements.RoundVerdict{Schema: measurements.RoundSchema, Started: started, Network: measurements.NetworkVerdict{State: measurements.OK}, Apps: []measurements.AppVerdict{}}
	d.metrics.Observe(r, v)
	d.keep(&r, &v)
	return started.Add(time.Duration(r.Runtime))
}

// eventually waits for what comes within seconds, but on machines that stand still.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	const patience = 2 * time.Minute
	for end := time.Now().Add(patience); !holds(); time.Sleep(25 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %s still not so: %s", patience, what)
		}
	}
}

// delivered waits until nothing waits any more. That a receiver has it is not enough: the sender must have heard so, or
// sends it again.
func delivered(t *testing.T, from *store.Store) {
	t.Helper()
	eventually(t, "all is delivered", func() bool {
		m, err := from.Waiting(remotewrite.Kind)
		e, err2 := from.Waiting(delivery.EvidenceKind)
		return m+e == 0 && errors.Join(err, err2) == nil
	})
}

// A round reaches both receivers, with its own time; the heartbeat before it was there at once.
func TestPush(t *testing.T) {
	d, s, cfg := pushing(t)
	if err := d.push.configure(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a heartbeat arrives", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.values["telltale_rounds_total"]) == 1
	})
	end := judgedRound(d, "1", time.Now().Add(time.Second))
	eventually(t, "the round arrives", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		at, there := s.values["telltale_last_round_timestamp_seconds"][end.UnixMilli()]
		return there && at == float64(end.UnixMilli())/1e3 && s.lines == 1
	})
	delivered(t, d.store)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.most > 1000 || s.most < 500 {
		t.Errorf("%d series", s.most)
	}
	t.Logf("%d series of the default configuration after a round", s.most)
	id, err := loadInstance(d.store)
	if err != nil || len(s.instances) != 1 || !s.instances[id] {
		t.Errorf("instances %v, ours is %q: %v", s.instances, id, err)
	}
}

// Without consent, and without a receiver, nothing is written down for sending and nothing is sent; without
// metrics no id is drawn.
func TestNothingIsPushed(t *testing.T) {
	for name, change := range map[string]func(*config.Config){
		"without consent":  func(c *config.Config) { c.Consent = time.Time{} },
		"without receiver": func(c *config.Config) { c.Push.Metrics.URL, c.Push.Evidence.URL = nil, nil },
	} {
		d, s, cfg := pushing(t)
		change(cfg)
		if err := d.push.configure(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		judgedRound(d, "1", time.Now())
		time.Sleep(200 * time.Millisecond)
		for _, kind := range []string{remotewrite.Kind, delivery.EvidenceKind} {
			if n, err := d.store.Waiting(kind); n != 0 || err != nil {
				t.Errorf("%s: %d messages of %s: %v", name, n, kind, err)
			}
		}
		var id string
		if err := d.store.LoadKey(stateInstance, &id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: an id was drawn: %q, %v", name, id, err)
		}
		if s.requests > 0 {
			t.Errorf("%s: %d requests", name, s.requests)
		}
	}
}

// A receiver that does not answer holds up neither a round nor the end; what waits is given up when the
// receiver is taken out, or the id is rolled, and not before.
func TestPushHangs(t *testing.T) {
	d, _, cfg := pushing(t)
	hang := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer silent.Close()
	defer close(hang)
	u, err := url.Parse(silent.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Push.Metrics.URL, cfg.Push.Evidence.URL = u, u
	if err := d.push.configure(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	waits := func(kind string) int {
		n, err := d.store.Waiting(kind)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	const held = 50 * time.Second // a slow machine takes seconds; who waits for this receiver, a minute at least
	begun := time.Now()
	judgedRound(d, "1", time.Now())
	if took := time.Since(begun); took > held {
		t.Errorf("a round was held up for %s", took)
	}
	begun = time.Now()
	d.push.close()
	if took := time.Since(begun); took > held {
		t.Errorf("it took %s to stop", took)
	}
	if waits(remotewrite.Kind) == 0 || waits(delivery.EvidenceKind) != 1 {
		t.Errorf("%d and %d wait", waits(remotewrite.Kind), waits(delivery.EvidenceKind))
	}
	old, err := loadInstance(d.store)
	if err != nil {
		t.Fatal(err)
	}
	id, err := roll(d.store)
	if again, _ := loadInstance(d.store); err != nil || id == old || again != id || waits(remotewrite.Kind) != 0 || waits(delivery.EvidenceKind) != 0 {
		t.Errorf("rolled %s to %s: %v; %d and %d wait", old, id, err, waits(remotewrite.Kind), waits(delivery.EvidenceKind))
	}
	if err := d.push.configure(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	judgedRound(d, "2", time.Now())
	cfg.Push.Evidence.URL = nil
	if err := d.push.configure(t.Context(), cfg); err != nil || waits(delivery.EvidenceKind) != 0 {
		t.Errorf("%v; %d wait for nobody", err, waits(delivery.EvidenceKind))
	}
}

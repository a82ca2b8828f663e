package remotewrite_test

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/exp/api/remote"
	writev2 "github.com/prometheus/client_golang/exp/api/remote/genproto/v2"
)

// storage is behind client_golang's own handler of remote write 2.0. It wants what the specification does,
// and takes a sample that it has already as Prometheus does: as the same one.
type storage struct {
	mu     sync.Mutex
	got    truth
	kinds  map[string]writev2.Metadata_MetricType // by metric name
	helps  map[string]string
	born   map[string]int64 // created, by series
	stale  map[string]bool
	before func(requests int) (status int) // may refuse a request; 0 takes it
	asked  int
}

func newStorage() *storage {
	return &storage{got: truth{}, kinds: map[string]writev2.Metadata_MetricType{}, helps: map[string]string{}, born: map[string]int64{}, stale: map[string]bool{}}
}

func (s *storage) server(t *testing.T, accepts ...remote.WriteMessageType) *httptest.Server {
	server := httptest.NewServer(remote.NewWriteHandler(s, accepts))
	t.Cleanup(server.Close)
	return server
}

func (s *storage) Store(r *http.Request, kind remote.WriteMessageType) (*remote.WriteResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := remote.NewWriteResponse()
	fail := func(status int, format string, args ...any) (*remote.WriteResponse, error) {
		w.SetStatusCode(status)
		return w, fmt.Errorf(format, args...)
	}
	s.asked++
	if s.before != nil {
		if status := s.before(s.asked); status != 0 {
			return fail(status, "as the test wants it")
		}
	}
	plain, err := io.ReadAll(r.Body)
	if err != nil {
		return fail(http.StatusBadRequest, "%w", err)
	}
	if r.Header.Get("User-Agent") != "telltale/test" || r.Header.Get("X-Prometheus-Remote-Write-Version") != "2.0.0" || kind != remote.WriteV2MessageType {
		return fail(http.StatusBadRequest, "headers %v", r.Header)
	}
	var request writev2.Request
	if err := request.UnmarshalVT(plain); err != nil {
		return fail(http.StatusBadRequest, "%w", err)
	}
	if len(request.Symbols) == 0 || request.Symbols[0] != "" {
		return fail(http.StatusBadRequest, "the first symbol must be empty")
	}
	for _, series := range request.Timeseries {
		if err := s.take(series, request.Symbols, w); err != nil {
			return fail(http.StatusBadRequest, "%w", err)
		}
	}
	return w, nil
}

func (s *storage) take(series *writev2.TimeSeries, symbols []string, w *remote.WriteResponse) error {
	pairs := writev2.DesymbolizeLabels(series.LabelsRefs, symbols, nil)
	labels := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 && pairs[i-2] >= pairs[i] || pairs[i+1] == "" {
			return fmt.Errorf("labels are not sorted, or empty: %q", pairs)
		}
		labels[pairs[i]] = pairs[i+1]
	}
	if labels["job"] != "telltale" || labels["instance"] != instance {
		return fmt.Errorf("labels %v", labels)
	}
	key := text(labels)
	for _, x := range series.Samples {
		w.Samples++
		have := s.got[key]
		if math.Float64bits(x.Value) == 0x7ff0000000000002 {
			s.stale[key] = true
			continue
		}
		s.kinds[labels["__name__"]], s.helps[labels["__name__"]] = series.Metadata.Type, symbols[series.Metadata.HelpRef]
		s.born[key] = series.CreatedTimestamp
		p := point{x.Timestamp, x.Value}
		if n := len(have); n > 0 && p.at <= have[n-1].at {
			for _, q := range have[max(n-64, 0):] {
				if q == p {
					n = -1
				}
			}
			if n > 0 {
				return fmt.Errorf("%s: out of order: %v after %v", key, p, have[n-1])
			}
			continue
		}
		s.got[key] = append(have, p)
	}
	return nil
}

// receive2 delivers to client_golang's handler, which fails now and then in every way: no sample may be lost.
func receive2(t *testing.T, v *vantage) {
	defer func() { v.close() }()
	s := newStorage()
	server := s.server(t, remote.WriteV2MessageType)
	deliver(t, v, server.URL+"/api/v1/write", half(v))
	v.close()
	v.open()
	deliver(t, v, server.URL+"/api/v1/write", 0)
	compare(t, s.got, v.truth, func(a, b float64) bool { return a == b })
	for name, want := range map[string]writev2.Metadata_MetricType{
		"telltale_rounds_total": writev2.Metadata_METRIC_TYPE_COUNTER, "telltale_app_state": writev2.Metadata_METRIC_TYPE_GAUGE,
		"telltale_step_duration_seconds_bucket": writev2.Metadata_METRIC_TYPE_HISTOGRAM, "telltale_step_duration_seconds_sum": writev2.Metadata_METRIC_TYPE_HISTOGRAM,
		"telltale_step_duration_seconds_count": writev2.Metadata_METRIC_TYPE_HISTOGRAM,
	} {
		if s.kinds[name] != want || s.helps[name] == "" {
			t.Errorf("%s: %v, %q", name, s.kinds[name], s.helps[name])
		}
	}
	for key, born := range s.born {
		counted := strings.Contains(key, "_total\"") || strings.Contains(key, "step_duration_seconds")
		if counted != (born > 0) {
			t.Errorf("%s: created %d", key, born)
		}
	}
	for key := range v.truth {
		if ended := strings.Contains(key, `app="line"`); ended && !s.stale[key] {
			t.Errorf("%s ended without a stale marker", key)
		}
	}
}

package remotewrite

import (
	"errors"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/measurements/store"
)

// memory keeps what a recorder gives.
type memory struct {
	t      *testing.T
	states map[string]any
	got    []*batch
	fail   error
}

func (m *memory) keep(messages []store.Message, states map[string]any) error {
	if m.fail != nil {
		return m.fail
	}
	maps.Copy(m.states, states)
	for i := range messages {
		b, err := decode(messages[i].Body)
		if err != nil || messages[i].Kind != Kind {
			m.t.Fatal(err, messages[i].Kind)
		}
		m.got = append(m.got, b)
	}
	return nil
}

func (m *memory) LoadState(name string, v any) error {
	switch to := v.(type) {
	case *time.Time:
		*to, _ = m.states[name].(time.Time)
	case *[]string:
		*to, _ = m.states[name].([]string)
	}
	if m.states[name] == nil {
		return fs.ErrNotExist
	}
	return nil
}

// last gives the newest state: values by name and labels, without job and instance; stale series have
// the value "stale".
func (m *memory) last() (at int64, values map[string]any) {
	b := m.got[len(m.got)-1]
	values = map[string]any{}
	for i := range b.series {
		var key []string
		for j := 0; j < len(b.series[i].labels); j += 2 {
			if n := b.series[i].labels[j]; n != "job" && n != "instance" {
				key = append(key, b.series[i].labels[j+1])
			}
		}
		x := b.samples[i][0]
		at = x.at
		values[strings.Join(key, " ")] = x.value
		if math.Float64bits(x.value) == math.Float64bits(staleMarker) {
			values[strings.Join(key, " ")] = "stale"
		}
	}
	return at, values
}

func gauge(r *prometheus.Registry, name string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: "h"}, []string{"app"})
	r.MustRegister(g)
	return g
}

// A series that is gone gets one stale marker, also over a restart; other programs' metrics stay here.
func TestStaleMarkers(t *testing.T) {
	r := prometheus.NewRegistry()
	g, other := gauge(r, "telltale_x"), gauge(r, "go_x")
	m := &memory{t: t, states: map[string]any{}}
	rec := NewRecorder(r, "i", m, zerolog.Nop())
	at := time.UnixMilli(1_800_000_000_000)
	step := func(want map[string]any) {
		t.Helper()
		at = at.Add(time.Minute)
		if err := rec.Record(at, m.keep); err != nil {
			t.Fatal(err)
		}
		if got, values := m.last(); got != at.UnixMilli() || !maps.Equal(values, want) {
			t.Errorf("at %d: %v, want %v", got, values, want)
		}
	}
	g.WithLabelValues("a").Set(1)
	g.WithLabelValues("b").Set(2)
	other.WithLabelValues("a").Set(3)
	step(map[string]any{"telltale_x a": 1.0, "telltale_x b": 2.0})
	g.DeleteLabelValues("b")
	m.fail = errors.New("the disk is full")
	if err := rec.Record(at.Add(time.Second), m.keep); !errors.Is(err, m.fail) {
		t.Errorf("%v", err)
	}
	m.fail = nil
	rec = NewRecorder(r, "i", m, zerolog.Nop()) // a restart
	step(map[string]any{"telltale_x a": 1.0, "telltale_x b": "stale"})
	step(map[string]any{"telltale_x a": 1.0})
	g.DeleteLabelValues("a")
	step(map[string]any{"telltale_x a": "stale"})
	g.WithLabelValues("a").Set(4)
	step(map[string]any{"telltale_x a": 4.0})
	rec = NewRecorder(r, "j", m, zerolog.Nop()) // another id: nothing is said of the old one
	step(map[string]any{"telltale_x a": 4.0})
}

// Time stamps only grow. A clock that is set back a little costs heartbeats and no round; one that was far
// ahead is forgotten, since receivers refused what it wrote.
func TestTimeStampsGrow(t *testing.T) {
	r := prometheus.NewRegistry()
	gauge(r, "telltale_x").WithLabelValues("a").Set(1)
	m := &memory{t: t, states: map[string]any{}}
	rec := NewRecorder(r, "i", m, zerolog.Nop())
	start := time.UnixMilli(1_800_000_000_000)
	var times []int64
	record := func(after time.Duration) {
		if err := rec.Record(start.Add(after), m.keep); err != nil {
			t.Fatal(err)
		}
		at, _ := m.last()
		times = append(times, at-start.UnixMilli())
	}
	record(0)
	record(0)
	record(-5 * time.Minute)
	if wait, err := rec.Beat(start.Add(-5*time.Minute), 4*time.Minute, m.keep); err != nil || wait < 9*time.Minute || wait > 10*time.Minute || len(m.got) != 3 {
		t.Errorf("a heartbeat in the past: %d states, wait %s, %v", len(m.got), wait, err)
	}
	record(time.Second)
	record(365 * 24 * time.Hour)
	record(time.Minute)
	if want := []int64{0, 1, 2, 1000, 365 * 24 * 3600 * 1000, 60_000}; !slices.Equal(times, want) {
		t.Errorf("%v, want %v", times, want)
	}
}

// A heartbeat comes when nothing was written for a while, and not before.
func TestBeat(t *testing.T) {
	r := prometheus.NewRegistry()
	gauge(r, "telltale_x").WithLabelValues("a").Set(1)
	m := &memory{t: t, states: map[string]any{}}
	rec := NewRecorder(r, "i", m, zerolog.Nop())
	at := time.UnixMilli(1_800_000_000_000)
	beat := func(wantWait time.Duration, wantStates int) {
		t.Helper()
		wait, err := rec.Beat(at, 4*time.Minute, m.keep)
		if err != nil || wait != wantWait || len(m.got) != wantStates {
			t.Errorf("%d states, then %s, %v; want %d, %s", len(m.got), wait, err, wantStates, wantWait)
		}
	}
	beat(4*time.Minute, 1)
	at = at.Add(3 * time.Minute)
	beat(time.Minute, 1)
	if err := rec.Record(at, m.keep); err != nil {
		t.Fatal(err)
	}
	at = at.Add(time.Minute)
	beat(3*time.Minute, 2)
	at = at.Add(3 * time.Minute)
	beat(4*time.Minute, 3)
}

// Bounds of histograms are written as a scrape has them.
func TestFloat(t *testing.T) {
	for f, want := range map[float64]string{2: "2.0", 0.1: "0.1", 1e-9: "1e-09", 1e21: "1e+21", math.Inf(1): "+Inf", math.Inf(-1): "-Inf", -3: "-3.0"} {
		if got := float(f); got != want {
			t.Errorf("%v: %q, want %q", f, got, want)
		}
	}
}

// What a message holds may be damage, and must not be more.
func FuzzDecode(f *testing.F) {
	good, err := encode([]series{{labels: []string{"__name__", "telltale_x"}, value: 1}}, 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(_ *testing.T, body []byte) {
		if b, err := decode(body, good); err == nil {
			_, _ = v2(b).MarshalVT()
			_ = v1(b, true)
		}
	})
}

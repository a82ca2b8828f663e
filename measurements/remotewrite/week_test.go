package remotewrite_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/rs/zerolog"

	ms "github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/metrics"
	"github.com/telltale-probe/telltale/measurements/remotewrite"
	"github.com/telltale-probe/telltale/measurements/store"
)

const instance = "0123456789abcdef0123456789abcdef"

// point is a sample: milliseconds and value.
type point struct {
	at    int64
	value float64
}

// truth is what a receiver must have in the end: the samples of each series, by its text form. It is read
// off /metrics, by Prometheus' own encoder, at the times at which something was recorded.
type truth map[string][]point

// vantage is a daemon's metrics over simulated days, recorded into a store.
type vantage struct {
	t        testing.TB
	metrics  *metrics.Metrics
	store    *store.Store
	dir      string
	recorder *remotewrite.Recorder
	random   *rand.Rand
	truth    truth
	now      time.Time
	rounds   int
	apps     []metrics.AppInfo
	dropped  time.Time // of the first record without the app that was taken out
}

func newVantage(t testing.TB, start time.Time) *vantage {
	web := []ms.Layer{ms.LayerDNS, ms.LayerTCP, ms.LayerTLS, ms.LayerHTTP}
	apps := []metrics.AppInfo{
		{ID: "telegram", Targets: []metrics.TargetInfo{{ID: "dc1", Layers: []ms.Layer{ms.LayerTCP}}, {ID: "web", Layers: web}}},
		{ID: "line", Targets: []metrics.TargetInfo{{ID: "api", Layers: web}}},
	}
	v := &vantage{t: t, dir: filepath.Join(t.TempDir(), "store"), random: rand.New(rand.NewPCG(7, 11)), truth: truth{}, now: start, apps: apps}
	v.metrics = metrics.New(options(apps))
	v.open()
	return v
}

func options(apps []metrics.AppInfo) metrics.Options {
	return metrics.Options{Apps: apps, Vantage: ms.Vantage{Country: "NL", ASN: 64496}, Software: ms.Software{Version: "0.1.0", Rules: ms.RulesVersion}, GoVersion: "go1.26"}
}

func (v *vantage) open() {
	s, err := store.Open(v.dir, store.Options{Log: zerolog.New(zerolog.NewTestWriter(v.t)).Level(zerolog.WarnLevel)})
	if err != nil {
		v.t.Fatal(err)
	}
	v.store = s
	v.recorder = remotewrite.NewRecorder(v.metrics, instance, s, zerolog.Nop())
}

func (v *vantage) close() {
	if err := v.store.Close(); err != nil {
		v.t.Error(err)
	}
}

// copy is the same vantage, whose store was closed, for another receiver.
func (v *vantage) copy(t testing.TB) *vantage {
	dir := filepath.Join(t.TempDir(), "store")
	if err := os.CopyFS(dir, os.DirFS(v.dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c := *v
	c.t, c.dir = t, dir
	c.open()
	return &c
}

// keep puts messages into the store, and what they must say into the truth.
func (v *vantage) keep(messages []store.Message, states map[string]any) error {
	at := v.now
	for key, value := range exposed(v.t, v.metrics) {
		v.truth[key] = append(v.truth[key], point{at.UnixMilli(), value})
	}
	return v.store.EnqueueWith(states, messages...)
}

// live is what the daemon does until a time: rounds a quarter of an hour apart, and heartbeats between.
func (v *vantage) live(until time.Time) {
	next := v.now
	for v.now.Before(until) {
		if !v.now.Before(next) {
			v.round()
			next = v.now.Add(time.Duration(v.random.Int64N(int64(30 * time.Minute)))).Truncate(time.Millisecond)
		}
		wait, err := v.recorder.Beat(v.now, 4*time.Minute, v.keep)
		if err != nil {
			v.t.Fatal(err)
		}
		v.now = v.now.Add(min(wait, max(next.Sub(v.now), time.Second)))
	}
}

var operations = map[ms.Layer]ms.Operation{ms.LayerDNS: ms.Resolve, ms.LayerTCP: ms.Connect, ms.LayerTLS: ms.TLSHandshake, ms.LayerHTTP: ms.HTTPExchange}

// round measures something, blocked for a third of the time, and records it under its own end.
func (v *vantage) round() {
	v.rounds++
	runtime := time.Duration(v.random.Int64N(int64(20 * time.Second))).Truncate(time.Millisecond)
	r := ms.Round{ID: fmt.Sprint(v.rounds), Started: v.now, Runtime: ms.Seconds(runtime), Gate: ms.Measurement{App: ms.ControlApp, Started: v.now}}
	verdict := ms.RoundVerdict{Started: v.now, Network: ms.NetworkVerdict{State: ms.OK}}
	blocked := v.rounds%48 > 32
	for _, app := range v.apps {
		m, av := ms.Measurement{App: app.ID, Started: v.now}, ms.AppVerdict{App: app.ID, State: ms.OK}
		for _, t := range app.Targets {
			tv := ms.TargetVerdict{Target: t.ID, State: ms.OK}
			for _, layer := range t.Layers {
				o := ms.Observation{Target: t.ID, Operation: operations[layer], Family: ms.IPv4, Duration: ms.Seconds(v.random.Int64N(int64(3 * time.Second))), Sent: 10}
				l := ms.LayerVerdict{Layer: layer, Family: ms.IPv4, State: ms.OK}
				if blocked && layer == ms.LayerTLS {
					o.Failure = ms.ConnectionReset
					l.State, l.Signature, l.Confidence = ms.Blocked, "tls.reset.sni", ms.Likely
					tv.State, av.State = ms.Blocked, ms.Partial
				}
				m.Observations, tv.Layers = append(m.Observations, o), append(tv.Layers, l)
			}
			av.Targets = append(av.Targets, tv)
		}
		r.Apps, verdict.Apps = append(r.Apps, m), append(verdict.Apps, av)
	}
	v.metrics.Observe(r, verdict)
	v.now = v.now.Add(runtime)
	if err := v.recorder.Record(v.now, v.keep); err != nil {
		v.t.Fatal(err)
	}
}

// drop takes an app out of the configuration: its series end.
func (v *vantage) drop() {
	v.apps = v.apps[:1]
	v.metrics.Configure(options(v.apps))
}

// offline is a time without a line, with a restart of the daemon and a reload on the way.
func offline(t testing.TB, start time.Time, length time.Duration) *vantage {
	v := newVantage(t, start)
	v.live(start.Add(length * 3 / 7))
	v.close()
	v.open()
	v.live(start.Add(length * 5 / 7))
	v.drop()
	v.round()
	v.dropped = v.now
	v.live(start.Add(length))
	return v
}

var (
	seriesLine = regexp.MustCompile(`^(\w+)(?:\{(.*)\})? (\S+)$`)
	labelPair  = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

// exposed reads what /metrics shows now, as OpenMetrics, which servers ask for first.
func exposed(t testing.TB, g prometheus.Gatherer) map[string]float64 {
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	e := expfmt.NewEncoder(&b, expfmt.NewFormat(expfmt.TypeOpenMetrics))
	for _, f := range families {
		if f.GetName() == "telltale_store_size_bytes" {
			continue // stays here
		}
		if err := e.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	out := map[string]float64{}
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		m := seriesLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			t.Fatalf("can't read %q", line)
		}
		labels := map[string]string{"__name__": m[1]}
		for _, pair := range labelPair.FindAllStringSubmatch(m[2], -1) {
			labels[pair[1]] = pair[2]
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		out[text(labels)] = value
	}
	return out
}

// text names a series, without the labels that only a receiver has.
func text(labels map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if labels[name] != "" && name != "job" && name != "instance" {
			fmt.Fprintf(&b, "%s=%q ", name, labels[name])
		}
	}
	return b.String()
}

// compare holds a receiver's samples against the truth.
func compare(t *testing.T, got, want truth, same func(a, b float64) bool) {
	t.Helper()
	samples, wrong := 0, 0
	for key := range want {
		samples += len(want[key])
		if !slices.EqualFunc(got[key], want[key], func(a, b point) bool { return a.at == b.at && same(a.value, b.value) }) {
			if wrong++; wrong < 4 {
				t.Errorf("%s: %d samples, want %d; first that differs: %v", key, len(got[key]), len(want[key]), difference(got[key], want[key]))
			}
		}
	}
	for key := range got {
		if want[key] == nil {
			t.Errorf("%s was never here", key)
		}
	}
	t.Logf("%d series, %d samples; %d series are wrong", len(want), samples, wrong)
}

func difference(got, want []point) string {
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			return fmt.Sprintf("%d: %v, want %v", i, got[min(i, len(got)):min(i+1, len(got))], want[i])
		}
	}
	return fmt.Sprint("more: ", got[len(want):])
}

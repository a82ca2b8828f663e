package remotewrite_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/measurements/delivery"
	"github.com/telltale-probe/telltale/measurements/remotewrite"
)

// counts counts, and ends a courier between two requests.
type counts struct {
	sent, failed, dropped int
	reasons               map[string]int
	after                 int // so many messages were sent:
	stop                  func()
}

func (c *counts) Sent(_ string, n int) {
	if c.sent += n; c.after > 0 && c.sent >= c.after {
		c.stop()
	}
}

func (c *counts) Failed(_, reason string) {
	c.failed++
	if c.reasons == nil {
		c.reasons = map[string]int{}
	}
	c.reasons[reason]++
}

func (c *counts) Dropped(_ string, n int) { c.dropped += n }

// deliver empties the vantage's outbox into a receiver, at most so many messages; 0 is all.
func deliver(t *testing.T, v *vantage, target string, most int) *counts {
	t.Helper()
	c, wrong := delivered(t.Context(), t, v, target, most)
	if wrong != "" {
		t.Fatal(wrong)
	}
	return c
}

// delivered does so until ctx ends, and says what is wrong with it.
func delivered(ctx context.Context, t *testing.T, v *vantage, target string, most int) (c *counts, wrong string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	waiting, err := v.store.Waiting(remotewrite.Kind)
	if err != nil {
		t.Fatal(err)
	}
	if most == 0 {
		most = waiting
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c = &counts{after: most, stop: cancel}
	log := zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel)
	post := &delivery.Post{Client: delivery.NewClient(&http.Transport{}), URL: u, UserAgent: "telltale/test", Scrub: strings.TrimSpace}
	(&delivery.Courier{Kind: remotewrite.Kind, Outbox: v.store, Sender: remotewrite.NewWriter(post, log), Counts: c, Log: log, Batch: 8}).Run(ctx)
	left, err := v.store.Waiting(remotewrite.Kind)
	if err != nil || waiting-left != c.sent || c.sent < most || c.failed+c.dropped > 0 {
		wrong = fmt.Sprintf("%d of %d messages left, %d sent, %d attempts failed %v, %d dropped: %v", left, waiting, c.sent, c.failed, c.reasons, c.dropped, err)
	}
	return c, wrong
}

// half of what waits.
func half(v *vantage) int {
	n, err := v.store.Waiting(remotewrite.Kind)
	if err != nil {
		v.t.Fatal(err)
	}
	return n / 2
}

// required says whether the real receivers are to be there, as in .ci/receivers.
func required() bool { return os.Getenv("TELLTALE_RECEIVERS_TESTS") == "require" }

// binary finds a receiver's program, or skips.
func binary(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if required() {
		t.Fatalf("%v: .ci/receivers installs it", err)
	}
	t.Skipf("%v: .ci/receivers installs it", err)
	return ""
}

// answer is that of Prometheus' query API.
type answer struct {
	Data struct {
		Result []struct {
			Metric map[string]string `json:"metric"`
			Value  [2]any            `json:"value"`
			Values [][2]any          `json:"values"`
		} `json:"result"`
	} `json:"data"`
}

func (r *receiver) query(promQL string, at time.Time) (out answer) {
	r.t.Helper()
	body := r.get("/api/v1/query", url.Values{"query": {promQL}, "time": {strconv.FormatFloat(float64(at.UnixMilli())/1e3, 'f', 3, 64)}, "nocache": {"1"}})
	defer func() { _ = body.Close() }()
	if err := json.NewDecoder(body).Decode(&out); err != nil {
		r.t.Fatal(err)
	}
	return out
}

func pointOf(t *testing.T, v [2]any) point {
	at, ok := v[0].(float64)
	value, err := strconv.ParseFloat(fmt.Sprint(v[1]), 64)
	if !ok || err != nil {
		t.Fatalf("no sample: %v", v)
	}
	return point{int64(at*1e3 + 0.5), value}
}

// equal asks the receiver for everything as of some moments: it must be what /metrics showed then.
func (r *receiver) equal(want truth, from, to time.Time, same func(a, b float64) bool) {
	r.t.Helper()
	moments := []time.Time{r.dropped}
	for at := from.Add(time.Hour); at.Before(to); at = at.Add(to.Sub(from) / 24) {
		moments = append(moments, at)
	}
	for _, at := range moments {
		there := map[string]float64{}
		for _, x := range r.query(`{__name__=~"telltale_.+",job="telltale",instance="`+instance+`"}`, at).Data.Result {
			there[text(x.Metric)] = pointOf(r.t, x.Value).value
		}
		here := map[string]float64{}
		last := int64(0)
		for _, points := range want {
			i, _ := slices.BinarySearchFunc(points, at.UnixMilli()+1, func(p point, at int64) int { return int(p.at - at) })
			if i > 0 {
				last = max(last, points[i-1].at)
			}
		}
		for key, points := range want {
			if i, found := slices.BinarySearchFunc(points, last, func(p point, at int64) int { return int(p.at - at) }); found {
				here[key] = points[i].value
			}
		}
		if len(here) == 0 || len(here) != len(there) {
			r.t.Errorf("%s: %d series there, %d here", at, len(there), len(here))
		}
		for key, value := range here {
			if got, ok := there[key]; !ok || !same(got, value) {
				r.t.Errorf("%s: %s is %v there, %v here", at, key, got, value)
			}
		}
	}
}

// A week without a line, then real receivers, with restarts of both sides on the way. Where the receivers are not
// required, a day has to do: it is as many restarts, of less.
func TestReceivers(t *testing.T) {
	length := min(simulated, 24*time.Hour)
	if required() {
		length = simulated
	}
	start := time.Now().Add(-length - time.Minute).Truncate(time.Millisecond)
	v := offline(t, start, length)
	v.close()
	play(t, "Prometheus", func(t *testing.T, r *receiver) { receivePrometheus(r, v.copy(t), start) })
	play(t, "VictoriaMetrics", func(t *testing.T, r *receiver) { receiveVictoriaMetrics(r, v.copy(t), start) })
	t.Run("ClientGolang", func(t *testing.T) { receive2(t, v.copy(t)) })
}

// Debian's Prometheus. It has no window for samples out of order: each one would be refused.
func receivePrometheus(r *receiver, v *vantage, start time.Time) {
	t := r.t
	defer func() { v.close() }()
	r.dropped, r.path, r.ready = v.dropped, binary(t, "prometheus"), "/-/ready"
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte("global: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.args = []string{"--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + r.address, "--web.enable-remote-write-receiver"}
	r.start()
	r.deliver(v, half(v))
	v.close()
	v.open()
	r.stop()
	r.start()
	r.deliver(v, 0)
	got := truth{}
	for app := range map[string]bool{"": true, "telegram": true, "line": true, "control": true} { // in parts: Prometheus bounds an answer
		for _, x := range r.query(fmt.Sprintf(`{job="telltale",app=%q}[8d]`, app), v.now).Data.Result {
			for _, s := range x.Values {
				got[text(x.Metric)] = append(got[text(x.Metric)], pointOf(t, s))
			}
		}
	}
	compare(t, got, v.truth, func(a, b float64) bool { return a == b })
	r.equal(v.truth, start, v.now, func(a, b float64) bool { return a == b })
}

// VictoriaMetrics keeps what comes twice: it was not told to drop duplicates.
func receiveVictoriaMetrics(r *receiver, v *vantage, start time.Time) {
	t := r.t
	defer func() { v.close() }()
	r.dropped, r.path, r.ready = v.dropped, binary(t, "victoria-metrics"), "/health"
	r.args = []string{"-storageDataPath=" + t.TempDir(), "-httpListenAddr=" + r.address, "-search.latencyOffset=0s", "-search.disableCache", "-memory.allowedBytes=256MB"}
	r.start()
	r.deliver(v, half(v))
	v.close()
	v.open()
	r.stop()
	r.start()
	r.deliver(v, 0)
	_ = r.get("/internal/force_flush", nil).Close()
	got := truth{}
	body := r.get("/api/v1/export", url.Values{"match[]": {`{job="telltale"}`}, "start": {strconv.FormatInt(start.Unix()-3600, 10)}})
	defer func() { _ = body.Close() }()
	lines := bufio.NewReader(body)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var x struct {
			Metric     map[string]string `json:"metric"`
			Values     []*float64        `json:"values"`
			Timestamps []int64           `json:"timestamps"`
		}
		if err := json.Unmarshal(line, &x); err != nil {
			t.Fatal(err)
		}
		for i, value := range x.Values {
			if value != nil { // a stale marker
				got[text(x.Metric)] = append(got[text(x.Metric)], point{x.Timestamps[i], *value})
			}
		}
	}
	// It keeps some fifteen decimal digits (docs.victoriametrics.com, "What is the precision of stored values").
	nearly := func(a, b float64) bool { return math.Abs(a-b) <= 1e-12*math.Abs(b) }
	compare(t, got, v.truth, nearly)
	r.equal(v.truth, start, v.now, nearly)
}

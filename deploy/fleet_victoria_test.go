package deploy

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// victoriaMetrics starts Debian's, on loopback, as the README tells operators to: what comes twice is one.
func victoriaMetrics(t *testing.T) (server string) {
	t.Helper()
	program := tool(t, "victoria-metrics")
	server = free(t)
	started(t, regexp.MustCompile(`(started VictoriaMetrics)`), program, "-httpListenAddr="+server, "-storageDataPath="+t.TempDir(),
		"-dedup.minScrapeInterval=1ms", "-search.latencyOffset=0s", "-search.disableCache", "-memory.allowedBytes=1GB")
	return server
}

// free is an address that nobody listens at.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// get asks a server.
func get(t *testing.T, server, path string, query url.Values) io.ReadCloser {
	t.Helper()
	response, err := http.Get("http://" + server + path + "?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode/100 != 2 {
		text, _ := io.ReadAll(response.Body)
		t.Fatalf("%s: %s: %s", path, response.Status, text)
	}
	return response.Body
}

// exported is all that VictoriaMetrics has of an instance.
func exported(t *testing.T, server, instance string) samples {
	t.Helper()
	body := get(t, server, "/api/v1/export", url.Values{"match[]": {fmt.Sprintf("{instance=%q}", instance)}, "reduce_mem_usage": {"0"}})
	defer func() { _ = body.Close() }()
	out := samples{}
	for d := json.NewDecoder(bufio.NewReader(body)); ; {
		var x struct {
			Metric     map[string]string
			Values     []float64
			Timestamps []int64
		}
		err := d.Decode(&x)
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		series := map[int64]float64{}
		for i, at := range x.Timestamps {
			series[at] = x.Values[i]
		}
		if len(series) != len(x.Timestamps) {
			t.Errorf("%s: %v: %d samples at %d times", instance, x.Metric, len(x.Timestamps), len(series))
		}
		out[named(x.Metric)] = series
	}
}

// phase is a part of the load.
type phase struct {
	sendings int   // of states, repeats among them
	bytes    int64 // of HTTP, both ways, without TLS
	took     time.Duration
}

func (p phase) each() float64 { return float64(p.bytes) / float64(p.sendings) }

// cost is what a fleet costs a receiver, and its members.
type cost struct {
	members         int
	series, samples int
	first, rest     phase // what each sends first, with what is told once in a while; and what it sends then
	second          phase // what one sends to a receiver of remote write 2.0

	// What VictoriaMetrics says of itself.
	active, rows         int     // series; samples that came, repeats among them
	resident, data, keys int     // bytes: memory, samples on the disk, index on the disk
	stored               int     // samples on the disk
	cpu                  float64 // seconds
}

// ask fills in what VictoriaMetrics says of itself, when it has brought everything to the disk.
func (c *cost) ask(t *testing.T, server string) {
	t.Helper()
	_ = get(t, server, "/internal/force_flush", nil).Close()
	var count struct{ Data []int }
	body := get(t, server, "/api/v1/series/count", nil)
	defer func() { _ = body.Close() }()
	if err := json.NewDecoder(body).Decode(&count); err != nil || len(count.Data) != 1 {
		t.Fatalf("%v, %v", count, err)
	}
	c.active = count.Data[0]
	own := get(t, server, "/metrics", nil)
	defer func() { _ = own.Close() }()
	for lines := bufio.NewScanner(own); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), " ")
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			continue
		}
		if name == "process_cpu_seconds_total" {
			c.cpu = value
		}
		for of, to := range map[string]*int{
			`vm_rows_inserted_total{type="promremotewrite"}`: &c.rows, "process_resident_memory_bytes": &c.resident,
			`vm_data_size_bytes{type="storage/`: &c.data, `vm_data_size_bytes{type="indexdb`: &c.keys, `vm_rows{type="storage/`: &c.stored,
		} {
			if strings.HasPrefix(name, of) {
				*to += int(value)
			}
		}
	}
}

// String is the table of the README.
func (c cost) String() string {
	var b strings.Builder
	row := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "\n| %s | "+format+" |", append([]any{what}, args...)...)
	}
	day := statesADay()
	took := (c.first.took + c.rest.took).Seconds()
	row("vantage points", "%d", c.members)
	row("series, all of them active", "%d (%.0f a vantage point)", c.active, float64(c.series)/float64(c.members))
	row("samples, repeats among them", "%d in %d states", c.rows, c.first.sendings+c.rest.sendings)
	row("taken in", "%.1f s: %.0f samples/s, %.0f states/s", took, float64(c.rows)/took, float64(c.first.sendings+c.rest.sendings)/took)
	row("states a vantage point and day (rounds and heartbeats)", "%.0f", day)
	row("what so many bring in life", "%.0f samples/s, %.1f states/s", float64(c.series)*day/86400, float64(c.members)*day/86400)
	row("bytes of a state, HTTP and all, without TLS", "%.0f by remote write 1.0 (the first one %.0f), %.0f by 2.0", c.rest.each(), c.first.each(), c.second.each())
	// Kinds and helps are told once an hour by 1.0: no more than the first state is larger by.
	row("bytes a vantage point and day", "%.1f MB by 1.0, %.1f MB by 2.0", (c.rest.each()*(day-24)+c.first.each()*24)/1e6, c.second.each()*day/1e6)
	row("VictoriaMetrics' CPU for it", "%.1f s: %.1f s for a million samples", c.cpu, c.cpu/float64(c.rows)*1e6)
	row("its memory (RSS)", "%.0f MB", float64(c.resident)/1e6)
	row("on its disk", "%.1f MB of samples (%.2f bytes each, %d in a series), %.1f MB of index (%.0f bytes a series)",
		float64(c.data)/1e6, float64(c.data)/float64(c.stored), states, float64(c.keys)/1e6, float64(c.keys)/float64(c.active))
	return b.String()
}

// statesADay is how many states a daemon records in a day by its defaults: one after each round, and one
// whenever the heartbeat's interval passes without any. It is the mean of a thousand days.
func statesADay() float64 {
	cfg := config.Default()
	const days = 1000
	n := 0
	for at := time.Duration(0); at < days*24*time.Hour; {
		next := schedule.Next(cfg.Interval, cfg.Jitter, nil)
		n += 1 + int(next/cfg.Push.Interval)
		at += next
	}
	return float64(n) / days
}

package deploy

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/telltale-probe/telltale/measurements/delivery"
	"github.com/telltale-probe/telltale/measurements/remotewrite"
	"github.com/telltale-probe/telltale/measurements/store"
)

// member is a vantage point of a fleet: what it pushes is a household's, its place and its id are its own.
type member struct {
	instance string
	shows    *[]*dto.MetricFamily // what /metrics has of the household now
	place    map[string]string    // labels of telltale_vantage_info
	recorder *remotewrite.Recorder
	writer   *remotewrite.Writer
	waiting  []store.Message // the outbox, oldest first
	series   int             // that it has now
	sum      int             // samples of all that waits
	truth    samples         // what a receiver must have; kept of those that are looked at one by one
}

// samples are values by time (Unix milliseconds), by series in text form.
type samples map[string]map[int64]float64

// unremembered is the store of a daemon that starts for the first time.
type unremembered struct{}

func (unremembered) LoadState(string, any) error { return fs.ErrNotExist }

// newMember makes the nth. 97 networks in 23 countries: codes of no country (ISO 3166-1, 8.1.3: XA to XZ), and
// numbers for documentation and private use (RFC 5398, RFC 6996).
func newMember(n int, shows *[]*dto.MetricFamily, post *delivery.Post) *member {
	m := &member{
		instance: fmt.Sprintf("%032x", n+1), shows: shows, truth: samples{},
		place:  map[string]string{"country": "X" + string(rune('A'+n%23)), "asn": strconv.Itoa(4_200_000_000 + n%97), "epoch": fmt.Sprintf("%016x", n)},
		writer: remotewrite.NewWriter(post, zerolog.Nop()),
	}
	m.recorder = remotewrite.NewRecorder(m, m.instance, unremembered{}, zerolog.Nop())
	return m
}

var _ prometheus.Gatherer = (*member)(nil)

// Gather gives the household's metrics at this place.
func (m *member) Gather() ([]*dto.MetricFamily, error) {
	out := slices.Clone(*m.shows)
	for i, f := range out {
		if f.GetName() != "telltale_vantage_info" {
			continue
		}
		here, ok := proto.Clone(f).(*dto.MetricFamily)
		if !ok || len(here.Metric) != 1 {
			return nil, fmt.Errorf("a vantage point is at one place, not %d", len(f.Metric))
		}
		for _, l := range here.Metric[0].Label {
			if own, ok := m.place[l.GetName()]; ok {
				l.Value = &own
			}
		}
		out[i] = here
	}
	return out, nil
}

// record writes the state down, and where it is looked at also what it must be at the receiver.
func (m *member) record(t *testing.T, at time.Time, looked bool) {
	t.Helper()
	err := m.recorder.Record(at, func(messages []store.Message, _ map[string]any) error {
		m.waiting = append(m.waiting, messages...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !looked {
		return
	}
	for series, value := range exposed(t, m) {
		if m.truth[series] == nil {
			m.truth[series] = map[int64]float64{}
		}
		m.truth[series][at.UnixMilli()] = value
	}
}

var (
	seriesLine = regexp.MustCompile(`^(\w+)(?:\{(.*)\})? (\S+)$`)
	labelPair  = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

// exposed reads what a scrape would, but for what is not pushed: another way to the samples than the recorder's.
func exposed(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	e := expfmt.NewEncoder(&b, expfmt.NewFormat(expfmt.TypeOpenMetrics))
	for _, f := range families {
		if f.GetName() == "telltale_store_size_bytes" {
			continue // stays with the volunteer
		}
		if err := e.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	out := map[string]float64{}
	for text := range strings.Lines(b.String()) {
		found := seriesLine.FindStringSubmatch(strings.TrimSpace(text))
		if found == nil {
			continue // comments
		}
		labels := map[string]string{"__name__": found[1]}
		for _, pair := range labelPair.FindAllStringSubmatch(found[2], -1) {
			labels[pair[1]] = pair[2]
		}
		if out[named(labels)], err = strconv.ParseFloat(found[3], 64); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// named is a series in text form, without what a push adds.
func named(labels map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if labels[name] != "" && name != "job" && name != "instance" {
			fmt.Fprintf(&b, "%s=%q ", name, labels[name])
		}
	}
	return b.String()
}

// counted is the way to a receiver, with what passes it: bytes both ways, requests and all.
type counted struct {
	sent, received atomic.Int64
	client         *http.Client
}

// bytes is what passed so far.
func (c *counted) bytes() int64 { return c.sent.Load() + c.received.Load() }

// countedConn counts.
type countedConn struct {
	net.Conn
	of *counted
}

func (c countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.of.received.Add(int64(n))
	return n, err
}

func (c countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.of.sent.Add(int64(n))
	return n, err
}

// newCounted makes a way with so many connections at most.
func newCounted(connections int) *counted {
	c := &counted{}
	var dialer net.Dialer
	c.client = delivery.NewClient(&http.Transport{
		MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections, DisableCompression: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			return countedConn{conn, c}, err
		},
	})
	return c
}

// to is what a member's requests bear.
func (c *counted) to(t *testing.T, address string) *delivery.Post {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &delivery.Post{Client: c.client, URL: u, UserAgent: "telltale/test", Scrub: strings.TrimSpace}
}

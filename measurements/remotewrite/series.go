package remotewrite

import (
	"math"
	"slices"
	"strconv"
	"strings"

	writev2 "github.com/prometheus/client_golang/exp/api/remote/genproto/v2"
	dto "github.com/prometheus/client_model/go"
)

// series is one series with its value at one time.
type series struct {
	labels  []string // name and value in turn, sorted by name, the metric's own name among them
	kind    writev2.Metadata_MetricType
	help    string
	created int64 // of counters and histograms, in milliseconds; 0 where it is not known
	value   float64
}

// key tells series apart.
func (s *series) key() string { return strings.Join(s.labels, keySeparator) }

// keySeparator is in no label: see add. It is ASCII's unit separator, and can be written in JSON.
const keySeparator = "\x1f"

// family is the metric family's name, which the metadata of 1.0 want.
func (s *series) family() string {
	i := slices.Index(s.labels, "__name__")
	if i < 0 || i%2 != 0 {
		return ""
	}
	name := s.labels[i+1]
	if s.kind == writev2.Metadata_METRIC_TYPE_HISTOGRAM || s.kind == writev2.Metadata_METRIC_TYPE_SUMMARY {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, suffix)
		}
	}
	return name
}

// staleMarker says that a series ended: a NaN of its own (prometheus.io/docs/specs/prw, "Stale Markers").
var staleMarker = math.Float64frombits(0x7ff0000000000002)

// expand gives the series of metric families as a scrape would, in their order, but for those that stay here.
func expand(families []*dto.MetricFamily, prefix string, identity []string) (out []series) {
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), prefix) || f.GetName() == unpushed {
			continue
		}
		x := expander{family: f.GetName(), help: f.GetHelp(), identity: identity}
		for _, m := range f.GetMetric() {
			x.metric(m)
		}
		out = append(out, x.out...)
	}
	return out
}

// expander makes the series of one family.
type expander struct {
	family, help string
	identity     []string // job and instance
	out          []series
}

func (x *expander) metric(m *dto.Metric) {
	switch {
	case m.Counter != nil:
		x.add("", writev2.Metadata_METRIC_TYPE_COUNTER, m, m.Counter.GetCreatedTimestamp().AsTime().UnixMilli(), m.Counter.GetValue())
	case m.Gauge != nil:
		x.add("", writev2.Metadata_METRIC_TYPE_GAUGE, m, 0, m.Gauge.GetValue())
	case m.Untyped != nil:
		x.add("", writev2.Metadata_METRIC_TYPE_UNSPECIFIED, m, 0, m.Untyped.GetValue())
	case m.Summary != nil:
		created := m.Summary.GetCreatedTimestamp().AsTime().UnixMilli()
		for _, q := range m.Summary.GetQuantile() {
			x.add("", writev2.Metadata_METRIC_TYPE_SUMMARY, m, created, q.GetValue(), "quantile", float(q.GetQuantile()))
		}
		x.add("_sum", writev2.Metadata_METRIC_TYPE_SUMMARY, m, created, m.Summary.GetSampleSum())
		x.add("_count", writev2.Metadata_METRIC_TYPE_SUMMARY, m, created, float64(m.Summary.GetSampleCount()))
	case m.Histogram != nil:
		x.histogram(m, m.Histogram)
	}
}

// histogram gives the classic part.
func (x *expander) histogram(m *dto.Metric, h *dto.Histogram) {
	created := h.GetCreatedTimestamp().AsTime().UnixMilli()
	for _, b := range h.GetBucket() {
		if !math.IsInf(b.GetUpperBound(), 1) {
			x.add("_bucket", writev2.Metadata_METRIC_TYPE_HISTOGRAM, m, created, float64(b.GetCumulativeCount()), "le", float(b.GetUpperBound()))
		}
	}
	x.add("_bucket", writev2.Metadata_METRIC_TYPE_HISTOGRAM, m, created, float64(h.GetSampleCount()), "le", "+Inf")
	x.add("_sum", writev2.Metadata_METRIC_TYPE_HISTOGRAM, m, created, h.GetSampleSum())
	x.add("_count", writev2.Metadata_METRIC_TYPE_HISTOGRAM, m, created, float64(h.GetSampleCount()))
}

// add makes one series. A label without a value is none (Remote-Write, "Labels"); ours win over the metric's.
func (x *expander) add(suffix string, kind writev2.Metadata_MetricType, m *dto.Metric, created int64, value float64, further ...string) {
	pairs := [][2]string{{"__name__", x.family + suffix}}
	for _, list := range [][]string{x.identity, further} {
		for i := 0; i < len(list); i += 2 {
			pairs = append(pairs, [2]string{list[i], list[i+1]})
		}
	}
	for _, l := range m.GetLabel() {
		taken := slices.ContainsFunc(pairs, func(p [2]string) bool { return p[0] == l.GetName() })
		if l.GetValue() != "" && !taken {
			pairs = append(pairs, [2]string{l.GetName(), l.GetValue()})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	labels := make([]string, 0, 2*len(pairs))
	for _, p := range pairs {
		labels = append(labels, p[0], strings.ReplaceAll(p[1], keySeparator, " "))
	}
	x.out = append(x.out, series{labels: labels, kind: kind, help: x.help, created: max(created, 0), value: value})
}

// float writes a bound as OpenMetrics does, and thus as Prometheus has it after a scrape: "2.0", "+Inf".
func float(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if math.IsInf(f, 0) || math.IsNaN(f) || strings.ContainsAny(s, ".e") {
		if math.IsInf(f, 1) {
			return "+Inf"
		}
		return s
	}
	return s + ".0"
}

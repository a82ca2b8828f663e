package metrics

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	ms "github.com/telltale-probe/telltale/measurements"
)

var eight = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// The layers that a target's probes ask for.
var (
	address = []ms.Layer{ms.LayerTCP} // data centres: no name
	chat    = []ms.Layer{ms.LayerDNS, ms.LayerTCP}
	hello   = []ms.Layer{ms.LayerDNS, ms.LayerTCP, ms.LayerTLS}
	web     = []ms.Layer{ms.LayerDNS, ms.LayerTCP, ms.LayerTLS, ms.LayerHTTP}
	web3    = []ms.Layer{ms.LayerDNS, ms.LayerTCP, ms.LayerTLS, ms.LayerHTTP, ms.LayerQUIC}
)

// catalogue is as large as the built-in one is meant to become: 4 apps, 45 targets.
func catalogue() Options {
	app := func(id string, targets ...[]ms.Layer) AppInfo {
		a := AppInfo{ID: id}
		for i, layers := range targets {
			a.Targets = append(a.Targets, TargetInfo{ID: fmt.Sprintf("t%d", i+1), Layers: layers})
		}
		return a
	}
	return Options{
		Apps: []AppInfo{
			app("telegram", address, address, address, address, address, address, address, web, web, hello, hello, chat),
			app("whatsapp", chat, chat, chat, web3, web, web3, web3, hello, hello, hello, chat),
			app("line", web, web, web, hello, hello, hello, hello, chat, chat, chat, web),
			app("instagram", web3, web3, web3, hello, hello, web, hello, hello, hello, hello, chat),
		},
		Families:  []ms.Family{ms.IPv4, ms.IPv6},
		Software:  ms.Software{Version: "0.1.0", Revision: "abc", Rules: ms.RulesVersion, Catalogue: "c0ffee"},
		Vantage:   ms.Vantage{Country: "NL", ASN: 64496, Epoch: "e1"},
		GoVersion: "go1.26",
	}
}

// network is what answers in a round: the failure of a step, "" for success.
type network func(app, target string, l ms.Layer, f ms.Family) ms.Failure

func clean(string, string, ms.Layer, ms.Family) ms.Failure { return "" }

var operations = map[ms.Layer]ms.Operation{ms.LayerDNS: ms.Resolve, ms.LayerTCP: ms.Connect, ms.LayerTLS: ms.TLSHandshake, ms.LayerHTTP: ms.HTTPExchange, ms.LayerQUIC: ms.QUICHandshake}

// round measures a catalogue on a network, and says "blocked" of whatever fails.
func round(o Options, at time.Time, answer network) (ms.Round, ms.RoundVerdict) {
	r := ms.Round{ID: "r", Started: at, Runtime: ms.Seconds(3 * time.Second), Gate: ms.Measurement{App: ms.ControlApp, Started: at, Vantage: o.Vantage}}
	yes := true
	v := ms.RoundVerdict{Started: at, Network: ms.NetworkVerdict{State: ms.OK, IPv4: &yes, IPv6: &yes}}
	for _, layer := range gateLayers {
		for _, host := range []string{"a.example", "b.example"} {
			for _, f := range o.Families {
				r.Gate.Observations = append(r.Gate.Observations, step(host, layer, f, ""))
			}
		}
	}
	for _, app := range o.Apps {
		m := ms.Measurement{App: app.ID, Started: at, Vantage: o.Vantage}
		av := ms.AppVerdict{App: app.ID, State: ms.OK}
		for _, t := range app.Targets {
			tv := ms.TargetVerdict{Target: t.ID, State: ms.OK}
			for _, layer := range t.Layers {
				for _, f := range o.Families {
					failure := answer(app.ID, t.ID, layer, f)
					m.Observations = append(m.Observations, step(t.ID, layer, f, failure))
					l := ms.LayerVerdict{Layer: layer, Family: f, State: ms.OK}
					if failure != "" {
						l.State, l.Signature, l.Confidence = ms.Blocked, ms.Signature(string(layer)+".reset"), ms.Likely
						tv.State, av.State = ms.Blocked, ms.Partial
					}
					tv.Layers = append(tv.Layers, l)
				}
			}
			av.Targets = append(av.Targets, tv)
		}
		r.Apps, v.Apps = append(r.Apps, m), append(v.Apps, av)
	}
	return r, v
}

func step(target string, l ms.Layer, f ms.Family, failure ms.Failure) ms.Observation {
	return ms.Observation{Target: target, Operation: operations[l], Family: f, Failure: failure, Duration: ms.Seconds(30 * time.Millisecond), Sent: 10, Received: 20}
}

// gather reads all metrics, and fails on what Prometheus would refuse.
func gather(t testing.TB, m prometheus.Gatherer) map[string]*dto.MetricFamily {
	t.Helper()
	list, err := m.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*dto.MetricFamily{}
	for _, f := range list {
		out[f.GetName()] = f
	}
	return out
}

// series counts them as a server without native histograms does.
func series(families map[string]*dto.MetricFamily) (n int) {
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			if h := metric.GetHistogram(); h != nil {
				n += len(h.GetBucket()) + 3 // +Inf, sum and count
				continue
			}
			n++
		}
	}
	return n
}

// value gives one series by its labels, as name and value in turn; ok is false where there is none.
func value(t testing.TB, m prometheus.Gatherer, name string, labels ...string) (v float64, ok bool) {
	t.Helper()
	want := map[string]string{}
	for i := 0; i < len(labels); i += 2 {
		want[labels[i]] = labels[i+1]
	}
	for _, metric := range gather(t, m)[name].GetMetric() {
		match := 0
		for _, l := range metric.GetLabel() {
			if want[l.GetName()] == l.GetValue() {
				match++
			}
		}
		if match == len(want) && match == len(metric.GetLabel()) {
			return metric.GetGauge().GetValue() + metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount()), true
		}
	}
	return 0, false
}

func wantValue(t testing.TB, m prometheus.Gatherer, want float64, name string, labels ...string) {
	t.Helper()
	if got, ok := value(t, m, name, labels...); !ok || got != want {
		t.Errorf("%s%v is %v (there: %v), want %v", name, labels, got, ok, want)
	}
}

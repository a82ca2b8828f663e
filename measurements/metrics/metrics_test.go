package metrics

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	ms "github.com/telltale-probe/telltale/measurements"
)

// contract is section 8 of the design: each name with its labels. Those of "start" are there before
// the first round; the others are born by what they tell.
var contract = []struct{ name, labels, born string }{
	{"telltale_app_state", "app state", "start"},
	{"telltale_target_state", "app state target", "start"},
	{"telltale_layer_state", "app layer state", "start"},
	{"telltale_blocking", "app confidence ip_family layer signature target", "finding"},
	{"telltale_blocking_onset_timestamp_seconds", "app ip_family layer signature target", "finding"},
	{"telltale_blocking_last_ok_timestamp_seconds", "app ip_family layer signature target", "finding"},
	{"telltale_last_judged_timestamp_seconds", "app target", "start"},
	{"telltale_trials_total", "app layer outcome", "start"},
	{"telltale_steps_total", "app ip_family layer target", "start"},
	{"telltale_step_failures_total", "app ip_family layer reason target", "start"},
	{"telltale_step_duration_seconds", "app layer", "start"},
	{"telltale_network_up", "ip_family layer", "start"},
	{"telltale_rounds_total", "", "start"},
	{"telltale_rounds_skipped_total", "reason", "start"},
	{"telltale_round_duration_seconds", "", "start"},
	{"telltale_last_round_timestamp_seconds", "", "start"},
	{"telltale_network_bytes_total", "direction", "start"},
	{"telltale_store_errors_total", "reason", "finding"},
	{"telltale_store_size_bytes", "", "start"},
	{"telltale_penalty_ratio", "", "start"},
	{"telltale_outbox_dropped_total", "kind", "finding"},
	{"telltale_vantage_info", "asn country epoch label", "start"},
	{"telltale_build_info", "catalogue goversion revision rules version", "start"},
}

func reset(string, string, ms.Layer, ms.Family) ms.Failure { return ms.ConnectionReset }

// Every name of the contract is there when it should be, with exactly its labels, and no other is.
func TestContract(t *testing.T) {
	m, o := New(catalogue()), catalogue()
	for _, stage := range []string{"start", "round", "finding"} {
		switch stage {
		case "round":
			m.Observe(round(o, eight, clean))
		case "finding":
			m.Observe(round(o, eight.Add(time.Hour), reset))
			m.StoreFailed("full")
			m.OutboxDropped("mail", 1)
		}
		got := gather(t, m)
		for _, c := range contract {
			if c.born != "start" && (stage == "start" || c.born == "finding" && stage == "round") {
				continue
			}
			f := got[c.name]
			if f == nil {
				t.Errorf("at %s, %s is missing", stage, c.name)
				continue
			}
			delete(got, c.name)
			var labels []string
			for _, l := range f.GetMetric()[0].GetLabel() {
				labels = append(labels, l.GetName())
			}
			if strings.Join(labels, " ") != c.labels {
				t.Errorf("%s has labels %v, want %s", c.name, labels, c.labels)
			}
		}
		for name := range got {
			t.Errorf("at %s, %s is in no contract", stage, name)
		}
	}
}

// Prometheus' own linter has nothing to say.
func TestLint(t *testing.T) {
	m, o := New(catalogue()), catalogue()
	m.Observe(round(o, eight, clean))
	m.Observe(round(o, eight.Add(time.Hour), reset))
	problems, err := testutil.GatherAndLint(m)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	pedantic := prometheus.NewPedanticRegistry()
	pedantic.MustRegister(m.collectors()...)
	if _, err := pedantic.Gather(); err != nil {
		t.Error(err)
	}
}

// Before the first round no state is said, and every step that the catalogue asks for has a 0.
func TestStart(t *testing.T) {
	m := New(catalogue())
	wantValue(t, m, 0, "telltale_app_state", "app", "control", "state", "ok")
	wantValue(t, m, 0, "telltale_app_state", "app", "line", "state", "partial")
	wantValue(t, m, 0, "telltale_target_state", "app", "line", "target", "t1", "state", "blocked")
	wantValue(t, m, 0, "telltale_layer_state", "app", "line", "layer", "tls", "state", "ok")
	wantValue(t, m, 0, "telltale_steps_total", "app", "line", "target", "t1", "layer", "http", "ip_family", "ipv6")
	wantValue(t, m, 0, "telltale_trials_total", "app", "line", "layer", "tls", "outcome", "target_only_failed")
	wantValue(t, m, 0, "telltale_rounds_skipped_total", "reason", "consent")
	wantValue(t, m, 0, "telltale_last_judged_timestamp_seconds", "app", "line", "target", "t1")
	wantValue(t, m, 0, "telltale_step_duration_seconds", "app", "line", "layer", "tls")
	wantValue(t, m, 0, "telltale_step_failures_total", "app", "control", "target", "gate", "layer", "tcp", "ip_family", "ipv6", "reason", "generic_timeout_error")
	if v, ok := value(t, m, "telltale_network_up", "ip_family", "ipv4", "layer", "tls"); !ok || !math.IsNaN(v) {
		t.Errorf("before the first round the network is said to be %v (there: %v)", v, ok)
	}
	wantValue(t, m, 1, "telltale_vantage_info", "country", "NL", "asn", "64496", "label", "", "epoch", "e1")
	for _, labels := range [][]string{{"app", "telegram", "target", "t1", "layer", "tls", "ip_family", "ipv4"}} {
		if _, ok := value(t, m, "telltale_steps_total", labels...); ok {
			t.Errorf("a step that nobody asks for has a series: %v", labels)
		}
	}
	if got := len(New(Options{}).State().Findings); got != 0 {
		t.Errorf("nothing was measured and %d findings are known", got)
	}
}

// The contract's bounds: 1,000 on a clean line; 2,000 under heavy blocking, also for whoever answers
// with ever new error codes for weeks.
func TestSeriesAreBounded(t *testing.T) {
	o := catalogue()
	targets := 0
	for _, app := range o.Apps {
		targets += len(app.Targets)
	}
	m := New(o)
	m.OutboxWaiting(1)
	start := series(gather(t, m))
	m.Observe(round(o, eight, clean))
	quiet := series(gather(t, m))
	m.Observe(round(o, eight.Add(time.Hour), func(app, target string, l ms.Layer, f ms.Family) ms.Failure {
		if l == ms.LayerDNS || l == ms.LayerTLS {
			return ms.ConnectionReset
		}
		return ""
	}))
	heavy := series(gather(t, m))
	for i := range 50 {
		r, v := round(o, eight.Add(time.Duration(i+2)*time.Hour), func(_, target string, _ ms.Layer, _ ms.Family) ms.Failure {
			return ms.QUICClose(uint64(i) + uint64(target[len(target)-1]))
		})
		for a := range v.Apps {
			for b := range v.Apps[a].Targets {
				for c := range v.Apps[a].Targets[b].Layers {
					l := &v.Apps[a].Targets[b].Layers[c]
					l.Signature += ms.Signature(fmt.Sprint(".", i))
					l.Confidence = []ms.Confidence{ms.Suspected, ms.Likely, ms.Confirmed}[i%3]
				}
			}
		}
		m.Observe(r, v)
	}
	worst := series(gather(t, m))
	t.Logf("%d targets: %d series at the start, %d on a clean line, %d under heavy blocking, %d at worst", targets, start, quiet, heavy, worst)
	if quiet > 1000 || heavy > 2000 || worst > 2000 {
		t.Error("more than 1,000 on a clean line or 2,000 under heavy blocking")
	}
}

// One gauge of a set is 1, and it is the right one.
func TestStates(t *testing.T) {
	o := catalogue()
	m := New(o)
	m.Observe(round(o, eight, func(app, target string, l ms.Layer, f ms.Family) ms.Failure {
		if app == "line" && target == "t2" && l == ms.LayerTLS {
			return ms.ConnectionReset
		}
		return ""
	}))
	wantValue(t, m, 1, "telltale_app_state", "app", "control", "state", "ok")
	wantValue(t, m, 1, "telltale_app_state", "app", "line", "state", "partial")
	wantValue(t, m, 0, "telltale_app_state", "app", "line", "state", "ok")
	wantValue(t, m, 1, "telltale_app_state", "app", "telegram", "state", "ok")
	wantValue(t, m, 1, "telltale_target_state", "app", "line", "target", "t2", "state", "blocked")
	wantValue(t, m, 1, "telltale_target_state", "app", "line", "target", "t1", "state", "ok")
	wantValue(t, m, 1, "telltale_layer_state", "app", "line", "layer", "tls", "state", "blocked")
	wantValue(t, m, 1, "telltale_layer_state", "app", "line", "layer", "http", "state", "ok")
	wantValue(t, m, float64(eight.Unix()), "telltale_last_judged_timestamp_seconds", "app", "line", "target", "t2")

	r, v := round(o, eight.Add(time.Hour), clean)
	r.Apps, v.Apps = r.Apps[:1], v.Apps[:1] // stopped in mid-round
	m.Observe(r, v)
	wantValue(t, m, 1, "telltale_app_state", "app", "line", "state", "skipped")
	wantValue(t, m, 0, "telltale_app_state", "app", "line", "state", "partial")
	wantValue(t, m, 1, "telltale_target_state", "app", "line", "target", "t2", "state", "skipped")
	wantValue(t, m, 1, "telltale_layer_state", "app", "line", "layer", "tls", "state", "skipped")
	wantValue(t, m, float64(eight.Unix()), "telltale_last_judged_timestamp_seconds", "app", "line", "target", "t2")
	for name, f := range gather(t, m) {
		if strings.HasSuffix(name, "_state") {
			sum := 0.0
			for _, metric := range f.GetMetric() {
				sum += metric.GetGauge().GetValue()
			}
			if want := map[string]float64{"telltale_app_state": 5, "telltale_target_state": 45, "telltale_layer_state": 18}[name]; sum != want {
				t.Errorf("%s sums up to %v, want %v: one for each set", name, sum, want)
			}
		}
	}
}

// Rounds, bytes, durations, steps and their failures add up; the gate's hosts count as one target.
func TestCounters(t *testing.T) {
	o := catalogue()
	m := New(o)
	for i := range 2 {
		r, v := round(o, eight.Add(time.Duration(i)*time.Hour), func(app, target string, l ms.Layer, f ms.Family) ms.Failure {
			switch {
			case app == "line" && target == "t1" && l == ms.LayerTLS && f == ms.IPv4:
				return ms.Unknown("something " + fmt.Sprint(i))
			case app == "line" && target == "t1" && l == ms.LayerDNS && f == ms.IPv6:
				return ms.DNSNoAnswer
			}
			return ""
		})
		m.Observe(r, v)
	}
	m.RoundSkipped(SkipBudget)
	m.RoundSkipped("nobody knows why")
	m.StoreFailed("full")
	m.StoreFailed("nobody knows why")
	m.StoreSize(4096)
	m.OutboxDropped("mail", 3)
	line := []string{"app", "line", "target", "t1", "layer", "tls", "ip_family", "ipv4"}
	wantValue(t, m, 2, "telltale_steps_total", line...)
	wantValue(t, m, 2, "telltale_step_failures_total", append(line, "reason", "unknown_failure")...)
	wantValue(t, m, 2, "telltale_steps_total", "app", "line", "target", "t1", "layer", "dns", "ip_family", "ipv6")
	if v, ok := value(t, m, "telltale_step_failures_total", "app", "line", "target", "t1", "layer", "dns", "ip_family", "ipv6", "reason", "dns_no_answer"); ok {
		t.Errorf("a name without IPv6 addresses counts as %v failures", v)
	}
	wantValue(t, m, 4, "telltale_steps_total", "app", "control", "target", "gate", "layer", "quic", "ip_family", "ipv4")
	wantValue(t, m, 8, "telltale_step_duration_seconds", "app", "control", "layer", "quic")
	wantValue(t, m, 2, "telltale_rounds_total")
	wantValue(t, m, 3, "telltale_round_duration_seconds")
	wantValue(t, m, float64(eight.Add(time.Hour).Unix()+3), "telltale_last_round_timestamp_seconds")
	wantValue(t, m, 1, "telltale_rounds_skipped_total", "reason", "budget")
	wantValue(t, m, 1, "telltale_rounds_skipped_total", "reason", "other")
	wantValue(t, m, 1, "telltale_store_errors_total", "reason", "full")
	wantValue(t, m, 1, "telltale_store_errors_total", "reason", "other")
	wantValue(t, m, 4096, "telltale_store_size_bytes")
	m.PenaltyShare(0.04)
	wantValue(t, m, 0.04, "telltale_penalty_ratio")
	wantValue(t, m, 3, "telltale_outbox_dropped_total", "kind", "mail")
	sentBytes, _ := value(t, m, "telltale_network_bytes_total", "direction", "sent")
	wantValue(t, m, 2*sentBytes, "telltale_network_bytes_total", "direction", "received")
	h := gather(t, m)["telltale_step_duration_seconds"].GetMetric()[0].GetHistogram()
	if len(h.GetBucket()) != len(stepBuckets) || h.GetSchema() == 0 || len(h.GetPositiveSpan()) == 0 {
		t.Error("the histogram is not both classic and native")
	}
}

// What was not tested is absent, not down.
func TestNetworkUp(t *testing.T) {
	o := catalogue()
	m := New(o)
	m.Observe(round(o, eight, clean))
	wantValue(t, m, 1, "telltale_network_up", "ip_family", "ipv6", "layer", "tls")
	wantValue(t, m, 1, "telltale_network_up", "ip_family", "ipv6", "layer", "quic")
	r, v := round(o, eight.Add(time.Hour), clean)
	no := false
	v.Network = ms.NetworkVerdict{State: ms.Local, IPv4: &no}
	r.Gate.Observations = []ms.Observation{step("a", ms.LayerTCP, ms.IPv4, ms.HostUnreachable), step("b", ms.LayerTCP, ms.IPv4, "")}
	m.Observe(r, v)
	wantValue(t, m, 0, "telltale_network_up", "ip_family", "ipv4", "layer", "tls")
	wantValue(t, m, 1, "telltale_network_up", "ip_family", "ipv4", "layer", "tcp")
	wantValue(t, m, 1, "telltale_app_state", "app", "control", "state", "local")
	if _, ok := value(t, m, "telltale_network_up", "ip_family", "ipv6", "layer", "tls"); ok {
		t.Error("IPv6 was not tested and has a value")
	}
}

// Trials are counted by layer and outcome; what makes one is for the judging to say.
func TestTrialsAreCounted(t *testing.T) {
	m, o := New(one()), one()
	r, v := round(o, eight, clean)
	for i, died := range []ms.Failure{"", ms.ConnectionReset, ms.ConnectionReset} {
		n, target := step("api", ms.LayerTLS, ms.IPv4, ""), step("api", ms.LayerTLS, ms.IPv4, died)
		n.Control, n.Trial, target.Trial = ms.N, i+1, i+1
		r.Apps[0].Observations = append(r.Apps[0].Observations, n, target)
	}
	m.Observe(r, v)
	for outcome, want := range map[ms.Outcome]float64{ms.BothOK: 1, ms.TargetOnlyFailed: 2, ms.BothFailed: 0, ms.ControlOnlyFailed: 0} {
		wantValue(t, m, want, "telltale_trials_total", "app", "line", "layer", "tls", "outcome", string(outcome))
	}
}

// A changed configuration sets no counter back, and what is gone leaves no series.
func TestConfigure(t *testing.T) {
	o := catalogue()
	m := New(o)
	m.Observe(round(o, eight, reset))
	o.Apps = o.Apps[1:]                       // telegram is switched off
	o.Apps[0].Targets = o.Apps[0].Targets[1:] // whatsapp loses t1
	o.Apps = append(o.Apps, AppInfo{ID: "signal", Targets: []TargetInfo{{ID: "chat", Layers: web}}})
	m.Configure(o)
	wantValue(t, m, 1, "telltale_rounds_total")
	wantValue(t, m, 1, "telltale_steps_total", "app", "line", "target", "t1", "layer", "tls", "ip_family", "ipv4")
	wantValue(t, m, 0, "telltale_steps_total", "app", "signal", "target", "chat", "layer", "tls", "ip_family", "ipv4")
	for name, f := range gather(t, m) {
		for _, metric := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range metric.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["app"] == "telegram" || labels["app"] == "whatsapp" && labels["target"] == "t1" {
				t.Errorf("%s%v outlived its target", name, labels)
			}
		}
	}
}

// A scrape in the middle of a round's observing sees it whole or not at all.
func TestScrapesSeeWholeRounds(t *testing.T) {
	o := catalogue()
	m := New(o)
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		defer close(stop)
		for i := range 40 {
			m.Observe(round(o, eight.Add(time.Duration(i)*time.Hour), map[bool]network{true: clean, false: reset}[i%2 == 0]))
		}
	})
	for range 2 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				sums := map[string]float64{}
				for name, f := range gather(t, m) {
					for _, metric := range f.GetMetric() {
						sums[name] += metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
					}
				}
				if sums["telltale_app_state"] != 0 && sums["telltale_app_state"] != 5 {
					t.Errorf("states sum up to %v", sums["telltale_app_state"])
				}
				if per := sums["telltale_steps_total"] / max(sums["telltale_rounds_total"], 1); per != float64(int(per)) {
					t.Errorf("half a round's steps were seen: %v a round", per)
				}
				_ = m.State()
			}
		})
	}
	all.Wait()
}

// The program's own metrics come only when asked for, and are all that comes.
func TestRegisterSelf(t *testing.T) {
	m := New(Options{})
	before := slices.Collect(maps.Keys(gather(t, m)))
	m.RegisterSelf()
	for name := range gather(t, m) {
		if !slices.Contains(before, name) && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("%s came as well", name)
		}
	}
	if gather(t, m)["go_goroutines"] == nil {
		t.Error("go_goroutines is missing")
	}
}

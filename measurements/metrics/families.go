package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Values of the label direction.
const (
	sent     = "sent"
	received = "received"
)

// Reasons for which a whole round is skipped.
const (
	SkipConsent = "consent" // nobody has agreed to measuring yet
	SkipBudget  = "budget"  // the daily budget is spent: the round is made without some endpoints
)

// SkipReasons lists them all.
var SkipReasons = []string{SkipConsent, SkipBudget}

// stepBuckets are the classic buckets of step durations, in seconds: near, far, slow and nearly lost.
// Chosen by us. There are few because every bucket is a series for each app and layer; servers that
// scrape native histograms have 8 buckets for each doubling instead.
var stepBuckets = []float64{0.1, 0.5, 2}

// families are the metrics, one field each.
type families struct {
	appState, targetState, layerState   *prometheus.GaugeVec
	blocking, blockingOnset, blockingOK *prometheus.GaugeVec
	lastJudged                          *prometheus.GaugeVec
	trials, steps, stepFailures         *prometheus.CounterVec
	stepDuration                        *prometheus.HistogramVec
	networkUp                           *prometheus.GaugeVec
	rounds                              prometheus.Counter
	roundsSkipped, networkBytes         *prometheus.CounterVec
	roundDuration, lastRound            prometheus.Gauge
	vantageInfo, buildInfo              *prometheus.GaugeVec
	storeErrors, outboxDropped          *prometheus.CounterVec
	storeSize                           prometheus.Gauge
	outboxMessages                      *prometheus.GaugeVec
	pushFailures                        *prometheus.CounterVec
	penaltyShare                        prometheus.Gauge
}

func newFamilies() families {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "telltale_" + name, Help: help}, labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "telltale_" + name, Help: help}, labels)
	}
	return families{
		appState:    gauge("app_state", "1 for the app's state in the last round; the app control is our own line. All 0 before the first round.", "app", "state"),
		targetState: gauge("target_state", "1 for the target's state in the last round: that of its worst layer.", "app", "target", "state"),
		layerState:  gauge("layer_state", "1 for the layer's state in the last round, the worst over the app's targets.", "app", "layer", "state"),

		blocking: gauge("blocking", "1 while a blocking of this kind stands, 0 afterwards. Not measured is no end: the value stays.",
			"app", "target", "layer", "ip_family", "signature", "confidence"),
		blockingOnset: gauge("blocking_onset_timestamp_seconds", "When the blocking was first seen. It began between the last ok and this.",
			"app", "target", "layer", "ip_family", "signature"),
		blockingOK: gauge("blocking_last_ok_timestamp_seconds", "When the layer was last ok before the onset; absent if it never was.",
			"app", "target", "layer", "ip_family", "signature"),
		lastJudged: gauge("last_judged_timestamp_seconds", "When the round began that gave the target a state other than skipped; 0 if none did.", "app", "target"),

		trials: counter("trials_total", "Pairs of a neutral name and the target's at one place, by which of them failed.", "app", "layer", "outcome"),
		steps:  counter("steps_total", "Network operations made with the target's own name. Controls are in telltale_trials_total.", "app", "target", "layer", "ip_family"),
		stepFailures: counter("step_failures_total", "Steps of telltale_steps_total that failed, by what went wrong, never why.",
			"app", "target", "layer", "ip_family", "reason"),
		stepDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "telltale_step_duration_seconds", Help: "Time until a step succeeded or its failure showed.",
			Buckets:                         stepBuckets,
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{"app", "layer"}),

		networkUp:     gauge("network_up", "Whether neutral hosts answered at this layer in the last round; absent where that was not tested, NaN before the first round.", "ip_family", "layer"),
		rounds:        prometheus.NewCounter(prometheus.CounterOpts{Name: "telltale_rounds_total", Help: "Rounds made."}),
		roundsSkipped: counter("rounds_skipped_total", "Rounds that were due and not made, or for the budget not in full.", "reason"),
		roundDuration: prometheus.NewGauge(prometheus.GaugeOpts{Name: "telltale_round_duration_seconds", Help: "How long the last round took."}),
		lastRound: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "telltale_last_round_timestamp_seconds", Help: "When the last round ended; 0 if there was none.",
		}),
		networkBytes:  counter("network_bytes_total", "Payload bytes of all steps, controls included; headers below TCP and UDP are not in it.", "direction"),
		vantageInfo:   gauge("vantage_info", "What the volunteer says about the place, and the network's epoch. Always 1.", "country", "asn", "label", "epoch"),
		buildInfo:     gauge("build_info", "The versions that measure and judge. Always 1.", "version", "revision", "goversion", "rules", "catalogue"),
		storeErrors:   counter("store_errors_total", "Failures of the store: the disk was full, the database damaged and set aside, the disk failed, or other. Evidence not yet written may be lost. There from the first failure on.", "reason"),
		storeSize:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "telltale_store_size_bytes", Help: "What the store's database takes on the disk, with its log, after the last round."}),
		outboxDropped: counter("outbox_dropped_total", "Messages that were given up undelivered: the outbox was full, they were too old, or the receiver refused them for good. There from the first on.", "kind"),

		penaltyShare: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "telltale_penalty_ratio", Help: "Of the last day, the greatest part for which an address was under a penalty that failures of ours may have caused: 0.05 at most.",
		}),
		pushFailures:   counter("push_failures_total", "Attempts to deliver that failed, by reason. There from the first on.", "kind", "reason"),
		outboxMessages: gauge("outbox_messages", "Messages that wait to be delivered, or were just written; absent where nothing is pushed. One series for all kinds: there is a budget."),
	}
}

func (f *families) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		f.appState, f.targetState, f.layerState, f.blocking, f.blockingOnset, f.blockingOK, f.lastJudged,
		f.trials, f.steps, f.stepFailures, f.stepDuration, f.networkUp, f.rounds, f.roundsSkipped,
		f.roundDuration, f.lastRound, f.networkBytes, f.vantageInfo, f.buildInfo,
		f.storeErrors, f.storeSize, f.outboxDropped, f.pushFailures, f.outboxMessages, f.penaltyShare,
	}
}

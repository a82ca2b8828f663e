package store_test

import (
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// judged is a round with what is said of it.
type judged struct {
	round   measurements.Round
	verdict measurements.RoundVerdict
	history measurements.History // after it
}

// rounds makes rounds as `run` makes them by default, a quarter of an hour apart, on the emulated internet
// and in virtual time; then what it makes simpler than a real one is made as large as there.
func rounds(t testing.TB, n int, rules ...netlab.Rule) (out []judged) {
	t.Helper()
	probe.DisableScrambling()
	synctest.Test(&testing.T{}, func(*testing.T) {
		cfg := config.Default()
		w, err := netlab.New(netlab.Options{Apps: append(cfg.Apps, cfg.Placebo), Controls: cfg.Controls, Trusted: cfg.Trusted, Access: netlab.Link{Latency: time.Millisecond}})
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = w.Close() }()
		w.Network().Censor(rules...)
		system, err := w.Host().ResolversOfSystem()
		if err != nil {
			t.Error(err)
			return
		}
		plan := &probe.Plan{Host: w.Host(), Apps: w.Apps(cfg.Apps...), Placebo: cfg.Placebo, Controls: cfg.Controls, System: system, Trusted: cfg.Trusted,
			Families: cfg.Families, Timeout: cfg.Timeout, Parallel: cfg.Parallel, Ledger: schedule.NewLedger(cfg.Residual), Suspicion: &schedule.Suspicion{},
			Spread: time.Minute, VolumeEvery: 32, IdentityEvery: 7 * 24 * time.Hour, EpochKey: probe.NewEpochKey()}
		var history measurements.History
		for range n {
			round := plan.Run(context.Background())
			verdict := measurements.Judge(&round, &history)
			history.Learn(&round, &verdict)
			probe.Suspect(plan.Suspicion, &verdict, &history)
			plan.Rotation = plan.Rotation.Next()
			out = append(out, judged{round, verdict, history})
			time.Sleep(15 * time.Minute)
		}
	})
	random := rand.New(rand.NewPCG(1, 2))
	for i := range out {
		lifelike(random, &out[i].round.Gate)
		for j := range out[i].round.Apps {
			lifelike(random, &out[i].round.Apps[j])
		}
	}
	return out
}

// The sizes, in bytes, of a leaf, an intermediate, and the page of a server that does not know a neutral
// name. On the web a chain of two has about 3 kB, and such pages have from some hundred bytes to 8 KiB, of
// which the larger ones are the same each time.
const (
	leafSize         = 1800
	intermediateSize = 1400
	pageSize         = 1500
)

// lifelike adds what the emulated internet does not have: times that are no round numbers, what Linux
// tells of a TCP connection, and the certificates and pages of real servers.
func lifelike(random *rand.Rand, m *measurements.Measurement) {
	for i := range m.Observations {
		o := &m.Observations[i]
		noise := time.Duration(random.Int64N(int64(time.Millisecond)))
		o.Started = o.Started.Add(noise)
		o.Duration += measurements.Seconds(noise.Truncate(time.Microsecond))
		if o.Operation == measurements.Connect && o.OK() {
			rtt := measurements.Seconds(time.Duration(random.Int64N(90_000)) * time.Microsecond)
			o.TCP = &measurements.TCPInfo{RTT: rtt, MinRTT: rtt, BytesAcked: random.Uint64N(4000), BytesReceived: random.Uint64N(40_000)}
		}
		if o.TLS != nil {
			for j, der := range o.TLS.Chain {
				o.TLS.Chain[j] = noiseOf(der, map[bool]int{true: leafSize, false: intermediateSize}[j == 0])
			}
		}
		if o.HTTP != nil && len(o.HTTP.Body) > 0 {
			o.HTTP.Body = noiseOf([]byte(o.Started.String()), pageSize*3/4) // a page with its own time; text compresses
			o.HTTP.BodyBytes = int64(len(o.HTTP.Body))
		}
	}
}

// noiseOf gives bytes that can't be compressed, always the same for the same seed.
func noiseOf(seed []byte, size int) []byte {
	sum := sha256.Sum256(seed)
	out := make([]byte, size)
	_, _ = rand.NewChaCha8(sum).Read(out)
	return out
}

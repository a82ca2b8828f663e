package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/noise"
)

// Block is a way of blocking one target.
type Block struct {
	What   string               // in a word or two
	Share  float64              // of the connections that it kills; DNS: of the queries that it answers
	Layers []measurements.Layer // where it has to be found
	probes []probe.Probe        // a target with one of these has it; nil: any target
	rule   netlab.Rule          // names and addresses apart
	named  bool                 // it goes by the target's names, and else by its addresses
}

// Watched is how long a block is watched.
const Watched = 24 * time.Hour

// Blocks are the ways that are injected, each with all, half, and a quarter of the connections: 26 % is what China's
// filter of what looks like chance kills (USENIX Security 2023).
func Blocks() (out []Block) {
	overTLS := []probe.Probe{probe.ProbeTLS, probe.ProbeHTTPS, probe.ProbeWSS, probe.ProbeLEGY}
	for _, b := range []Block{
		{What: "SNI reset", Layers: []measurements.Layer{measurements.LayerTLS}, probes: overTLS, named: true,
			rule: netlab.Rule{Protocol: netlab.TLS, Action: netlab.Reset}},
		{What: "SNI drop", Layers: []measurements.Layer{measurements.LayerTLS}, probes: overTLS, named: true,
			rule: netlab.Rule{Protocol: netlab.TLS, Action: netlab.Drop}},
		{What: "DNS forged", Layers: []measurements.Layer{measurements.LayerDNS}, probes: overTLS, named: true,
			rule: netlab.Rule{Protocol: netlab.DNS, Action: netlab.DNSForge, OnPath: true, Answer: otherCompanys}},
		{What: "QUIC drop", Layers: []measurements.Layer{measurements.LayerQUIC}, probes: []probe.Probe{probe.ProbeH3}, named: true,
			rule: netlab.Rule{Protocol: netlab.QUIC, Action: netlab.Drop}},
		{What: "IP drop", Layers: []measurements.Layer{measurements.LayerTCP, measurements.LayerQUIC, measurements.LayerApp},
			rule: netlab.Rule{Protocol: netlab.Any, Action: netlab.Drop}},
	} {
		for _, share := range []float64{1, 0.5, 0.26} {
			b.Share = share
			if b.rule.Probability = share; share == 1 {
				b.rule.Probability = 0 // always
			}
			out = append(out, b)
		}
	}
	return out
}

// otherCompanys are addresses of somebody else, as China's injectors give them: those of the world dns-injection-gfw.
var otherCompanys = []netip.Addr{netip.MustParseAddr("1.1.1.1"), netip.MustParseAddr("2606:4700:4700::1111")}

// settling is how long a daemon has run again when a block sets in, at least, and at most twice so long.
const settling = 30 * time.Minute

// Onset lets somebody block a target on the network of a Noise, and gives the times from there until it was likely and
// confirmed; 0 if it never was. The daemon starts with what one knew at the end of such weeks (NoiseReport.History), or with
// nothing.
// It fails where no target suits the block, or the history can't be read.
func (l *Lab) Onset(ctx context.Context, n Noise, b Block, history []byte) (likely, confirmed time.Duration, err error) {
	synctest.Test(&testing.T{}, func(*testing.T) { likely, confirmed, err = l.onset(ctx, n, b, history) })
	return likely, confirmed, err
}

func (l *Lab) onset(ctx context.Context, n Noise, b Block, history []byte) (likely, confirmed time.Duration, err error) {
	time.Sleep(time.Duration(n.Weeks)*7*24*time.Hour + time.Hour) // a history is of the past
	rnd := rand.New(rand.NewPCG(n.Seed, 2))
	app, target, err := l.victim(rnd, b)
	if err != nil {
		return 0, 0, err
	}
	d, err := l.daemon(n, 2*settling+Watched)
	if err != nil {
		return 0, 0, err
	}
	if len(history) > 0 {
		if err := json.Unmarshal(history, &d.watch.History); err != nil {
			return 0, 0, errors.Join(fmt.Errorf("the history of the weeks before: %w", err), d.world.Close())
		}
	}
	rule := b.rule
	rule.ID, rule.From = "censor", settling+time.Duration(rnd.Int64N(int64(settling)))
	if rule.Names = target.Hosts; !b.named {
		rule.Names, rule.Addresses = nil, prefixes(d.world, target)
		d.troubles = slices.DeleteFunc(d.troubles, func(t trouble) bool {
			return slices.ContainsFunc(t.moves, func(h string) bool { return slices.Contains(target.Hosts, h) })
		})
	}
	d.world.Network().Censor(rule)
	onset := d.start.Add(rule.From)
	err = d.live(func() bool {
		return ctx.Err() == nil && time.Since(onset) < Watched && (likely == 0 || confirmed == 0)
	}, func(v *measurements.RoundVerdict) {
		if c := b.found(v, app, target.ID); c != "" && time.Now().After(onset) {
			if c != measurements.Suspected && likely == 0 {
				likely = time.Since(onset)
			}
			if c == measurements.Confirmed && confirmed == 0 {
				confirmed = time.Since(onset)
			}
		}
	})
	return likely, confirmed, err
}

// Late says why a block of this kind was found too late too often, as far as so few tell; "" where it was not. The bar:
// what resets every handshake with a name is confirmed within three hours, and a quarter of a block by name is likely
// within a day. Nine of ten are to keep it: other troubles go on meanwhile, and where several targets share an address
// they share the looks that a household can bear there. One target's addresses that are silent are no finding by any
// rule: that is what an outage looks like from one place.
func (b Block) Late(d *noise.Delays) string {
	hard := b.named && b.Share == 1 && b.rule.Protocol == netlab.TLS && b.rule.Action == netlab.Reset
	switch {
	case hard && misses(d, d.Within(d.Confirmed, 3*time.Hour)):
		return fmt.Sprintf("%s: %.0f%% were confirmed within three hours", b.What, 100*d.Within(d.Confirmed, 3*time.Hour))
	case b.named && b.Share < 0.5 && misses(d, d.Within(d.Likely, 24*time.Hour)):
		return fmt.Sprintf("%s of %.0f%%: %.0f%% were likely within a day", b.What, 100*b.Share, 100*d.Within(d.Likely, 24*time.Hour))
	}
	return ""
}

// misses says whether so small a share in time shows that fewer than nine of ten are, at 95 %: the binomial test.
func misses(d *noise.Delays, inTime float64) bool {
	const late, level = 0.1, 0.05
	n, found := float64(d.Blocks), math.Round(inTime*float64(d.Blocks))
	tail := 0.0
	for k := n - found; k <= n; k++ {
		all, _ := math.Lgamma(n + 1)
		hits, _ := math.Lgamma(k + 1)
		rest, _ := math.Lgamma(n - k + 1)
		tail += math.Exp(all - hits - rest + k*math.Log(late) + (n-k)*math.Log(1-late))
	}
	return tail < level
}

// victim draws a target that the block suits.
func (l *Lab) victim(rnd *rand.Rand, b Block) (app string, t probe.Target, err error) {
	type place struct {
		app    string
		target probe.Target
	}
	var all []place
	for _, a := range l.Apps {
		for _, t := range a.Targets {
			if b.probes == nil || slices.ContainsFunc(t.Probes, func(p probe.Probe) bool { return slices.Contains(b.probes, p) }) && len(t.Hosts) > 0 {
				all = append(all, place{a.ID, t})
			}
		}
	}
	if len(all) == 0 {
		return "", t, fmt.Errorf("no target has what %q blocks", b.What)
	}
	one := all[rnd.IntN(len(all))]
	return one.app, one.target, nil
}

// found is the greatest confidence with which a round finds the target blocked where it is; "" for not at all.
func (b Block) found(v *measurements.RoundVerdict, app, target string) (best measurements.Confidence) {
	order := []measurements.Confidence{"", measurements.Suspected, measurements.Likely, measurements.Confirmed}
	for _, a := range v.Apps {
		for _, t := range a.Targets {
			for _, f := range t.Layers {
				if a.App == app && t.Target == target && f.State == measurements.Blocked && slices.Contains(b.Layers, f.Layer) && slices.Index(order, f.Confidence) > slices.Index(order, best) {
					best = f.Confidence
				}
			}
		}
	}
	return best
}

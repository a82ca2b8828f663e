package probe

import (
	"context"
	mrand "math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

const (
	// silentFor is how long a step may be silent before neutral hosts are asked what they hear, where its timeout
	// is ten seconds: later than the second retransmission of a SYN (RFC 6298: 1 s, then 2 s), and so that they
	// answer in the first half, in which most is sent again. It is silentShare of a shorter timeout. So long the
	// last answer of neutral hosts stands for what is silent next, too, so that one falls into every silence.
	silentFor   = 3 * time.Second
	silentShare = 0.3
	// failurePause is that for what fails at once: a round in which everything is reset is over in a few
	// seconds, and whether resets hit whom they like shows only in several questions. Chosen by us.
	failurePause = time.Second
	// How many operators' hosts are asked at once: of a failure two, since one has troubles of its own; of
	// a silence, in which any answer tells that the line is not dead, one.
	askedOfFailure, askedOfSilence = 2, 1
	// witnessTurns is how often a neutral host is asked again in a round: few of them speak QUIC, and a round
	// in which much is silent lasts half a minute. Chosen by us.
	witnessTurns = 6
)

// passage is how a step travels: what of it works says nothing about the others.
type passage struct {
	family measurements.Family
	quic   bool
}

// witnesses are the neutral hosts whose handshakes the gate saw answered, or killed. They are asked again whenever
// something fails, or is silent for long: the gate's own word is as old as the round, and a line that dies, a
// portal that closes, or a box that kills at random looks like everybody's block in the course of it.
type witnesses struct {
	ask func(by passage, host string, ep netip.AddrPort) (answered bool)

	mu      sync.Mutex
	ready   map[passage][]witness
	silent  map[passage][]witness // did not answer the last time
	wait    time.Duration         // silentFor, or less
	asked   map[passage]time.Time
	over    bool // the round is: nobody is called any more
	running sync.WaitGroup

	gate   *sheet                            // where transfers of theirs are noted
	all    map[measurements.Family][]witness // over TLS
	small  map[netip.AddrPort]bool           // whose objects tell no rate
	gauged int                               // how many objects were fetched
}

type witness struct {
	host, operator string
	ep             netip.AddrPort
	turns          int
}

// newWitnesses takes those that answered, or died of something else than silence, out of the gate's measurement, in
// random order.
func (p *Plan) newWitnesses(ctx context.Context, gate *sheet, m *measurements.Measurement) *witnesses {
	w := &witnesses{
		ready: map[passage][]witness{}, silent: map[passage][]witness{}, wait: min(silentFor, time.Duration(silentShare*float64(p.Timeout))), asked: map[passage]time.Time{},
		gate: gate, all: map[measurements.Family][]witness{}, small: map[netip.AddrPort]bool{},
	}
	w.ask = func(by passage, host string, ep netip.AddrPort) bool { return p.askAgain(ctx, gate, by, host, ep) }
	operators := map[string]string{}
	for _, t := range m.Targets {
		operators[t.ID] = t.Operator
	}
	seen := map[schedule.Place]bool{}
	for _, i := range mrand.Perm(len(m.Observations)) {
		o := &m.Observations[i]
		ep, err := netip.ParseAddrPort(o.Endpoint)
		by := passageOf(o)
		place := schedule.Place{Transport: by.transport(), Endpoint: ep}
		if err != nil || o.Control != measurements.T || !o.OK() && !killed(o) || o.Operation != measurements.TLSHandshake && o.Operation != measurements.QUICHandshake || seen[place] {
			continue
		}
		seen[place] = true
		x := witness{o.Target, operators[o.Target], ep, witnessTurns}
		w.ready[by] = append(w.ready[by], x)
		if !by.quic && o.OK() {
			w.all[by.family] = append(w.all[by.family], x)
		}
	}
	return w
}

// killed says whether a handshake was ended by something that spoke.
func killed(o *measurements.Observation) bool {
	return o.Failure.Kind() != "" && o.Failure != measurements.Timeout
}

func passageOf(o *measurements.Observation) passage {
	return passage{o.Family, o.Layer() == measurements.LayerQUIC || o.Transport == "quic" || o.Transport == "udp"}
}

func (w passage) transport() string {
	if w.quic {
		return "udp"
	}
	return "tcp"
}

// call asks hosts of a few operators by the passage on which something fails now, unless they have just been asked.
func (w *witnesses) call(by passage, hosts int, pause time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	if now := time.Now(); w.asked[by].IsZero() || now.Sub(w.asked[by]) >= pause {
		w.asked[by] = now
		for _, x := range w.next(by, hosts) {
			w.running.Go(func() {
				w.back(by, x, w.ask(by, x.host, x.ep))
			})
		}
	}
}

// end waits for those that were called. A step's timer may fire in the moment in which the step ends, the round's last
// one too: whoever it calls after that is not asked.
func (w *witnesses) end() {
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	w.running.Wait()
}

// next takes hosts of different operators from those that are left.
func (w *witnesses) next(by passage, hosts int) (out []witness) {
	var left []witness
	operators := map[string]bool{}
	if len(w.ready[by]) == 0 {
		w.ready[by], w.silent[by] = w.silent[by], nil
	}
	for _, x := range w.ready[by] {
		if len(out) < hosts && !operators[x.operator] {
			operators[x.operator] = true
			out = append(out, x)
			continue
		}
		left = append(left, x)
	}
	w.ready[by] = left
	return out
}

// back puts a host at the end of the line, and one that did not answer behind those: nothing else is left to
// ask on a line that stays dead for longer than there are hosts.
func (w *witnesses) back(by passage, x witness, answered bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	x.turns--
	switch {
	case x.turns <= 0:
	case answered:
		w.ready[by] = append(w.ready[by], x)
	default:
		w.silent[by] = append(w.silent[by], x)
	}
}

// watch calls the witnesses if a step by this passage is silent for long. stop ends that.
func (w *witnesses) watch(by passage) (stop func()) {
	if w == nil {
		return func() {}
	}
	timer := time.AfterFunc(w.wait, func() { w.call(by, askedOfSilence, w.wait) })
	return func() { timer.Stop() }
}

// hear calls the witnesses where an observation says that a step of a target failed, or a connect that speaks
// for it. Names have a control of their own.
func (w *witnesses) hear(o *measurements.Observation) {
	if w == nil || o.OK() || o.Operation == measurements.Resolve || o.Endpoint == "" {
		return
	}
	if o.Control == measurements.T || o.Control == measurements.N && o.Layer() == measurements.LayerTCP {
		pause := failurePause
		if o.Failure == measurements.Timeout {
			pause = w.wait
		}
		w.call(passageOf(o), askedOfFailure, pause)
	}
}

// askAgain makes a small handshake with a neutral host that answered the gate.
func (p *Plan) askAgain(ctx context.Context, gate *sheet, by passage, host string, ep netip.AddrPort) bool {
	if ctx.Err() != nil || p.Budget != nil && !p.Budget.Allow(visitBytes) {
		return false
	}
	unlock := p.places.lock(by.transport(), ep)
	defer unlock()
	c := chain{p: p, s: gate, role: role{target: host, again: true}, ep: ep}
	if by.quic {
		return c.quic(ctx, host, "", measurements.Small, 0)
	}
	return c.tls(ctx, host, "", measurements.Small, 0)
}

package probe

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	mrand "math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/privacy"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// Plan is everything a round needs. It says which steps are made, where and in which order; what
// they mean is said elsewhere. Run may be called again and again; the ledger, the budget and the
// suspicion carry over.
type Plan struct {
	Host     Host
	Apps     []App
	Placebo  App // measured like the apps, and nobody blocks it; without targets there is none
	Controls []Control
	System   []Resolver // under test; none means the host's, read anew for each round
	Trusted  []Resolver // control D
	Families []measurements.Family

	Timeout  time.Duration // of one step
	Parallel int           // endpoints measured at the same time
	// Spread is the time over which the targets' visits begin, each at a moment of its own; 0 is at once.
	Spread time.Duration

	// Thorough is `once`: N before every T, and both shapes of hello. Otherwise N comes for targets
	// under suspicion and for a rotating eighth of the others, and one shape, at random.
	Thorough bool
	// Shape of the first hellos; "" is as said above. Only tests set it, where chance would decide.
	Shape     measurements.Shape
	Ledger    *schedule.Ledger
	Budget    *schedule.Budget
	Rotation  schedule.Rotation
	Suspicion *schedule.Suspicion

	// VolumeEvery is in how many rounds each target's transfers are measured once; 0 is never, 1 always.
	VolumeEvery int
	// Opaque: first packets that look like chance are sent without suspicion, too.
	Opaque bool
	// IdentityEvery is how long the proof of a target and family lasts that it has the app's key, where giving it costs
	// the server something; 0 is for good: it is asked for under suspicion alone.
	IdentityEvery time.Duration
	// Locate looks, under suspicion, for the hop at which a handshake dies.
	Locate bool

	// Reference is asked in every round, if set (control R).
	Reference *Reference
	// AskHelper makes control X with the helper that the reference announces, if it does.
	AskHelper bool

	Software measurements.Software
	// Vantage is what the volunteer says of home. Each round has an epoch of its own in it, made with
	// EpochKey (Network.Epoch); and without home's country and network where a tunnel leads elsewhere.
	Vantage measurements.Vantage
	// EpochKey is the installation's. nil means one that lasts as long as the plan.
	EpochKey []byte

	// Without switches controls off. Only tests do that, to show that verdicts depend on them.
	Without map[measurements.Control]bool
	// Bytes, if set, is told of the estimated bytes on the wire of each step.
	Bytes func(out, in int64)

	slots   chan struct{}
	lookups chan struct{}
	neutral schedule.Deal // when control N goes before what works
	shapes  shapes
	// resolved are neutral names, in this round.
	resolved map[measurements.Family][]string
	places   places
	located  located
	small    bool // large hellos die at the gate in this round: control N's is small
	helpers  helpers
	// witnesses of the round; nil before the gate is over, and where it got nothing from anywhere
	witnesses *witnesses

	penalties penalties
	arms      armsDied
	learnt    learnt
	offers    offers
	proofs    proofs
	scrubber  *privacy.Scrubber // of the last round; nil before the first
	system    []Resolver
	behind    []Resolver
}

// lookupsPerSlot is how many lookups may run for each endpoint that may: a lookup costs a few hundred
// bytes and is mostly waiting, half a second of it for late answers. Chosen by us.
const lookupsPerSlot = 4

// Run makes one round: the gate first, then the targets of all apps, in random order. It returns what was seen so far
// when ctx ends. Every connection is closed when it returns. There is no other way out for what was seen: nothing in
// it tells who and where the volunteer is (package privacy).
func (p *Plan) Run(ctx context.Context) measurements.Round {
	round, own := p.measure(ctx)
	p.scrubber = privacy.New(own.With(p.learnt.names()), p.known(), p.EpochKey)
	out, found := p.scrubber.Round(round, p.learnt.list())
	p.learnt.hear(found)
	return out
}

// measure makes the round, and says what is ours: before it and after it, since addresses change.
func (p *Plan) measure(ctx context.Context) (measurements.Round, privacy.Own) {
	p.begin()
	defer func() { p.Host.verified = nil }()
	before := p.arrive()
	own := p.Host.ownOn(before)
	round := measurements.Round{ID: randomID(), Started: time.Now()}
	gate := p.sheet(round, measurements.ControlApp)
	round.Gate = p.passGate(ctx, gate)
	clock := round.Gate.ClockOffset

	apps := p.Apps
	if len(p.Placebo.Targets) > 0 {
		apps = append(slices.Clone(apps), p.Placebo)
	}
	p.neutral = dealNeutral(apps)
	sheets := make([]*sheet, len(apps))
	var wg sync.WaitGroup
	var reference func(app string) *measurements.Reference
	if !p.offline(&round.Gate) {
		wg.Go(func() {
			defer close(p.helpers.answered)
			reference = p.askReference(ctx)
		})
	}
	var turns []func()
	var spreads []time.Duration
	for i, app := range apps {
		sheets[i] = p.sheet(round, app.ID)
		sheets[i].m.Targets, sheets[i].m.ClockOffset = infos(app), clock
		if p.offline(&round.Gate) {
			sheets[i].skipAll(app, measurements.SkipOffline)
			continue
		}
		for _, t := range app.Targets {
			turns = append(turns, func() { p.measureTarget(ctx, sheets[i], t) })
			spreads = append(spreads, p.spread(sheets[i].key(t)))
		}
	}
	p.take(ctx, turns, spreads, &wg)
	wg.Wait()
	if p.witnesses != nil {
		p.witnesses.end()
		round.Gate = gate.close()
		round.Gate.ClockOffset = clock
	}
	for _, s := range sheets {
		if reference != nil {
			s.m.Reference = reference(s.m.App)
		}
		round.Apps = append(round.Apps, s.close())
	}
	after := p.Host.NetworkNow()
	vantage := p.vantage(before, after, &round.Gate)
	round.Gate.Vantage = vantage
	for i := range round.Apps {
		round.Apps[i].Vantage = vantage
	}
	round.Runtime = measurements.Seconds(time.Since(round.Started))
	return round, own.With(p.Host.ownOn(after))
}

// begin makes what one round alone knows.
func (p *Plan) begin() {
	p.slots = make(chan struct{}, max(p.Parallel, 1))
	p.lookups = make(chan struct{}, lookupsPerSlot*max(p.Parallel, 1))
	p.places = places{}
	p.helpers = helpers{answered: make(chan struct{})}
	p.witnesses = nil
	p.Host.verified = &verified{}
}

// passGate measures the neutral hosts, and keeps what the visits must know of that.
func (p *Plan) passGate(ctx context.Context, gate *sheet) measurements.Measurement {
	p.measureGate(ctx, gate)
	p.small = gate.largeHellosDie()
	m := gate.close()
	p.resolved = resolvedNames(&m)
	m.ClockOffset = measurements.ClockOffset(&m)
	p.helpers.avoid(&m)
	if !p.offline(&m) {
		p.witnesses = p.newWitnesses(ctx, gate, &m)
	}
	return m
}

// take starts the turns in random order, whatever app they belong to: where the budget ends before the
// round does, no app is the one that always goes without. Spread out, they are no burst on the line either.
func (p *Plan) take(ctx context.Context, turns []func(), spreads []time.Duration, wg *sync.WaitGroup) {
	for _, i := range mrand.Perm(len(turns)) {
		wg.Go(func() {
			if spreads[i] > 0 {
				timer := time.NewTimer(mrand.N(spreads[i]))
				defer timer.Stop()
				select {
				case <-timer.C:
				case <-ctx.Done(): // the turn itself says that it was stopped
				}
			}
			turns[i]()
		})
	}
}

// soonest is the time after the gate over which the visits under suspicion begin. Chosen by us: what fails there is held
// against what the gate has just said.
const soonest = time.Minute

// spread is the time over which a target's visit may begin.
func (p *Plan) spread(key string) time.Duration {
	if p.Suspicion != nil && p.Suspicion.Suspected(key) {
		return min(p.Spread, soonest)
	}
	return p.Spread
}

// offline says whether the gate got nothing from anywhere: the apps are then left alone, since
// nothing that they would show could be told from our own line.
func (p *Plan) offline(gate *measurements.Measurement) bool {
	if len(p.Controls) == 0 {
		return false
	}
	for i := range gate.Observations {
		o := &gate.Observations[i]
		if o.Operation != measurements.Resolve && (o.OK() || o.Received > 0 || o.Failure == measurements.ConnectionRefused || o.Failure == measurements.ConnectionReset) {
			return false
		}
	}
	return true
}

func infos(app App) []measurements.TargetInfo {
	out := make([]measurements.TargetInfo, 0, len(app.Targets))
	for _, t := range app.Targets {
		info := measurements.TargetInfo{ID: t.ID, Hosts: t.Hosts, Essential: t.Essential, Group: t.Group}
		for _, w := range t.Probes {
			info.Probes = append(info.Probes, string(w))
		}
		out = append(out, info)
	}
	return out
}

// slot waits for one of the places to work in, and says whether it got one before ctx ended.
func slot(ctx context.Context, slots chan struct{}) (release func(), ok bool) {
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, ctx.Err() == nil
	case <-ctx.Done():
		return func() {}, false
	}
}

// step bounds one step by the plan's timeout.
func (p *Plan) step(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, p.Timeout)
}

// inherit takes over what another plan remembers, as far as the configuration does not say it anew.
func (p *Plan) inherit(from *Plan) {
	if p.Ledger != nil && from.Ledger != nil {
		p.Ledger.Restore(from.Ledger.Snapshot())
	}
	if p.Budget != nil && from.Budget != nil {
		p.Budget.Restore(from.Budget.Snapshot())
	}
	memory := from.Memory()
	p.Recall(&memory)
	p.Suspicion, p.EpochKey = from.Suspicion, from.EpochKey
	p.Remember(from)
}

func (p *Plan) spend(out, in int64) {
	if p.Budget != nil {
		p.Budget.Spend(out + in)
	}
	if p.Bytes != nil {
		p.Bytes(out, in)
	}
}

func randomID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand, since Go 1.24)
	return hex.EncodeToString(b[:])
}

package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/delivery"
	"github.com/telltale-probe/telltale/measurements/metrics"
	"github.com/telltale-probe/telltale/measurements/remotewrite"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/probe"
)

// stateInstance is the vantage's random id, by which receivers tell it from others.
const stateInstance = "instance"

// instanceLength, in bytes: enough that no two of any number of volunteers draw the same.
const instanceLength = 16

// How a backlog goes out: so many messages in a request, one request in so long. A week of states, of which there are
// some 3,000 with a thousand series each, takes a quarter of an hour. Chosen by us; Prometheus itself sends
// 2,000 samples a request, and many requests a second.
const (
	pushBatch     = 8
	pushPause     = 2 * time.Second
	evidencePause = 5 * time.Second
)

// loadInstance reads the vantage's id, and makes it where there is none.
func loadInstance(in keep) (string, error) {
	var id string
	err := in.LoadKey(stateInstance, &id)
	if err == nil && len(id) == 2*instanceLength {
		return id, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the vantage's id can't be read; 'telltale consent --new-id' draws another: %w", err)
	}
	return newInstance(in)
}

func newInstance(in keep) (string, error) {
	b := make([]byte, instanceLength)
	_, _ = rand.Read(b) // never fails
	id := hex.EncodeToString(b)
	return id, in.SaveKey(stateInstance, id)
}

// pusher sends what the daemon finds to the receivers of its configuration. Without one, or without consent,
// it writes nothing down and sends nothing.
type pusher struct {
	log     zerolog.Logger
	store   *store.Store
	metrics *metrics.Metrics

	turn sync.Mutex // one configuration after the other

	mu       sync.Mutex
	recorder *remotewrite.Recorder // nil: no metrics are pushed
	evidence bool
	wakes    map[string]chan struct{} // of the couriers
	running  sync.WaitGroup
	stop     context.CancelFunc // what runs now; nil: nothing
}

// configure stops what runs, and starts what the configuration asks for, until ctx ends.
func (p *pusher) configure(ctx context.Context, cfg *config.Config) error {
	p.turn.Lock()
	defer p.turn.Unlock()
	p.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recorder, p.evidence, p.wakes = nil, false, map[string]chan struct{}{}
	metricsOn, evidenceOn := cfg.Push.Metrics.URL != nil, cfg.Push.Evidence.URL != nil
	p.giveUp(remotewrite.Kind, metricsOn)
	p.giveUp(delivery.EvidenceKind, evidenceOn)
	if cfg.Consent.IsZero() || !metricsOn && !evidenceOn {
		p.metrics.PushOff()
		return nil
	}
	ctx, p.stop = context.WithCancel(ctx)
	if metricsOn {
		instance, err := loadInstance(p.store)
		if err != nil {
			return err
		}
		p.recorder = remotewrite.NewRecorder(p.metrics, instance, p.store, p.log)
		p.carry(ctx, remotewrite.Kind, remotewrite.NewWriter(p.post(&cfg.Push.Metrics), p.log), pushBatch, pushPause)
		recorder, every := p.recorder, cfg.Push.Interval
		p.running.Go(func() { p.beat(ctx, recorder, every) })
		p.log.Info().Str("host", cfg.Push.Metrics.URL.Host).Str("instance", instance).Msg("metrics are pushed")
	}
	if evidenceOn {
		p.evidence = true
		p.carry(ctx, delivery.EvidenceKind, &delivery.Evidence{Post: p.post(&cfg.Push.Evidence), Rounds: p.store, Log: p.log}, 1, evidencePause)
		p.log.Info().Str("host", cfg.Push.Evidence.URL.Host).Msg("evidence is pushed")
	}
	return nil
}

// giveUp forgets what waits for a receiver that was taken out of the configuration.
func (p *pusher) giveUp(kind string, on bool) {
	if on {
		return
	}
	n, err := p.store.Waiting(kind)
	if err != nil || n == 0 {
		return
	}
	if err := p.store.Delivered(kind, math.MaxInt64); err == nil {
		p.log.Warn().Str("kind", kind).Int("messages", n).Msg("there is no receiver any more: what waited for it is given up")
		p.Dropped(kind, n)
	}
}

func (p *pusher) post(r *config.Receiver) *delivery.Post { return postTo(r, outletTo(r).Transport()) }

func outletTo(r *config.Receiver) probe.Outlet {
	return probe.Outlet{Proxy: r.Proxy, Roots: r.Roots, Cert: r.Cert}
}

func postTo(r *config.Receiver, through http.RoundTripper) *delivery.Post {
	return &delivery.Post{Client: delivery.NewClient(through), URL: r.URL, Header: r.Header, UserAgent: "telltale/" + version,
		Bearer: r.Bearer, User: r.User, Password: r.Password, Scrub: probe.ScrubAll}
}

// carry starts the courier of a kind.
func (p *pusher) carry(ctx context.Context, kind string, sender delivery.Sender, batch int, pause time.Duration) {
	wake := make(chan struct{}, 1)
	p.wakes[kind] = wake
	courier := &delivery.Courier{Kind: kind, Outbox: p.store, Sender: sender, Counts: p, Log: p.log, Batch: batch, Pause: pause, Wake: wake}
	p.running.Go(func() { courier.Run(ctx) })
}

// beat writes the current state down whenever a while passed without a round.
func (p *pusher) beat(ctx context.Context, recorder *remotewrite.Recorder, every time.Duration) {
	for {
		wait, err := recorder.Beat(time.Now(), every, func(messages []store.Message, states map[string]any) error {
			return p.store.EnqueueWith(states, messages...)
		})
		if err != nil {
			p.log.Error().Err(err).Msg("a heartbeat could not be kept")
		}
		p.awake()
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// with lets keep put a round and what is pushed of it into the store together.
func (p *pusher) with(round *measurements.Round, k *store.Kept, keep func(*store.Kept) error) error {
	if p == nil {
		return keep(k)
	}
	p.mu.Lock()
	recorder, evidence := p.recorder, p.evidence
	p.mu.Unlock()
	defer p.awake()
	if evidence {
		k.Outbox = append(k.Outbox, delivery.EvidenceMessage(round))
	}
	if recorder == nil {
		return keep(k)
	}
	kept := false
	err := recorder.Record(round.Started.Add(time.Duration(round.Runtime)), func(messages []store.Message, states map[string]any) error {
		k.Outbox = append(k.Outbox, messages...)
		maps.Copy(k.States, states)
		kept = true
		return keep(k)
	})
	if !kept { // what can't be pushed is no reason to lose the round
		err = errors.Join(err, keep(k))
	}
	return err
}

// awake tells the couriers that there may be something new.
func (p *pusher) awake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.wakes) > 0 {
		p.waiting()
	}
	for _, wake := range p.wakes {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// waiting counts what waits, after something was written or delivered.
func (p *pusher) waiting() {
	sum := 0
	for _, kind := range []string{remotewrite.Kind, delivery.EvidenceKind} {
		n, err := p.store.Waiting(kind)
		if err != nil {
			return
		}
		sum += n
	}
	p.metrics.OutboxWaiting(sum)
}

// Sent is told what a receiver has.
func (p *pusher) Sent(string, int) { p.waiting() }

// Failed counts an attempt.
func (p *pusher) Failed(kind, reason string) { p.metrics.PushFailed(kind, reason) }

// Dropped counts messages that were given up.
func (p *pusher) Dropped(kind string, messages int) { p.metrics.OutboxDropped(kind, messages) }

// close stops all of it and waits for that, which takes no time.
func (p *pusher) close() {
	p.mu.Lock()
	stop := p.stop
	p.stop = nil
	p.mu.Unlock()
	if stop != nil {
		stop()
	}
	p.running.Wait()
}

// pushLines are what `check` and `catalogue` say of receivers.
func pushLines(cfg *config.Config) (out []string) {
	for _, r := range []struct {
		what string
		to   *config.Receiver
	}{{"metrics", &cfg.Push.Metrics}, {"evidence", &cfg.Push.Evidence}} {
		if r.to.URL == nil {
			continue
		}
		line := r.what + " to " + r.to.URL.Scheme + "://" + r.to.URL.Host
		if r.to.Proxy != nil {
			line += " through " + r.to.Proxy.Scheme + "://" + r.to.Proxy.Host
		}
		out = append(out, line)
	}
	return out
}

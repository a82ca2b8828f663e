package remotewrite

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/measurements/store"
)

// Kind is that of the outbox's messages that hold metrics.
const Kind = "metrics"

// Prefix is how the metrics begin that are written. What the Go runtime and the process tell of the
// volunteer's machine is nobody else's concern.
const Prefix = "telltale_"

// unpushed is a metric that stays here as well. What the store takes on the disk goes on where an id was
// rolled: by that number the new one would be known for the old one.
const unpushed = Prefix + "store_size_bytes"

// Job is the label job of what is written.
const Job = "telltale"

// The documents by which the next process knows what this one wrote last.
const (
	stateLast   = "remote-write-last"   // a time
	stateSeries = "remote-write-series" // keys; written when they change
)

// Remembered are the names of the documents: whoever takes another instance begins without them.
var Remembered = []string{stateLast, stateSeries}

// maxAhead is how far the last time stamp may be ahead of the clock before it is forgotten: Prometheus
// refuses what is more than ten minutes ahead of its own clock (web/api, maxAheadTime), so that a clock that
// was a year ahead once has written nothing.
const maxAhead = 10 * time.Minute

// Keeper keeps messages and documents together, or neither; as store.Keep does.
type Keeper func(messages []store.Message, states map[string]any) error

// Recorder writes states of a registry down. Its methods may be called from several goroutines.
type Recorder struct {
	gatherer prometheus.Gatherer
	identity []string
	log      zerolog.Logger

	mu    sync.Mutex
	last  time.Time       // the newest time stamp
	known map[string]bool // the keys of the series that were written last, and have not ended
}

// States is where documents are kept: a store.
type States interface {
	LoadState(name string, v any) error
}

// NewRecorder makes a recorder that goes on where the process before it ended. instance tells this vantage
// from others.
func NewRecorder(g prometheus.Gatherer, instance string, from States, log zerolog.Logger) *Recorder {
	r := &Recorder{gatherer: g, identity: []string{"job", Job, "instance", instance}, log: log, known: map[string]bool{}}
	var keys []string
	for name, to := range map[string]any{stateLast: &r.last, stateSeries: &keys} {
		if err := from.LoadState(name, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			log.Warn().Err(err).Msg("what was pushed last is not known any more: series that ended since get no stale marker")
		}
	}
	for _, key := range keys {
		if r.ours(key) {
			r.known[key] = true
		}
	}
	return r
}

// ours says whether a series bears this instance: those of an id that was rolled end by themselves, since
// who ends them would say who he was.
func (r *Recorder) ours(key string) bool {
	return strings.Contains(keySeparator+key+keySeparator, keySeparator+"instance"+keySeparator+r.identity[3]+keySeparator)
}

// Record writes the registry's state down under a time, and hands it to keep. What keep does not take is as
// if it had never been written.
//
// Time stamps only ever grow: where the clock was set back, the state of a round is written a millisecond
// after the one before it, so that it is not lost.
func (r *Recorder) Record(at time.Time, keep Keeper) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.record(at, keep)
}

// Beat is Record where nothing was written since the time before; it says when to come again.
func (r *Recorder) Beat(now time.Time, every time.Duration, keep Keeper) (wait time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if since := now.Sub(r.last); since < every && since > -maxAhead {
		return every - since, nil
	}
	return every, r.record(now, keep)
}

func (r *Recorder) record(at time.Time, keep Keeper) error {
	at = at.Truncate(time.Millisecond)
	if !at.After(r.last) && r.last.Sub(at) <= maxAhead {
		at = r.last.Add(time.Millisecond)
	}
	families, err := r.gatherer.Gather()
	if err != nil && len(families) == 0 {
		return fmt.Errorf("remote write: %w", err)
	}
	if err != nil {
		r.log.Warn().Err(err).Msg("some metrics can't be gathered; the others are pushed")
	}
	list := expand(families, Prefix, r.identity)
	known := make(map[string]bool, len(list))
	for i := range list {
		known[list[i].key()] = true
	}
	for _, key := range slices.Sorted(maps.Keys(r.known)) {
		if !known[key] {
			list = append(list, series{labels: strings.Split(key, keySeparator), value: staleMarker})
		}
	}
	body, err := encode(list, at.UnixMilli())
	if err != nil {
		return fmt.Errorf("remote write: %w", err)
	}
	states := map[string]any{stateLast: at}
	if !maps.Equal(known, r.known) {
		states[stateSeries] = slices.Sorted(maps.Keys(known))
	}
	if err := keep([]store.Message{{Kind: Kind, Body: body}}, states); err != nil {
		return err
	}
	r.last, r.known = at, known
	return nil
}

package noise

import (
	"encoding/json"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	ms "github.com/telltale-probe/telltale/measurements"
)

// OutcomeOptions say how much is simulated. The zero value of each field has a default.
type OutcomeOptions struct {
	// TargetRounds is how many targets are visited without a censor, all vantages together; 10^8.
	TargetRounds int64
	// Seeds is the number of vantages that share them; 16.
	Seeds int
	// Seed makes another run of the same size; the same one gives the same counts.
	Seed uint64
	// Onsets is how many blocks are injected of each kind; 400. -1 is none.
	Onsets int
	// Rates of what fails without a censor; Default.
	Rates Rates
	// Parallel is the number of goroutines; as many as there are processors.
	Parallel int
	// Told is told how much was done since the last time, and of how much in all: first visits, then blocks.
	// Several goroutines do so. Optional.
	Told func(what string, done, all int)
}

// OutcomeReport is what came of it.
type OutcomeReport struct {
	TargetRounds int64
	Vantages     int
	Time         time.Duration // simulated, all vantages together
	Took         time.Duration
	// False findings, each series once in a day, by the confidence that they reached at least.
	False map[ms.Confidence]int
	// Signatures of the false findings that were likely at least.
	Signatures map[ms.Signature]int
	// Penalty is the greatest part of a day for which an address was under a penalty of ours.
	Penalty float64
	Onsets  []OnsetReport
}

// OnsetReport is how soon one kind of block was noticed, from its onset on.
type OnsetReport struct {
	Died ms.Failure
	Delays
	// Penalty is the greatest part of a day for which an address was under a penalty of ours.
	Penalty float64
}

// Watched is how long an injected block is watched.
const Watched = 3 * 24 * time.Hour

func (o *OutcomeOptions) defaults() {
	if o.TargetRounds <= 0 {
		o.TargetRounds = 1e8
	}
	if o.Seeds <= 0 {
		o.Seeds = 16
	}
	if o.Onsets == 0 {
		o.Onsets = 400
	}
	if o.Rates == (Rates{}) {
		o.Rates = Default()
	}
	if o.Parallel <= 0 {
		o.Parallel = runtime.GOMAXPROCS(0)
	}
	if o.Told == nil {
		o.Told = func(string, int, int) {}
	}
}

// SimulateOutcomes runs vantages without a censor and counts what is called blocked; then it injects
// blocks and measures how soon they are noticed.
func SimulateOutcomes(o OutcomeOptions) OutcomeReport {
	o.defaults()
	began := time.Now()
	out := OutcomeReport{Vantages: o.Seeds, False: map[ms.Confidence]int{}, Signatures: map[ms.Signature]int{}}
	var mu sync.Mutex
	visited, stop := o.tell()
	o.side(o.Seeds, func(i int) {
		f := falsehoods{seen: map[string]*episode{}, confidence: map[ms.Confidence]int{}, signatures: map[ms.Signature]int{}}
		visits, took, penalty := int64(0), time.Duration(0), 0.0
		bubble(func() {
			v, began := newVantage(o.Seed<<20|uint64(i), o.Rates), time.Now()
			v.said = f.note
			told := int64(0)
			for share := o.TargetRounds / int64(o.Seeds); v.visits < share; {
				v.step()
				if v.visits-told >= tellEvery {
					visited <- int(v.visits - told)
					told = v.visits
				}
				penalty = max(penalty, v.ledger.WorstShare())
			}
			visits, took = v.visits, time.Since(began)
		})
		mu.Lock()
		defer mu.Unlock()
		out.TargetRounds += visits
		out.Time += took
		out.Penalty = max(out.Penalty, penalty)
		for c, n := range f.confidence {
			out.False[c] += n
		}
		for s, n := range f.signatures {
			out.Signatures[s] += n
		}
	})
	stop()
	if o.Onsets > 0 {
		out.Onsets = o.onsets()
	}
	out.Took = time.Since(began)
	return out
}

// tellEvery is after how many visits it is told: some hundredths of a second.
const tellEvery = 1 << 14

// tell passes counts of visits on to Told, which keeps real time and must not be called in a bubble.
func (o *OutcomeOptions) tell() (visited chan<- int, stop func()) {
	counts := make(chan int)
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range counts {
			o.Told("visits", n, int(o.TargetRounds))
		}
	})
	return counts, func() { close(counts); wg.Wait() }
}

// side runs f for 0 to n-1, as many at a time as was asked for.
func (o *OutcomeOptions) side(n int, f func(int)) {
	slots := make(chan struct{}, o.Parallel)
	var wg sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	wg.Wait()
}

// falsehoods counts findings where nobody blocks.
type falsehoods struct {
	seen       map[string]*episode
	confidence map[ms.Confidence]int
	signatures map[ms.Signature]int
}

// episode is one false finding, however many rounds repeat it.
type episode struct {
	last    time.Time
	reached int
}

var confidences = []ms.Confidence{ms.Suspected, ms.Likely, ms.Confirmed}

// apart ends an episode: what is found again after so long is found anew.
const apart = 24 * time.Hour

func (f *falsehoods) note(at time.Time, app, target string, l *ms.LayerVerdict) {
	key := app + "/" + target + "/" + string(l.Family) + "/" + string(l.Signature)
	e := f.seen[key]
	if e == nil || at.Sub(e.last) > apart {
		e = &episode{}
		f.seen[key] = e
	}
	e.last = at
	for now := slices.Index(confidences, l.Confidence) + 1; e.reached < now; e.reached++ {
		f.confidence[confidences[e.reached]]++
		if confidences[e.reached] == ms.Likely {
			f.signatures[l.Signature]++
		}
	}
}

// The blocks that are injected.
var injected = []OnsetReport{
	kind(ms.ConnectionReset, 1), kind(ms.ConnectionReset, 0.5), kind(ms.ConnectionReset, 0.26),
	kind(ms.Timeout, 1), kind(ms.Timeout, 0.5), kind(ms.Timeout, 0.26),
}

func kind(died ms.Failure, share float64) OnsetReport {
	return OnsetReport{Died: died, Delays: Delays{What: word(died), Share: share}}
}

// warm is how long a vantage has run before a block sets in, and homes how many such vantages there are.
const (
	warm  = 14 * 24 * time.Hour
	homes = 8
)

// onsets injects every kind of block into homes that have run for two weeks.
func (o *OutcomeOptions) onsets() []OnsetReport {
	kept := make([][]byte, homes)
	o.side(homes, func(i int) {
		bubble(func() {
			v, began := newVantage(o.Seed<<20|1<<19|uint64(i), o.Rates), time.Now()
			for time.Since(began) < warm {
				v.step()
			}
			kept[i], _ = json.Marshal(v.history) // a history of our own making can be written
		})
	})
	out := slices.Clone(injected)
	var mu sync.Mutex
	o.side(len(out)*o.Onsets, func(i int) {
		r := &out[i%len(out)]
		var likely, confirmed time.Duration
		var penalty float64
		bubble(func() {
			likely, confirmed, penalty = o.onset(r.Died, r.Share, kept[i%homes], o.Seed<<20|1<<18|uint64(i))
		})
		o.Told("blocks", 1, len(out)*o.Onsets)
		mu.Lock()
		defer mu.Unlock()
		r.Penalty = max(r.Penalty, penalty)
		r.Note(likely, confirmed)
	})
	return out
}

// onset injects one block, and gives the times until it was likely and confirmed; 0 if it never was. The home's history is two weeks old, and so is its time.
func (o *OutcomeOptions) onset(died ms.Failure, share float64, kept []byte, seed uint64) (likely, confirmed time.Duration, penalty float64) {
	time.Sleep(warm)
	v := newVantage(seed, o.Rates)
	if err := json.Unmarshal(kept, v.history); err != nil {
		return 0, 0, 0 // counted as a block that was not found
	}
	named := slices.DeleteFunc(rand.New(rand.NewPCG(seed, 1)).Perm(len(v.targets)), func(i int) bool { return !v.targets[i].named() })
	c := &Censor{target: named[0], died: died, share: share, onset: v.now.Add(time.Duration(v.rnd.Float64() * float64(6*time.Hour)))}
	v.censor, v.only = c, apps[v.targets[c.target].app].id
	v.said = func(at time.Time, app, target string, l *ms.LayerVerdict) {
		if at.Before(c.onset) || target != v.targets[c.target].info.ID || l.Layer != ms.LayerTLS {
			return
		}
		if l.Confidence != ms.Suspected && likely == 0 {
			likely = max(at.Sub(c.onset), 1)
		}
		if l.Confidence == ms.Confirmed && confirmed == 0 {
			confirmed = max(at.Sub(c.onset), 1)
		}
	}
	for v.now.Before(c.onset.Add(Watched)) && (likely == 0 || confirmed == 0) {
		v.step()
		penalty = max(penalty, v.ledger.WorstShare())
	}
	return likely, confirmed, penalty
}

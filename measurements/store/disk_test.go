package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/probe/netlab"
)

// The bar: thirty days of default measurement, a round every quarter of an hour, in 150 MB on the disk.
const (
	aDay     = 96
	mostDisk = 150e6
)

func took(since time.Time, n int) time.Duration {
	return (time.Since(since) / time.Duration(n)).Round(10 * time.Microsecond)
}

// DiskUse measures what a month takes: rounds that differ, kept again and again under names and at times of
// their own, with new certificates every week and what the daemon remembers. Some days are kept, and the
// month reckoned from the growth after the first; TELLTALE_DAYS=30 keeps all of it.
func TestDiskUseOfAMonth(t *testing.T) {
	if store.UnderRace {
		t.Skip("the race detector has a memory of its own, and is slow: the run without it tells")
	}
	days := number(t, "TELLTALE_DAYS", 3)
	for name, rules := range map[string][]netlab.Rule{
		"clean line":      nil,
		"nothing answers": {{ID: "dead", Action: netlab.Drop}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := store.Open(dir, store.Options{Retention: 90 * 24 * time.Hour, MaxSize: 500e6})
			if err != nil {
				t.Fatal(err)
			}
			day := rounds(t, 32, rules...)
			begin := time.Now().Add(-31 * 24 * time.Hour)
			start := time.Now()
			first := int64(0)
			for i := range days * aDay {
				if i == aDay {
					first = s.Size()
				}
				k := later(&day[i%len(day)], i, begin.Add(time.Duration(i)*15*time.Minute))
				if err := s.Keep(k); err != nil {
					t.Fatal(err)
				}
			}
			each := took(start, days*aDay)
			size := s.Size()
			aMonth := first + (size-first)/int64(days-1)*29
			t.Logf("%s: %d rounds in %.1f MB; %d bytes a round, a month %.1f MB; %v to keep one", name, days*aDay, float64(size)/1e6, aMonth/(30*aDay), float64(aMonth)/1e6, each)
			if aMonth > mostDisk {
				t.Errorf("a month takes %d bytes, want at most %.0f", aMonth, mostDisk)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			opened := time.Now()
			if s, err = store.Open(dir, store.Options{Retention: 90 * 24 * time.Hour, MaxSize: 500e6}); err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: opened in %v", name, time.Since(opened))
			if files, _ := filepath.Glob(filepath.Join(dir, "*corrupt*")); files != nil {
				t.Errorf("set aside: %v", files)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// later is a round as the i-th one, at a time.
func later(j *judged, i int, at time.Time) *store.Kept {
	move := at.Sub(j.round.Started)
	r := j.round
	r.ID, r.Started, r.Gate = fmt.Sprintf("%016x", i), at, moved(&j.round.Gate, i, move)
	r.Apps = nil
	for a := range j.round.Apps {
		r.Apps = append(r.Apps, moved(&j.round.Apps[a], i, move))
	}
	return &store.Kept{Round: r, Verdict: j.verdict, States: map[string]any{"history": &j.history}}
}

func moved(m *measurements.Measurement, i int, by time.Duration) measurements.Measurement {
	out := *m
	out.ID = fmt.Sprintf("%.4s%012x", m.App, i) // no two of a round are alike
	out.Started = m.Started.Add(by)
	out.Observations = nil
	week := i / (7 * 96)
	for _, o := range m.Observations {
		o.Started = o.Started.Add(by)
		if o.TLS != nil && week > 0 {
			tls := *o.TLS
			tls.Chain = nil
			for _, der := range o.TLS.Chain {
				tls.Chain = append(tls.Chain, noiseOf(append([]byte{byte(week)}, der...), len(der)))
			}
			o.TLS = &tls
		}
		out.Observations = append(out.Observations, o)
	}
	return out
}

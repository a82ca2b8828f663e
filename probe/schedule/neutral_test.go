package schedule

import (
	"fmt"
	"math"
	"sync"
	"testing"
)

// In any eight rounds in a row every key has its turn exactly once, also where the count of rounds
// runs over.
func TestRotationVisitsEachOnce(t *testing.T) {
	for _, start := range []Rotation{0, 5, math.MaxUint64 - 3} {
		for i := range 500 {
			key, visits := fmt.Sprintf("telegram/dc%d", i), 0
			for r, n := start, 0; n < Turns; r, n = r.Next(), n+1 {
				if r.Includes(key) {
					visits++
				}
			}
			if visits != 1 {
				t.Fatalf("%s has %d turns in the eight rounds from %d", key, visits, start)
			}
		}
	}
}

// Keys that differ in a digit spread over the rounds: each gets near an eighth of them.
func TestRotationSpreads(t *testing.T) {
	const keys = 4000
	for r := range Rotation(Turns) {
		n := 0
		for i := range keys {
			if r.Includes(fmt.Sprintf("app/target|192.0.2.%d:443", i)) {
				n++
			}
		}
		if n < keys/Turns*8/10 || n > keys/Turns*12/10 {
			t.Errorf("round %d has %d of %d", r, n, keys)
		}
	}
}

// The order of turns must not change between versions: a key would wait up to sixteen rounds.
func TestRotationIsStable(t *testing.T) {
	for key, turn := range map[string]Rotation{"telegram/web": 6, "whatsapp/chat": 2, "": 3} {
		if !turn.Includes(key) {
			for r := range Rotation(Turns) {
				if r.Includes(key) {
					t.Errorf("%q moved from turn %d to %d", key, turn, r)
				}
			}
		}
	}
}

func TestSuspicion(t *testing.T) {
	var s Suspicion
	if s.Suspected("a") {
		t.Error("suspected from the start")
	}
	s.Clear("a")
	s.Suspect("a")
	s.Suspect("a")
	if !s.Suspected("a") || s.Suspected("b") {
		t.Error("suspects the wrong one")
	}
	s.Clear("a")
	if s.Suspected("a") {
		t.Error("still suspected")
	}
}

func TestSuspicionConcurrent(t *testing.T) {
	var s Suspicion
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			key := fmt.Sprint(i)
			for range 100 {
				s.Suspect(key)
				if !s.Suspected(key) {
					t.Error("not suspected")
				}
				s.Clear(key)
			}
		})
	}
	wg.Wait()
}

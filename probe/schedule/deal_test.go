package schedule

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// Every key has its turn once in eight rounds, and no round has more than one key more than another.
func TestDealIsEven(t *testing.T) {
	for _, n := range []int{1, 7, 8, 53, 400} {
		var keys []string
		for i := range n {
			keys = append(keys, fmt.Sprintf("telegram/dc%d ipv%d", i/2, 4+i%2*2))
		}
		d := NewDeal(keys)
		turns, least, most := map[string]int{}, n, 0
		for r, i := Rotation(math.MaxUint64-3), 0; i < Turns; r, i = r.Next(), i+1 {
			had := 0
			for _, key := range keys {
				if d.Includes(r, key) {
					turns[key]++
					had++
				}
			}
			least, most = min(least, had), max(most, had)
		}
		for _, key := range keys {
			if turns[key] != 1 {
				t.Errorf("of %d, %s has %d turns in eight rounds", n, key, turns[key])
			}
		}
		if most-least > 1 {
			t.Errorf("of %d, a round has %d and another %d", n, least, most)
		}
	}
}

// The same keys in another order, and some of them twice, are the same deal: a restart moves no turn.
func TestDealHasNoOrder(t *testing.T) {
	keys := []string{"a/b", "a/c", "d/e", "d/f", "g/h"}
	there := NewDeal(keys)
	slices.Reverse(keys)
	back := NewDeal(append(keys, "a/c"))
	for _, key := range keys {
		if there[key] != back[key] {
			t.Errorf("%s has turn %d, and %d", key, there[key], back[key])
		}
	}
}

// What was dealt nothing still has one turn in eight.
func TestDealToStrangers(t *testing.T) {
	for _, d := range []Deal{nil, NewDeal([]string{"a/b"})} {
		turns := 0
		for r := range Rotation(Turns) {
			if d.Includes(r, "c/d") {
				turns++
			}
		}
		if turns != 1 {
			t.Errorf("%d turns", turns)
		}
	}
}

package scenarios_test

import (
	"testing"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
)

// The proof of identity costs a server an operation of RSA: `once` asks each data centre and family for one, however
// many addresses and ports it visits there, and what has proved itself is asked again when a week is over.
func TestIdentityIsAskedForOnceAWeek(t *testing.T) {
	for _, c := range []struct {
		rounds int
		want   int // proofs of each target and family in the last round
	}{{1, 1}, {3, 0}, {4, 1}} { // at the hours 0, 80, 160 and 240; a week has 168
		s := scenarios.Scenario{Name: "clean", Innocent: true, Apps: []string{"telegram"}, Rounds: c.rounds, Every: "80h"}
		r, err := lab().Run(&s)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Wrong) > 0 {
			t.Errorf("%d rounds: %v", c.rounds, r.Wrong)
		}
		type key struct {
			target string
			family measurements.Family
		}
		proofs := map[key]int{}
		for _, m := range r.Round.Apps {
			for i := range m.Observations {
				if o := &m.Observations[i]; o.Operation == measurements.AppHandshake && o.Control == measurements.T {
					n := 0
					if o.App.Proof == measurements.ProvedIdentity {
						n = 1
					}
					proofs[key{o.Target, o.Family}] += n
				}
			}
		}
		if len(proofs) < 12 { // five data centres and the web client's door, over two families
			t.Errorf("%d rounds: only %v were asked for anything", c.rounds, proofs)
		}
		for k, n := range proofs {
			if n != c.want {
				t.Errorf("round %d: %s over %s proved itself %d times, want %d", c.rounds, k.target, k.family, n, c.want)
			}
		}
	}
}

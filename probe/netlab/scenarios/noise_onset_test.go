//go:build !race

package scenarios

import (
	"testing"
	"time"

	"github.com/telltale-probe/telltale/probe/noise"
)

// Blocks that leave no doubt are found in time, also by a daemon that starts without a history. Days of virtual time
// make the race detector itself give up, so it does not see them; what they run, it sees in the matrix.
func TestOnset(t *testing.T) {
	for _, b := range Blocks() {
		if b.Share < 1 || b.What != "SNI reset" && b.What != "DNS forged" {
			continue
		}
		t.Run(b.What, func(t *testing.T) {
			t.Parallel()
			var d noise.Delays
			for seed := range uint64(2) {
				likely, confirmed, err := ofDefault().Onset(t.Context(), Noise{Loss: 0.01, Burst: 300 * time.Millisecond, Seed: seed}, b, nil)
				if err != nil {
					t.Fatal(err)
				}
				d.Note(likely, confirmed)
			}
			if len(d.Likely) < 2 || d.Likely[1] > time.Hour || len(d.Confirmed) < 2 || d.Confirmed[0] < d.Likely[0] {
				t.Errorf("%+v", d)
			}
		})
	}
	if _, _, err := ofDefault().Onset(t.Context(), Noise{}, Blocks()[0], []byte("?")); err == nil {
		t.Error("what is no history was read")
	}
}

package probe

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// One visit at a time asks for the proof, and no other until a week is over; a visit that did not get it leaves the
// question to the next. Suspicion asks whenever it looks.
func TestWantsIdentity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &Plan{IdentityEvery: 7 * 24 * time.Hour, Suspicion: &schedule.Suspicion{}}
		four, six := proofKey{"telegram/dc1", measurements.IPv4}, proofKey{"telegram/dc1", measurements.IPv6}
		asked, done := p.wantsIdentity(four, false)
		if again, _ := p.wantsIdentity(four, false); !asked || again {
			t.Errorf("asked %v, and by another visit at the same time %v", asked, again)
		}
		if other, otherDone := p.wantsIdentity(six, false); !other {
			t.Error("one family is not asked while the other is")
		} else {
			otherDone()
		}
		done()
		if asked, done = p.wantsIdentity(four, false); !asked {
			t.Error("nothing was proved, and nobody asks again")
		}
		p.proofs.hear(four, time.Now())
		done()
		time.Sleep(7*24*time.Hour - time.Second)
		if asked, _ := p.wantsIdentity(four, false); asked {
			t.Error("asked before the week is over")
		}
		if asked, _ := p.wantsIdentity(four, true); !asked {
			t.Error("not asked after another port has failed")
		}
		var after, never Plan
		memory := p.Memory()
		after.IdentityEvery = p.IdentityEvery
		after.Recall(&memory)
		if asked, _ := after.wantsIdentity(four, false); asked {
			t.Error("a restart forgets what was proved")
		}
		time.Sleep(time.Second)
		if asked, _ := after.wantsIdentity(four, false); !asked {
			t.Error("not asked after a week")
		}
		if asked, _ := never.wantsIdentity(four, false); asked {
			t.Error("asked without suspicion where that alone is wanted")
		}
		p.Suspicion.Suspect("telegram/dc1")
		if asked, _ := p.wantsIdentity(four, false); !asked {
			t.Error("not asked under suspicion")
		}
		memory.Proofs = []Proof{{"telegram/dc1", measurements.IPv4, time.Now().AddDate(1, 0, 0)}}
		after.Recall(&memory)
		time.Sleep(p.IdentityEvery)
		if asked, _ := after.wantsIdentity(four, false); !asked {
			t.Error("a clock that was ahead stops the question for a year")
		}
	})
}

package probe

import (
	"encoding/json"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/probe/schedule"
)

// A restart, and a reload, go on where the turns were, and scan nothing that was scanned within a day.
func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		early, late := netip.MustParseAddrPort("192.0.2.1:443"), netip.MustParseAddrPort("[2001:db8::1]:443")
		var before Plan
		before.Rotation = 1 << 63
		before.located.turn(early)
		time.Sleep(locatePause - time.Hour)
		before.located.turn(late)
		stored, err := json.Marshal(before.Memory())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // early may be scanned again
		var memory Memory
		if err := json.Unmarshal(stored, &memory); err != nil {
			t.Fatal(err)
		}
		var after, reloaded Plan
		after.Recall(&memory)
		reloaded.inherit(&after)
		for name, p := range map[string]*Plan{"restart": &after, "reload": &reloaded} {
			if p.Rotation != before.Rotation {
				t.Errorf("after a %s it is turn %d, was %d", name, p.Rotation, before.Rotation)
			}
			if p.located.turn(late) || !p.located.turn(early) {
				t.Errorf("after a %s the wrong endpoint is scanned", name)
			}
		}
		memory.Located[late] = time.Now().AddDate(1, 0, 0)
		after.Recall(&memory)
		time.Sleep(locatePause)
		if !after.located.turn(late) {
			t.Error("a clock that was ahead stops scans for a year")
		}
	})
}

// Without a memory the turns begin anywhere: who is restarted before it is stored sees all of them.
func TestNoMemory(t *testing.T) {
	seen := map[schedule.Rotation]bool{}
	for range 200 {
		var p Plan
		p.Recall(nil)
		seen[p.Rotation%schedule.Turns] = true
	}
	if len(seen) != schedule.Turns {
		t.Errorf("it begins with %v", seen)
	}
}

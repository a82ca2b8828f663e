package netlab_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"github.com/telltale-probe/telltale/probe/netlab"
)

// A fault is written in a scenario file as it stands here.
func TestFaultInAFile(t *testing.T) {
	var file struct {
		Faults []netlab.Fault `toml:"fault"`
	}
	err := toml.Unmarshal([]byte(`
[[fault]]
kind = "slow"
host = "web.alpha.org"
latency = "300ms"
rate = 64000
loss = 0.02
[[fault]]
kind = "down"
address = "149.154.175.50"
`), &file)
	if err != nil {
		t.Fatal(err)
	}
	want := []netlab.Fault{
		{Kind: netlab.FaultSlow, Host: "web.alpha.org", Latency: netlab.Span(300 * time.Millisecond), Rate: 64000, Loss: 0.02},
		{Kind: netlab.FaultDown, Address: netip.MustParseAddr("149.154.175.50")},
	}
	if diff := cmp.Diff(want, file.Faults, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

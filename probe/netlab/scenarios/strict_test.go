package scenarios_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
)

// An edge that was seen to say an alert to strange names while it served the target says it again once the target's name
// is dropped: what was learnt makes likely what is a suspicion alone without it. The world in which nothing was learnt is
// a file; that this one needs its edge to be strict shows in the difference.
func TestStrictEdgeIsLearnt(t *testing.T) {
	const name = "tls-timeout-by-name-at-a-strict-edge-not-known-yet"
	text, err := os.ReadFile(filepath.Join("worlds", name+".toml"))
	if err != nil {
		t.Fatal(err)
	}
	later := strings.NewReplacer("[[fault]]", "rounds = 4\n[[fault]]", `action = "drop"`, "action = \"drop\"\nfrom = \"4h\"").Replace(string(text))
	for rounds, want := range map[string]measurements.Confidence{string(text): measurements.Suspected, later: measurements.Likely} {
		s, err := scenarios.Parse(name, []byte(strings.Replace(rounds, `"suspected"`, `"`+string(want)+`"`, 1)))
		if err != nil {
			t.Fatal(err)
		}
		r, err := lab().Run(&s)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Right() {
			t.Errorf("%s is wanted after %d rounds: %v", want, max(s.Rounds, 1), r.Wrong)
		}
	}
}

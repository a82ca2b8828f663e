package scenarios_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
)

// A scenario may come in a stranger's pull request: it is read or refused, and what is read has a sentence, a
// source, and no time before the beginning.
func FuzzScenario(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("worlds", "*.toml"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no scenarios: %v", err)
	}
	for i := 0; i < len(files); i += 20 {
		data, err := os.ReadFile(files[i])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := scenarios.Parse("f", data)
		if err != nil {
			return
		}
		if s.Name != "f" || s.Sentence == "" || s.Source == "" || !s.Innocent && len(s.Expect) == 0 {
			t.Errorf("%+v", s)
		}
		for _, r := range s.Rules {
			if r.ID == "" || r.Rule.From < 0 || r.Rule.Until < 0 || r.Rule.Delay < 0 || r.Rule.Residual < 0 {
				t.Errorf("%+v", r)
			}
		}
	})
}

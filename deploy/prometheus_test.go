package deploy

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Rules are read, and tested, by Prometheus' own tool.
func TestRules(t *testing.T) {
	promtool := tool(t, "promtool")
	tests, err := filepath.Glob("prometheus/tests/*.yml")
	if err != nil || len(tests) < 2 {
		t.Fatalf("tests of rules: %v, %v", tests, err)
	}
	for _, args := range [][]string{
		{"check", "config", "prometheus/prometheus.yml"},
		append([]string{"test", "rules"}, tests...),
	} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

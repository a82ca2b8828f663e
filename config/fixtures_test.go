package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/config/strict"
)

// TestMistakesAreNamed walks testdata: a file's leading comments say which mistakes it has, all of
// them, with their lines.
func TestMistakesAreNamed(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "invalid-*.toml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, err := config.Parse("f", data)
			if c != nil {
				t.Error("a file with mistakes gave a Config")
			}
			var got strict.Errors
			if !errors.As(err, &got) {
				t.Fatalf("not strict.Errors: %v", err)
			}
			compare(t, wanted(data), got)
		})
	}
}

func wanted(data []byte) []string {
	var out []string
	for line := range strings.Lines(string(data)) {
		want, ok := strings.CutPrefix(line, "# want: ")
		if !ok {
			break
		}
		if want = strings.TrimSpace(want); want[0] >= '0' && want[0] <= '9' {
			out = append(out, "f:"+want)
		} else {
			out = append(out, "f: "+want)
		}
	}
	return out
}

func compare(t *testing.T, want []string, got strict.Errors) {
	t.Helper()
	if g, w := got.Error(), strings.Join(want, "\n"); g != w {
		t.Errorf("got:\n%s\nwant:\n%s", g, w)
	}
}

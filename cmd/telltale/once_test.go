package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/probe"
)

// `once` without a daemon's store is as usual; with one that can't be read it says that it judges without.
func TestOnceTellsOfAStoreThatItCannotRead(t *testing.T) {
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "telltale.db"), bytes.Repeat([]byte("no database"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, told := range map[string]bool{filepath.Join(t.TempDir(), "none"): false, t.TempDir(): false, broken: true} {
		var out bytes.Buffer
		if h := stored(&config.Config{StorePath: dir}, &probe.Plan{}, zerolog.New(&out)); h != nil {
			t.Errorf("%s: a history of nothing", dir)
		}
		if got := strings.Contains(out.String(), "judged without"); got != told {
			t.Errorf("%s: told %v, want %v: %s", dir, got, told, &out)
		}
	}
}

package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

const unit = "systemd/telltale.service"

// mostExposure is the bar of systemd's own audit, from 0 (nothing is left to shut) to 10. What is left is
// the network itself.
const mostExposure = 2.0

var exposure = regexp.MustCompile(`Overall exposure level for telltale\.service: ([0-9.]+)`)

// The unit has no words that systemd doesn't know, and leaves little open.
func TestUnitIsHardened(t *testing.T) {
	analyze := tool(t, "systemd-analyze")
	out, err := exec.Command(analyze, "security", "--offline=true", unit).CombinedOutput()
	found := exposure.FindSubmatch(out)
	if err != nil || found == nil {
		t.Fatalf("%v\n%s", err, out)
	}
	level, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil || level > mostExposure {
		t.Errorf("the exposure is %s, over %v\n%s", found[1], mostExposure, out)
	}
	t.Logf("exposure %v", level)

	// The program is not installed here, so another one stands in for it.
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "telltale.service")
	if err := os.WriteFile(copied, bytes.ReplaceAll(text, []byte("/usr/bin/telltale"), []byte("/bin/true")), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", "--recursive-errors=no", copied).CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

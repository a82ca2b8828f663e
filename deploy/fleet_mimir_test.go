package deploy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// rare is the path of a program that is tested where it is, also where tests are required: Debian has no thanos and no
// mimir, `go install` takes neither (their go.mod replace modules), and to build them takes longer than all of
// .ci/deploy. fleet/README.md says how.
func rare(t *testing.T, name string) string {
	t.Helper()
	if os.Getenv(wanted) != "require" {
		t.Skipf("%s=require asks for what wants %s", wanted, name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s in the PATH, and it takes minutes to build: fleet/README.md says how", name)
	}
	return path
}

// All parts of the compose file as it commands them, but for where they listen and what they keep, which is a folder
// in place of S3.
func TestThanosTakesAFleet(t *testing.T) {
	program := rare(t, "thanos")
	var p parts
	readYAML(t, "fleet/thanos/compose.yaml", &p)
	dir := t.TempDir()
	bucket := filepath.Join(dir, "bucket.yml")
	if err := os.WriteFile(bucket, fmt.Appendf(nil, "type: FILESYSTEM\nconfig: {directory: %q}\n", filepath.Join(dir, "bucket")), 0o600); err != nil {
		t.Fatal(err)
	}
	shipped, at := regexp.MustCompile(`127\.0\.0\.1:\d+`), map[string]string{}
	own := func(address string) string {
		if at[address] == "" {
			at[address] = free(t)
		}
		return at[address]
	}
	order := []string{"receive", "store", "compact", "query"}
	if len(p.Services) != len(order) {
		t.Errorf("%d parts, not all of which are started", len(p.Services))
	}
	for _, name := range order {
		var args []string
		for _, arg := range p.Services[name].Command {
			arg = strings.Replace(shipped.ReplaceAllStringFunc(arg, own), "=/data", "="+filepath.Join(dir, name), 1)
			args = append(args, strings.ReplaceAll(arg, "/etc/thanos/bucket.yml", bucket))
		}
		started(t, regexp.MustCompile(`(msg="changing probe status" status=ready)`), program, args...)
	}
	e := engine{receives: "thanos", write: at["127.0.0.1:19291"], asks: "http://" + at["127.0.0.1:10904"] + "/api/v1"}
	// Query does not ask a receiver for what is before its head begins: until the head's two hours are a block, it can
	// but be counted.
	e.late = func(t *testing.T, samples int) {
		t.Helper()
		body := get(t, at["127.0.0.1:10909"], "/metrics", nil)
		defer func() { _ = body.Close() }()
		text, err := io.ReadAll(body)
		taken := regexp.MustCompile(`(?m)^prometheus_tsdb_head_out_of_order_samples_appended_total\{.*tenant="telltale".*\} (\S+)$`).FindSubmatch(text)
		if err != nil || taken == nil || string(taken[1]) != strconv.Itoa(samples) {
			t.Errorf("Thanos took %q late, want %d: %v", taken, samples, err)
		}
	}
	takesAFleet(t, e)
	if out, err := exec.Command(program, "tools", "rules-check", "--rules=prometheus/recording.yml", "--rules=prometheus/alerts.yml").CombinedOutput(); err != nil {
		t.Errorf("Thanos reads no rules: %v\n%s", err, out)
	}
}

// The file that we ship is read as it is. Then it runs with ports of its own and a folder in place of S3, finds its
// parts on loopback, takes the fleet, and evaluates our rules.
func TestMimirTakesAFleet(t *testing.T) {
	program := rare(t, "mimir")
	const file = "fleet/mimir/mimir.yml"
	t.Setenv("S3_ACCESS_KEY_ID", "key")
	t.Setenv("S3_SECRET_ACCESS_KEY", "secret")
	if out, err := exec.Command(program, "-config.file="+file, "-config.expand-env=true", "-modules").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%.2000s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s3 := regexp.MustCompile(`backend: s3\n {4}s3:\n(?: {6}.*\n)+`).FindString(string(text))
	changes := []string{s3, "backend: filesystem\n    filesystem: {dir: " + dir + "/bucket}\n", "/var/lib/mimir", dir, "/etc/mimir", dir + "/etc"}
	at := map[string]string{}
	for _, port := range []string{": 9009", ": 9095", ": 7946"} {
		at[port] = free(t)
		_, number, _ := strings.Cut(at[port], ":")
		changes = append(changes, port, ": "+number)
	}
	config := filepath.Join(dir, "mimir.yml")
	if err := errors.Join(os.WriteFile(config, []byte(changed(t, string(text), changes...)), 0o600), os.MkdirAll(filepath.Join(dir, "etc", "rules", "telltale"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, name := range ruleFiles {
		text, err := os.ReadFile(filepath.Join("prometheus", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "etc", "rules", "telltale", name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	started(t, regexp.MustCompile(`(Application started)`), program, "-config.file="+config)
	server := at[": 9009"]
	until(t, "readiness", func() bool {
		response, err := http.Get("http://" + server + "/ready")
		if err == nil {
			_ = response.Body.Close()
		}
		return err == nil && response.StatusCode == http.StatusOK
	})
	e := engine{receives: "mimir", write: server, asks: "http://" + server + "/prometheus/api/v1"}
	takesAFleet(t, e)
	e.evaluates(t)
}

// ruleFiles are those of prometheus/ that engines read.
var ruleFiles = [...]string{"recording.yml", "alerts.yml"}

// evaluates: the engine has the groups of rules of our files, and none that fails.
func (e engine) evaluates(t *testing.T) {
	t.Helper()
	want := map[string]bool{}
	for _, file := range ruleFiles {
		var of struct{ Groups []struct{ Name string } }
		readYAML(t, filepath.Join("prometheus", file), &of)
		for _, g := range of.Groups {
			want[g.Name] = true
		}
	}
	var has struct {
		Data struct {
			Groups []struct {
				Name  string
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	until(t, "rules that are evaluated", func() bool {
		evaluated := 0
		e.get(t, "/rules", nil, &has)
		for _, g := range has.Data.Groups {
			for _, r := range g.Rules {
				if r.Health == "err" {
					t.Fatalf("%s: %s", r.Name, r.LastError)
				}
				if r.Health == "ok" {
					evaluated++
				}
			}
		}
		return evaluated > 0
	})
	for _, g := range has.Data.Groups {
		delete(want, g.Name)
	}
	if len(want) > 0 {
		t.Errorf("it has no groups %v", want)
	}
}

package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"
)

// wanted names the variable that asks, with "require", for the tests that want a tool; a missing one is then a
// failure: a test that is always skipped tests nothing. Otherwise they are skipped: they take half a minute and
// open sockets.
const wanted = "TELLTALE_DEPLOY_TESTS"

// tool is the path of a program that a test wants.
func tool(t *testing.T, name string) string {
	t.Helper()
	if os.Getenv(wanted) != "require" {
		t.Skipf("%s=require asks for what wants %s", wanted, name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed, and %s=require: .ci/tools installs it", name, wanted)
	}
	return path
}

// scraped makes three networks of country AA and one of BB from one demo: each instance is the same
// demo, and only says elsewhere where it is.
const scraped = `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%q, %q]
scrape_configs:
  - job_name: telltale
    honor_timestamps: false
    static_configs:
      - {targets: [%[3]q], labels: {instance: a1}}
      - {targets: [%[3]q], labels: {instance: a2}}
      - {targets: [%[3]q], labels: {instance: a3}}
      - {targets: [%[3]q], labels: {instance: b1}}
      - {targets: [%[3]q], labels: {instance: nowhere}}
    metric_relabel_configs:
      - {source_labels: [__name__, instance], regex: 'telltale_vantage_info;a.', target_label: country, replacement: AA}
      - {source_labels: [__name__, instance], regex: 'telltale_vantage_info;b.', target_label: country, replacement: BB}
      - {source_labels: [__name__, instance], regex: 'telltale_vantage_info;.([0-9])', target_label: asn, replacement: '$1'}
`

// fed starts the demo and a Prometheus that reads it with our rules, and returns where that one answers.
func fed(t *testing.T) string {
	t.Helper()
	prometheus := tool(t, "prometheus")
	dir := t.TempDir()
	binary := filepath.Join(dir, "telltale")
	if runs, err := exec.Command("go", "build", "-o", binary, "../cmd/telltale").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, runs)
	}
	demo := started(t, regexp.MustCompile(`metrics: http://([^/]+)/metrics`),
		binary, "demo", "--store.path="+filepath.Join(dir, "store"))
	rules, err := filepath.Abs("prometheus")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf(scraped, filepath.Join(rules, "recording.yml"), filepath.Join(rules, "alerts.yml"), demo)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return "http://" + started(t, regexp.MustCompile(`Listening on".* address=(\S+)`),
		prometheus, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "tsdb"), "--web.listen-address=127.0.0.1:0")
}

// started runs a program until the test ends, and returns what the pattern finds in its output.
func started(t *testing.T, says *regexp.Regexp, name string, args ...string) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, name, args...)
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		stop()
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is read from ProcessState
		close(ended)
	}()
	t.Cleanup(func() {
		select {
		case <-ended:
			t.Errorf("%s ended by itself: %v", filepath.Base(name), cmd.ProcessState) // .ci/deploy knows these words
		default:
		}
		stop()
		<-ended
		if t.Failed() {
			t.Logf("%s printed at last:\n%s", filepath.Base(name), out.tail())
		}
	})
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if found := says.FindStringSubmatch(out.String()); found != nil {
			return found[1]
		}
		select {
		case <-ended:
			t.FailNow() // what is said of it above
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("%s did not say where it listens", filepath.Base(name))
	return ""
}

// patience is how long is waited for what takes seconds, but for machines that stand still.
const patience = 3 * time.Minute

// output is what a running program printed so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// tail is the end of it, short enough to read.
func (o *output) tail() string {
	text := o.String()
	return text[max(0, len(text)-2000):]
}

// series is one of the answer's, with its newest value. NaN is no value: a panel shows none.
type series struct {
	labels map[string]string
	value  float64
}

// query asks Prometheus for the value now. The error is Prometheus' own word on an expression it can't read.
func query(server, expr string) ([]series, error) {
	response, err := http.Get(server + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Error != "" {
		return nil, fmt.Errorf("%s", answer.Error)
	}
	var found []series
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, err
		}
		if !math.IsNaN(v) {
			found = append(found, series{r.Metric, v})
		}
	}
	return found, nil
}

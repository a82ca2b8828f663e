package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"go.yaml.in/yaml/v2"

	"github.com/telltale-probe/telltale/config"
)

// parts are what we read of a compose file.
type parts struct {
	Services map[string]struct {
		Image   string
		Command []string
		Volumes []string
	}
	Volumes map[string]any
}

// Parts of a cluster have a version, listen where only the gateway comes, and mount what is there.
func TestFleetComposeFiles(t *testing.T) {
	listens := regexp.MustCompile(`(?i)(?:address|addr|endpoint|storageNode|url)=(?:http://)?(\S+)`)
	for _, file := range []string{"fleet/victoriametrics/compose.yaml", "fleet/thanos/compose.yaml"} {
		var p parts
		readYAML(t, file, &p)
		if len(p.Services) < 4 {
			t.Errorf("%s: %d services", file, len(p.Services))
		}
		for name, s := range p.Services {
			if !regexp.MustCompile(`:v\d+\.\d+\.\d+(-cluster)?$`).MatchString(s.Image) {
				t.Errorf("%s: %s: image %q has no version", file, name, s.Image)
			}
			for _, arg := range s.Command {
				if found := listens.FindStringSubmatch(arg); found != nil && !strings.HasPrefix(found[1], "127.0.0.1:") {
					t.Errorf("%s: %s: %s", file, name, arg)
				}
			}
			for _, volume := range s.Volumes {
				from, _, _ := strings.Cut(volume, ":")
				if _, named := p.Volumes[from]; named {
					continue
				}
				if _, err := os.Stat(filepath.Join(filepath.Dir(file), from)); err != nil {
					t.Errorf("%s: %s: %v", file, name, err)
				}
			}
		}
	}
	for _, file := range []string{"fleet/thanos/bucket.yml", "fleet/victoriametrics/vmauth.yml"} {
		var any map[string]any
		if readYAML(t, file, &any); len(any) == 0 {
			t.Errorf("%s says nothing", file)
		}
	}
}

func readYAML(t *testing.T, file string, to any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, to); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// Mimir's limits bear the thousand vantage points that its file promises, each with all the series that one may have
// under heavy blocking, and ten times what they bring when all is well.
func TestMimirBearsTheFleet(t *testing.T) {
	var m struct {
		Limits struct {
			Series int     `yaml:"max_global_series_per_user"`
			Rate   float64 `yaml:"ingestion_rate"`
			Labels int     `yaml:"max_label_names_per_series"`
		}
	}
	readYAML(t, "fleet/mimir/mimir.yml", &m)
	const fleet, most = 1000, 2000
	if need := fleet * most; m.Limits.Series < need {
		t.Errorf("%d series; %d are needed", m.Limits.Series, need)
	}
	if need := 10 * fleet * 1000 * statesADay() / 86400; m.Limits.Rate < need {
		t.Errorf("%.0f samples/s; %.0f are needed", m.Limits.Rate, need)
	}
	for series := range exposed(t, shown()) {
		if n := strings.Count(series, "=") + 2; n > m.Limits.Labels { // job and instance
			t.Errorf("%s has %d labels", series, n)
		}
	}
}

// Vector's parts are joined to each other, and its sinks wait for no longer than a vantage point does.
func TestVectorIsJoined(t *testing.T) {
	text, err := os.ReadFile("fleet/vector/vector.toml")
	if err != nil {
		t.Fatal(err)
	}
	type part struct {
		Inputs []string
		Path   string
		Batch  struct {
			Timeout int `toml:"timeout_secs"`
		}
	}
	var v struct{ Sources, Transforms, Sinks map[string]part }
	if err := toml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, parts := range []map[string]part{v.Transforms, v.Sinks} {
		for name, p := range parts {
			for _, input := range p.Inputs {
				if used[input] = true; v.Sources[input].Path == "" && v.Transforms[input].Inputs == nil {
					t.Errorf("%s reads %s, which is not there", name, input)
				}
			}
		}
	}
	for name, sink := range v.Sinks {
		if sink.Batch.Timeout < 1 || sink.Batch.Timeout > 30 {
			t.Errorf("%s answers after %d s: a vantage point waits for 60", name, sink.Batch.Timeout)
		}
	}
	if !used["rounds"] || !used["records"] || len(v.Sinks) != 2 {
		t.Errorf("what is used: %v", used)
	}
}

// The README's configs of vantage points are read as they stand there, and push what they say.
func TestFleetConfigsOfVantagePoints(t *testing.T) {
	text, err := os.ReadFile("fleet/README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 4 {
		t.Fatalf("%d configs", len(blocks))
	}
	dir := t.TempDir()
	for _, name := range []string{"token", "password"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("secret\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, block := range blocks {
		file := filepath.Join(dir, "telltale.toml")
		if err := os.WriteFile(file, []byte(block[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(file)
		if err != nil {
			t.Errorf("%v\n%s", err, block[1])
			continue
		}
		if cfg.Push.Metrics.URL == nil && cfg.Push.Evidence.URL == nil {
			t.Errorf("it pushes nothing:\n%s", block[1])
		}
	}
	for _, receiver := range []string{"Mimir", "Thanos", "VictoriaMetrics", "ClickHouse", "Vector", "VictoriaLogs"} {
		if !slices.ContainsFunc(blocks, func(b []string) bool { return strings.Contains(b[1], receiver) }) {
			t.Errorf("no config says how to push to %s", receiver)
		}
	}
}

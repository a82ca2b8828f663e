package main

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/exp/api/remote"
	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/measurements/web"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
)

// pushedLife is a vantage that lives several times on one store, and pushes to one sink.
type pushedLife struct {
	t     *testing.T
	dir   string
	world *netlab.World
	cfg   *config.Config
	sink  *sink
}

func newPushedLife(t *testing.T) *pushedLife {
	all, err := scenarios.All()
	if err != nil {
		t.Fatal(err)
	}
	blocked := slices.IndexFunc(all, func(s scenarios.Scenario) bool { return s.Name == "app-telegram-web-door-by-name" })
	world, err := newLab().World(&all[blocked])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = world.Close() })
	l := &pushedLife{t: t, dir: t.TempDir(), world: world, cfg: demoConfig(), sink: &sink{}}
	l.cfg.Apps = world.Apps(slices.DeleteFunc(l.cfg.Apps, func(a probe.App) bool { return a.ID != "telegram" })...)
	l.cfg.Vantage.Country, l.cfg.Vantage.Label = "XA", "ours"
	mux := http.NewServeMux()
	mux.Handle("/api/v1/write", remote.NewWriteHandler(l.sink, remote.MessageTypes{remote.WriteV2MessageType}))
	mux.HandleFunc("/evidence", l.sink.evidence)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	for path, to := range map[string]**url.URL{"/api/v1/write": &l.cfg.Push.Metrics.URL, "/evidence": &l.cfg.Push.Evidence.URL} {
		if *to, err = url.Parse(server.URL + path); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// live starts as `run` does, pushes what is remembered, makes a round, and ends once all is delivered. It gives
// what was pushed. Counters begin anew: the round is the first.
func (l *pushedLife) live() pushed {
	l.t.Helper()
	l.sink.mu.Lock()
	l.sink.values, l.sink.instances, l.sink.pushed = map[string]map[int64]float64{}, map[string]bool{}, pushed{}
	l.sink.mu.Unlock()
	counted := newMetrics(l.cfg)
	kept, err := store.Open(l.dir, storeOptions(l.cfg, zerolog.Nop(), counted))
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = kept.Close() }()
	plan, err := newPlan(l.cfg, l.world.Host())
	if err != nil {
		l.t.Fatal(err)
	}
	plan.Spread = 0
	d := &daemon{log: zerolog.Nop(), store: kept, metrics: counted, watch: &probe.Watch{Plan: plan}, view: web.View{Consent: true}, push: &pusher{log: zerolog.Nop(), store: kept, metrics: counted}}
	d.restore()
	if err := d.push.configure(l.t.Context(), l.cfg); err != nil {
		l.t.Fatal(err)
	}
	defer d.push.close()
	remembered := func(messages []store.Message, states map[string]any) error {
		return kept.EnqueueWith(states, messages...)
	}
	if _, err := d.push.recorder.Beat(time.Now(), 0, remembered); err != nil {
		l.t.Fatal(err)
	}
	d.round(l.t.Context())
	delivered(l.t, kept)
	l.sink.mu.Lock()
	defer l.sink.mu.Unlock()
	if !slices.Contains(slices.Collect(maps.Values(l.sink.values["telltale_rounds_total"])), 1) || len(l.sink.pushed.evidence) != 1 {
		l.t.Errorf("rounds counted %v, evidence of %d rounds: want one", l.sink.values["telltale_rounds_total"], len(l.sink.pushed.evidence))
	}
	return l.sink.pushed
}

// pushed is what a sink has been given, as text.
type pushed struct {
	metrics  []string // "name=value …", then value and creation
	evidence []string // bodies
}

var (
	// randomID is what we draw or hash: instance, epochs, ids of rounds and measurements. A server's key is not ours.
	randomID  = regexp.MustCompile(`\b[0-9a-f]{16,}\b`)
	serverKey = regexp.MustCompile(`"key":"[0-9a-f]+"`)
	moment    = regexp.MustCompile(`\b20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-9:.]+(Z|[+-][0-9:]{5})`)
	number    = regexp.MustCompile(` ([0-9.e+]+)$`)
	instance  = regexp.MustCompile(`instance [0-9a-f]+ `)
	counting  = regexp.MustCompile(`__name__ \S+_(total|bucket|sum|count) `) // anew in each life
)

// ids are the random ids and moments of all that was pushed, but for those that every vantage of this version
// has. A number of a metric is one where it is large enough to be nobody else's.
func (p *pushed) ids(cfg *config.Config) map[string]bool {
	out := map[string]bool{}
	for _, text := range append(slices.Clone(p.metrics), p.evidence...) {
		text = serverKey.ReplaceAllString(text, "")
		for _, id := range append(randomID.FindAllString(text, -1), moment.FindAllString(text, -1)...) {
			out[id] = true
		}
	}
	for _, line := range p.metrics {
		if n := number.FindStringSubmatch(line); n != nil && !counting.MatchString(line) {
			if v, err := strconv.ParseFloat(n[1], 64); err == nil && v >= 4096 {
				out[instance.ReplaceAllString(line, "")] = true
			}
		}
	}
	delete(out, cfg.CatalogueHash)
	delete(out, software(cfg).Revision)
	return out
}

// moments are the times that anything that was pushed tells.
func (p *pushed) moments() (out []time.Time) {
	for _, text := range p.evidence {
		for _, m := range moment.FindAllString(text, -1) {
			if at, err := time.Parse(time.RFC3339Nano, m); err == nil {
				out = append(out, at)
			}
		}
	}
	for _, line := range p.metrics {
		if n := number.FindStringSubmatch(line); n != nil {
			if v, err := strconv.ParseFloat(n[1], 64); err == nil && v > 1.5e9 && v < 2.5e9 {
				out = append(out, time.UnixMilli(int64(v*1e3)))
			}
		}
	}
	return out
}

func both(a, b map[string]bool) (out []string) {
	for _, id := range slices.Sorted(maps.Keys(a)) {
		if b[id] {
			out = append(out, id)
		}
	}
	return out
}

// Nothing of what is pushed after an id was rolled is known from before: no id, no name of a network, no
// moment, no number that goes on. A restart alone, which this would find out, keeps many of them.
func TestRolledVantageIsAnother(t *testing.T) {
	t.Parallel()
	l := newPushedLife(t)
	tells := func(p *pushed) bool { return strings.Contains(strings.Join(p.evidence, ""), `"since_trigger"`) } // of a time before
	first := l.live()
	before := first.ids(l.cfg)
	var same []string
	known := false
	for range 8 { // restarts: which addresses a round looks at is chance, so one need not show it all
		again := l.live()
		ids := again.ids(l.cfg)
		same, known = slices.Compact(slices.Sorted(slices.Values(append(same, both(before, ids)...)))), known || tells(&again)
		maps.Copy(before, ids)
		if known && len(same) >= 4 { // instance, epoch, onset, last ok or round
			break
		}
	}
	if !known || len(same) < 4 {
		t.Errorf("a restart is told by %q, and by how long ago something failed %v: this test does not see what it should", same, known)
	}
	kept, err := store.Open(l.dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	_, err = roll(kept)
	if err := errors.Join(err, kept.Close()); err != nil {
		t.Fatal(err)
	}
	third := l.live()
	if same := both(before, third.ids(l.cfg)); len(same) > 0 {
		t.Errorf("the rolled vantage is known by %q", same)
	}
	if tells(&third) {
		t.Error("how long ago something failed is told after the roll")
	}
	if slices.ContainsFunc(third.metrics, func(line string) bool { return strings.Contains(line, "store_size") }) {
		t.Error("the store's size, which goes on, is pushed")
	}
	for _, at := range third.moments() {
		if at.Before(begun.Truncate(time.Millisecond)) {
			t.Fatalf("it tells of %s, which was before it was rolled at %s", at, begun)
		}
	}
}

// Without STATE_DIRECTORY the packaged config leads to another place than the service's: there the command
// makes no store whose id it could say is new. What it rolled, it names.
func TestNewIDIsOfAStoreThatIsThere(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"} {
		t.Setenv(name, home)
	}
	t.Setenv("STATE_DIRECTORY", "")
	code, out, errs := telltale(t, "", "consent", "--new-id", "--config.file=../../deploy/telltale.toml")
	if code != exitUsage || out != "" || !strings.Contains(errs, config.StoreDir()) || !strings.Contains(errs, "--store.path") {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
	if made, err := os.ReadDir(home); err != nil || len(made) > 0 {
		t.Errorf("it made %v, %v", made, err)
	}

	service := t.TempDir()
	kept, err := store.Open(service, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	before, err := newInstance(kept)
	if err := errors.Join(err, kept.Close()); err != nil {
		t.Fatal(err)
	}
	// Its secret is where systemd puts it, while it runs.
	secret := filepath.Join(home, "telltale.toml")
	if err := os.WriteFile(secret, []byte("[push]\nurl = \"https://example.org/\"\nbearer_token_file = \"/run/credentials/none/token\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs = telltale(t, "", "consent", "--new-id", "--config.file="+secret, "--store.path="+service)
	kept, err = store.Open(service, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kept.Close() }()
	after, err := loadInstance(kept)
	if err != nil || code != exitDone || after == before || !strings.Contains(out, after) || !strings.Contains(out, service) {
		t.Errorf("exit %d, %s to %s, %q, %q: %v", code, before, after, out, errs, err)
	}
}

package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/web"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// The demo makes more traffic in a minute than a household may in hours. It once went silent after
// half a minute, before what it shows had even ended.
func TestDemoHasNoDailyBudget(t *testing.T) {
	b := schedule.NewBudget(demoConfig().DailyBudget)
	const weeks = 1 << 40
	b.Spend(weeks)
	if !b.Allow(weeks) {
		t.Error("after weeks of rounds the demo would skip them")
	}
}

// The live table fits a screen of 80 by 24 while four apps are partly blocked.
func TestBriefTable(t *testing.T) {
	fine := []measurements.LayerVerdict{{Layer: measurements.LayerTCP, Family: measurements.IPv4, State: measurements.OK}}
	bad := func(f measurements.Family) measurements.LayerVerdict {
		return measurements.LayerVerdict{Layer: measurements.LayerDNS, Family: f, State: measurements.Inconclusive, Signature: "dns.injection.blockpage", Confidence: measurements.Confirmed}
	}
	v := &measurements.RoundVerdict{Network: measurements.NetworkVerdict{State: measurements.OK}}
	for _, app := range []string{"telegram", "whatsapp", "line", "instagram"} {
		a := measurements.AppVerdict{App: app, State: measurements.Partial}
		for _, id := range []string{"dc1", "dc2", "dc3", "dc4", "dc5", "web", "web-ws", "registration", "static", "media"} {
			a.Targets = append(a.Targets, measurements.TargetVerdict{Target: id, State: measurements.OK, Layers: fine})
		}
		a.Targets = append(a.Targets,
			measurements.TargetVerdict{Target: "registration", State: measurements.Inconclusive, Layers: []measurements.LayerVerdict{bad(measurements.IPv4), bad(measurements.IPv6)}},
			measurements.TargetVerdict{Target: "chat", State: measurements.Skipped})
		v.Apps = append(v.Apps, a)
	}
	var b strings.Builder
	printBrief(&b, v)
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) > 22 {
		t.Errorf("%d lines leave no room:\n%s", len(lines), b.String())
	}
	for _, line := range lines {
		if n := len([]rune(line)); n > tableWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{"telegram: partial", "ok: dc1 dc2", "registration inconclusive ipv4 ipv6", "chat         skipped      not measured in this round"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// oneDemo is one run of demo --once, for all tests that look at what it says and keeps.
type oneDemo struct {
	once      sync.Once
	err       error
	dir, said string
}

var demo oneDemo

// run is in virtual time: the demo's steps have a second each, and machines that test stand still for longer. A
// socket of the kernel's would keep that time from passing: the page is served on a network that nobody is on.
func (d *oneDemo) run(t *testing.T) {
	today := time.Now()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(today)) // else it were all long ago
		cfg, world := demoWorld(t)
		listener, err := world.Network().Listen(netip.MustParseAddrPort(cfg.Listen))
		if err != nil {
			t.Fatal(err)
		}
		if d.dir, err = os.MkdirTemp("", "telltale-demo"); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		d.err = (&demoCmd{Once: true}).serve(t.Context(), &cli{}, terminal{out: &out, err: io.Discard}, cfg, world, d.dir, listener, "http://"+cfg.Listen)
		d.said = out.String()
	})
}

// demoWorld is the demo's internet, until the test ends.
func demoWorld(t *testing.T) (*config.Config, *netlab.World) {
	t.Helper()
	scenario, err := scenarios.Demo()
	if err != nil {
		t.Fatal(err)
	}
	cfg := demoConfig()
	world, err := newLab().World(&scenario)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = world.Close() })
	cfg.Apps = world.Apps(cfg.Apps...)
	return cfg, world
}

// forget takes away what the run has left, if there was one.
func (d *oneDemo) forget() {
	if d.dir != "" {
		_ = os.RemoveAll(d.dir)
	}
}

// demoed is a copy of the store that demo --once kept, and what it printed.
func demoed(t *testing.T) (dir, out string) {
	t.Helper()
	if demo.once.Do(func() { demo.run(t) }); demo.err != nil || demo.said == "" {
		t.Fatalf("%v\n%s", demo.err, demo.said)
	}
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(demo.dir)); err != nil {
		t.Fatal(err)
	}
	return dir, demo.said
}

// In real time demo --once ends too, however busy the machine is.
func TestDemoOnceEnds(t *testing.T) {
	t.Parallel()
	code, out, errs := telltale(t, "", "--web.listen-address=127.0.0.1:0", "demo", "--once")
	if code != exitDone || !strings.HasPrefix(out, "An emulated internet") || !strings.Contains(out, "/metrics while it ran.") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
}

// The demo serves the evidence of its temporary store to this machine, and it is judged as it was. Told to end it
// does, and takes the store away.
func TestDemoServesItsEvidence(t *testing.T) {
	t.Parallel()
	temporary := t.TempDir()
	child := exec.Command(os.Args[0], "demo", "--web.listen-address=127.0.0.1:0")
	child.Env = append(os.Environ(), itself+"=1", "TMPDIR="+temporary)
	out, in := io.Pipe()
	child.Stdout = in
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill() }()
	ended := make(chan error, 1)
	go func() {
		ended <- child.Wait()
		_ = in.Close()
	}()
	said := bufio.NewReader(out)
	address := ""
	for address == "" {
		line, err := said.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if m := servesAt.FindStringSubmatch(line); m != nil {
			address = m[1]
		}
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	get := func(path string) string {
		r, err := http.Get(address + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %v", path, r.Status, err)
		}
		return string(b)
	}
	for get(web.VerdictsPath) == "" { // until there was a round
		time.Sleep(20 * time.Millisecond)
	}
	evidence := get(web.MeasurementsPath) + get(web.VerdictsPath)
	code, judged, errs := telltale(t, evidence, "judge", "-")
	if m := regexp.MustCompile(`^([1-9][0-9]*) rounds judged: ([0-9]+) same, 0 changed, 0 with nothing`).FindStringSubmatch(judged); code != exitDone || m == nil || m[1] != m[2] {
		t.Errorf("exit %d: %s%s", code, judged, errs)
	}
	if err := child.Process.Signal(os.Interrupt); err != nil {
		t.Skip("no signals here:", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the demo ended with %v", err)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("it left %v (%v)", left, err)
	}
}

// The scenario waits for the end of the first round, however long that takes.
func TestDemoUnfoldsAfterTheFirstRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netlab.NewNetwork(1)
		defer func() { _ = n.Close() }()
		from := 5 * time.Second
		n.Censor(netlab.Rule{ID: "refuse", Protocol: "tcp", Action: netlab.Reset, From: from})
		refused := func() bool {
			before := n.Fired("refuse")
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			_, _ = n.Dial(ctx, "tcp4", "192.0.2.1:443")
			return n.Fired("refuse") > before
		}
		unfold := delayed(n)
		time.Sleep(time.Minute) // a busy machine
		if refused() {
			t.Error("the first round meets what is to come")
		}
		unfold(0)
		unfold(time.Hour) // later rounds change nothing
		if refused() {
			t.Error("the onset comes with the first round's end")
		}
		time.Sleep(from)
		if !refused() {
			t.Error("no onset")
		}
	})
}

// Where no round ends in time, what there is is printed in time.
func TestDemoOnceIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w silentWorld
		cfg := oneTarget(time.Now())
		cfg.Timeout = time.Hour
		plan, err := newPlan(cfg, w.host())
		if err != nil {
			t.Fatal(err)
		}
		d := &daemon{log: zerolog.Nop(), metrics: newMetrics(cfg), watch: &probe.Watch{Plan: plan}, view: web.View{Consent: true}}
		var out strings.Builder
		begun := time.Now()
		(&demoCmd{}).twice(t.Context(), d, terminal{out: &out, err: io.Discard})
		if took := time.Since(begun); took > demoOnce || demoOnce >= 15*time.Second {
			t.Errorf("it takes %v", took)
		}
		if !strings.Contains(out.String(), "alpha: skipped") || !strings.Contains(out.String(), "too busy") {
			t.Errorf("it prints:\n%s", out.String())
		}
	})
}

// The round after the first one meets all that the demo's networks do, however long the first one took; and the
// round that an end cuts short is not shown: whoever stops the demo keeps the last whole table.
func TestDemoLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, world := demoWorld(t)
		plan, err := newPlan(cfg, world.Host())
		if err != nil {
			t.Fatal(err)
		}
		plan.Thorough, plan.Spread, plan.VolumeEvery = true, 0, 0
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		d := &daemon{log: zerolog.Nop(), metrics: newMetrics(cfg), watch: &probe.Watch{Plan: plan, Interval: demoPause}, view: web.View{Consent: true}}
		unfold, rounds := delayed(world.Network()), 0
		var out strings.Builder
		live(ctx, d, terminal{out: &out, err: io.Discard}, func(soFar time.Duration) {
			if unfold(soFar); rounds == 1 {
				time.AfterFunc(d.watch.Pause()+500*time.Millisecond, stop) // in the middle of the third
			}
			rounds++
		}, "")
		if rounds != 3 {
			t.Errorf("%d rounds, where the third is cut short", rounds)
		}
		if n := strings.Count(out.String(), " telegram partial\n"); n != 1 || strings.Contains(out.String(), "skipped") {
			t.Errorf("%d rounds of what the networks do, of one:\n%s", n, out.String())
		}
		for _, want := range []string{"telegram dc1 tcp", "telegram web tls ipv4", "telegram web tls ipv6", "whatsapp web dns", "whatsapp web-chat dns", "whatsapp web-quic dns", "instagram cdn http ipv4", "instagram web-quic quic ipv4"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the second round lacks %s:\n%s", want, out.String())
			}
		}
	})
}

// Whoever stops demo --once before there is a verdict is told so.
func TestDemoOnceStopped(t *testing.T) {
	cfg, world := demoWorld(t)
	listener, err := web.Listen("127.0.0.1:0", 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out strings.Builder
	err = (&demoCmd{Once: true}).serve(ctx, &cli{}, terminal{out: &out, err: io.Discard}, cfg, world, t.TempDir(), listener, "")
	if err == nil || !strings.Contains(err.Error(), "no verdict") || out.Len() > 0 {
		t.Errorf("%v; it prints %q", err, out.String())
	}
}

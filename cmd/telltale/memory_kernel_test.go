package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/kerneltest"
)

const (
	// memoryRounds is how many rounds pass before the figures are read: the first one pays for what is
	// made once (roots, histograms), the later ones show what stays.
	memoryRounds = 3
	// memoryCalm is how long after a round, or after the start, a process counts as idle: the daemon has
	// then given back what the round left behind, and the next round, a minute after the last, is far.
	memoryCalm = 20 * time.Second
	// memoryScrapes is what Prometheus asks for in the default quarter of an hour between two rounds, at
	// its usual 15 seconds. Asked all at once they leave the most behind.
	memoryScrapes = 60
)

// memoryLine is a line on which the daemon is watched.
type memoryLine struct {
	timeout string // of a step
	cut     func(*builtinWorld)
	wrong   func(*measurements.RoundVerdict) bool // the round was not one of this line: its memory means nothing
}

var memoryLines = map[string]memoryLine{
	// Everything answers, by the default timeout.
	"clean": {"10s", func(*builtinWorld) {}, func(v *measurements.RoundVerdict) bool {
		return v.Network.State != measurements.OK || hasNot(v, measurements.OK)
	}},
	// Nothing does: the gate finds the line dead, and the apps are left alone.
	"black-holed": {"10s", (*builtinWorld).dropAll, func(v *measurements.RoundVerdict) bool {
		return v.Network.State == measurements.OK || hasNot(v, measurements.Skipped)
	}},
	// The line works and the apps are silent: all of their names and addresses are tried, with controls N
	// and D. No round makes more steps, and with the default timeout one would last for minutes.
	"apps-black-holed": {"1s", (*builtinWorld).dropApps, func(v *measurements.RoundVerdict) bool {
		return v.Network.State != measurements.OK || has(v, measurements.OK) || has(v, measurements.Skipped)
	}},
}

func has(v *measurements.RoundVerdict, s measurements.State) bool {
	for _, app := range v.Apps {
		if app.State == s {
			return true
		}
	}
	return false
}

func hasNot(v *measurements.RoundVerdict, s measurements.State) bool {
	for _, app := range v.Apps {
		if app.State != s {
			return true
		}
	}
	return false
}

// BenchmarkKernelResident reads the resident memory of the released daemon while it watches the
// built-in catalogue, in a namespace without any way out: before its first round, between rounds
// (VmRSS), after a quarter of an hour's scrapes, and at its peak (VmHWM). There is nothing to time.
func BenchmarkKernelResident(b *testing.B) {
	for _, name := range []string{"clean", "black-holed", "apps-black-holed"} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				memoryLines[name].measure(b)
			}
			b.ReportMetric(0, "ns/op") // the waiting's, not the program's: not shown
		})
	}
}

func (l memoryLine) measure(b *testing.B) {
	w := newBuiltinWorld(b)
	w.binary = kernelBinary(b)
	l.cut(w)
	// Without consent nothing is measured: that the process is inside is known before it may send.
	p := w.start(w.configureBuiltin("", l.timeout), "run")
	p.until(b, "the page is served", func() bool { return w.ask(http.MethodGet, "/-/ready") == nil })
	pid := p.cmd.Process.Pid
	w.wantInside(pid)
	time.Sleep(memoryCalm)
	b.ReportMetric(resident(b, pid, "VmRSS"), "start-MiB")

	w.configureBuiltin("2026-11-23", l.timeout)
	if err := w.ask(http.MethodPost, "/-/reload"); err != nil {
		b.Fatal(err)
	}
	for n := range memoryRounds {
		p.until(b, fmt.Sprintf("round %d is kept", n+1), func() bool { return len(w.evidence("verdicts")) > n })
	}
	time.Sleep(memoryCalm)
	b.ReportMetric(resident(b, pid, "VmRSS"), "idle-MiB")
	b.ReportMetric(resident(b, pid, "VmHWM"), "peak-MiB")
	for range memoryScrapes {
		if err := w.ask(http.MethodGet, "/metrics"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(resident(b, pid, "VmRSS"), "scraped-MiB")
	b.ReportMetric(float64(l.rounds(b, w)), "rounds")
	if code := p.terminate(b); code != exitDone {
		b.Errorf("exit %d: %s", code, p.err.String())
	}
}

// rounds counts the rounds in the store. One that was not what the line makes of it ends the benchmark.
func (l memoryLine) rounds(b *testing.B, w *builtinWorld) int {
	b.Helper()
	lines := w.evidence("verdicts")
	for _, line := range lines {
		var kept store.Judged
		if err := json.Unmarshal([]byte(line), &kept); err != nil {
			b.Fatal(err)
		}
		if v := &kept.Verdict; len(v.Apps) != len(w.cfg.Apps) || l.wrong(v) {
			b.Fatalf("no round of this line: %s", line)
		}
	}
	// A round that began after the reading would have its memory in no figure.
	if len(lines) != memoryRounds {
		b.Fatalf("%d rounds, want %d", len(lines), memoryRounds)
	}
	return len(lines)
}

// wantInside makes sure that a process is on the client's network: what the catalogue names would
// otherwise be contacted in earnest. /proc/self is no help: its thread may have been inside, too.
func (w *builtinWorld) wantInside(pid int) {
	w.t.Helper()
	var client string
	var err error
	w.Do(kerneltest.Client, func() { client, err = os.Readlink("/proc/thread-self/ns/net") })
	if err != nil {
		w.t.Fatal(err)
	}
	if its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid)); err != nil || its != client {
		w.t.Fatalf("the program is on the network %q, want the client's, %q: %v", its, client, err)
	}
}

// resident reads a figure of a process in MiB: VmRSS, what it holds now, or VmHWM, the most it ever held.
func resident(b *testing.B, pid int, key string) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == key+":" && fields[2] == "kB" {
			kib, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib / 1024
		}
	}
	b.Fatalf("the kernel says no %s", key)
	return 0
}

// configureBuiltin writes a config that is the default one but for where things are, and gives its
// path. Rounds come as often as they may; no budget and no rest cut them short.
func (w *builtinWorld) configureBuiltin(consent, timeout string) string {
	w.t.Helper()
	var trusted []string
	for _, r := range w.cfg.Trusted {
		trusted = append(trusted, w.relocate(r))
	}
	var gate []map[string]any
	for _, c := range w.cfg.Controls {
		gate = append(gate, map[string]any{
			"host": c.Host, "operator": c.Operator, "scope": c.Scope, "country": c.Country,
			"addresses": texts(w.zone[c.Host]), "path": c.Path, "probes": c.Probes,
		})
	}
	b, err := toml.Marshal(map[string]any{
		"consent":  map[string]any{"accepted": consent},
		"schedule": map[string]any{"interval": "1m", "jitter": 0.0, "daily_budget": "0", "residual": "0s"},
		"network": map[string]any{
			"resolver": fmt.Sprintf("udp://%v:53", w.dns[0]), "trusted_resolvers": trusted,
			"root_ca_files": []string{"roots.pem"}, "timeout": timeout,
		},
		"control": gate, "apps": map[string]any{"catalogue": w.catalogues()},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.write("telltale.toml", string(b))
}

// relocate gives a trusted resolver's URL with an address of this world.
func (w *builtinWorld) relocate(r probe.Resolver) string {
	if rest, encrypted := strings.CutPrefix(r.URL, "https://"); encrypted {
		name, _, _ := strings.Cut(rest, "/")
		return r.URL + "#" + strings.Join(texts(w.zone[name]), ",")
	}
	return fmt.Sprintf("tcp://%v:53", w.dns[1])
}

func texts(in []netip.Addr) []string {
	var out []string
	for _, a := range in {
		out = append(out, a.String())
	}
	return out
}

// ask asks the daemon's own page, on the client's loopback.
func (w *builtinWorld) ask(method, at string) error {
	req, err := http.NewRequest(method, "http://127.0.0.1:9877"+at, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DialContext: w.Dial, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, at, resp.Status)
	}
	return nil
}

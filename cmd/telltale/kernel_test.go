package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/delivery"
	"github.com/telltale-probe/telltale/measurements/remotewrite"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/probe/kerneltest"
)

// The whole program, built as it is released, against real sockets, a real router and real firewall
// rules: nothing between the config file and the verdict is ours alone.
func TestKernelProgram(t *testing.T) {
	binary := kernelBinary(t)
	for name, test := range map[string]func(*testing.T, *kernelWorld){
		"clean":                     kernelClean,
		"a name is reset":           kernelReset,
		"an address is refused":     kernelRefused,
		"stopped between rounds":    kernelStopBetween,
		"stopped in mid-round":      kernelStopWithin,
		"once stopped":              kernelStopOnce,
		"stopped while it pushes":   kernelStopPushing,
		"without consent":           kernelNoConsent,
		"a config that is no good":  kernelBrokenConfig,
		"the evidence is asked for": kernelRecords,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newKernelWorld(t, binary))
		})
	}
}

// kernelBinary builds the program as it is released.
func kernelBinary(t testing.TB) string {
	t.Helper()
	kerneltest.Asked(t)
	binary := filepath.Join(t.TempDir(), "telltale")
	if runtime.GOOS == "linux" {
		build := exec.Command("go", "build", "-o", binary, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return binary
}

// agreed is a config with which rounds are made where every step is answered: on a machine that stands still not at
// once.
var agreed = kernelConfig{Consent: "2026-11-23", Timeout: "20s"}

// unanswered is one for where some are not. A step has four times the time of a lost SYN.
var unanswered = kernelConfig{Consent: "2026-11-23", Timeout: "4s"}

// slow is one with which silence outlasts every wait of the tests.
var slow = kernelConfig{Consent: "2026-11-23", Timeout: "1m"}

func kernelClean(t *testing.T, w *kernelWorld) {
	v := w.once()
	for _, app := range v.Apps {
		if app.State != measurements.OK {
			t.Errorf("%s is %s", app.App, app.State)
		}
	}
	wantTargets(t, v, nil)
}

// The router resets what carries one name in clear, in both families.
func kernelReset(t *testing.T, w *kernelWorld) {
	rule := []string{"-A", "FORWARD", "-p", "tcp", "--dport", "443", "-m", "string", "--algo", "bm", "--string", "chat.alpha.example.net", "-j", "REJECT", "--reject-with", "tcp-reset"}
	w.IPTables(rule...)
	w.IP6Tables(rule...)
	found := measurements.LayerVerdict{Layer: measurements.LayerTLS, State: measurements.Blocked, Signature: "tls.reset.sni", Confidence: measurements.Likely}
	v4, v6 := found, found
	v4.Family, v6.Family = measurements.IPv4, measurements.IPv6
	wantTargets(t, w.once(), map[string][]measurements.LayerVerdict{"alpha/chat": {v4, v6}})
}

// The router refuses one address's connections in its name. A server that is down does the same.
func kernelRefused(t *testing.T, w *kernelWorld) {
	v4, _ := w.addresses("media.beta.example.net")
	w.IPTables("-A", "FORWARD", "-d", v4.String(), "-p", "tcp", "--syn", "-j", "REJECT", "--reject-with", "tcp-reset")
	wantTargets(t, w.once(), map[string][]measurements.LayerVerdict{"beta/media": {
		{Layer: measurements.LayerTCP, Family: measurements.IPv4, State: measurements.Inconclusive, Signature: "tcp.refused"},
	}})
}

// once makes a round with the usual config.
func (w *kernelWorld) once() measurements.RoundVerdict {
	w.t.Helper()
	return w.onceWith(agreed)
}

// onceWith makes a round that must succeed, and reads what it printed: the contract's JSON and nothing else.
func (w *kernelWorld) onceWith(c kernelConfig) measurements.RoundVerdict {
	w.t.Helper()
	p := w.start(w.configure(c), "once", "--format=json")
	if code := p.code(w.t, kernelPatience); code != exitDone || p.err.Len() > 0 {
		w.t.Fatalf("exit %d, and it says: %s", code, p.err.String())
	}
	var v measurements.RoundVerdict
	d := json.NewDecoder(bytes.NewReader(p.out.Bytes()))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil || d.More() {
		w.t.Fatalf("%v, or more than one value: %s", err, p.out.String())
	}
	if v.Schema != "telltale/round/v1" || v.Started.IsZero() || v.DurationSeconds <= 0 {
		w.t.Errorf("schema %q, started %v, took %v s", v.Schema, v.Started, v.DurationSeconds)
	}
	n := v.Network
	for what, works := range map[string]*bool{"ipv4": n.IPv4, "ipv6": n.IPv6, "udp443": n.UDP443} {
		if what == "ipv6" && w.place.v6 == nil {
			continue
		}
		if works == nil || !*works {
			w.t.Errorf("the line's %s is not said to work", what)
		}
	}
	if n.State != measurements.OK || n.Signature != "" {
		w.t.Errorf("the line is %s %s: %v", n.State, n.Signature, n.Reasons)
	}
	return v
}

// wantTargets compares all of a verdict with what should be found. A target that is not listed is ok,
// in all its layers and both families; of one that is, only the listed layers are not.
func wantTargets(t *testing.T, v measurements.RoundVerdict, want map[string][]measurements.LayerVerdict) {
	t.Helper()
	wantTargetsIn(t, v, []measurements.Family{measurements.IPv4, measurements.IPv6}, want)
}

func wantTargetsIn(t *testing.T, v measurements.RoundVerdict, families []measurements.Family, want map[string][]measurements.LayerVerdict) {
	t.Helper()
	seen := map[string]bool{}
	for _, app := range v.Apps {
		for _, target := range app.Targets {
			id := app.App + "/" + target.Target
			seen[id] = true
			found := want[id]
			state := measurements.OK
			if len(found) > 0 {
				state = found[0].State
			}
			if target.State != state {
				t.Errorf("%s is %s, want %s", id, target.State, state)
			}
			wantLayers(t, id, families, target.Layers, found)
		}
	}
	for _, id := range []string{"alpha/chat", "alpha/media", "beta/chat", "beta/media"} {
		if !seen[id] {
			t.Errorf("nothing is said of %s", id)
		}
	}
	if len(seen) != 4 {
		t.Errorf("targets: %v", seen)
	}
	if t.Failed() {
		b, _ := json.MarshalIndent(v, "", " ")
		t.Logf("%s", b)
	}
}

func wantLayers(t *testing.T, id string, families []measurements.Family, layers, found []measurements.LayerVerdict) {
	t.Helper()
	for _, l := range layers {
		i := slices.IndexFunc(found, func(f measurements.LayerVerdict) bool { return f.Layer == l.Layer && f.Family == l.Family })
		f := measurements.LayerVerdict{State: measurements.OK}
		if i >= 0 {
			f = found[i]
		}
		if l.State != f.State || l.Signature != f.Signature || l.Confidence != f.Confidence {
			t.Errorf("%s, %s %s: %s %q %q, want %s %q %q", id, l.Layer, l.Family, l.State, l.Signature, l.Confidence, f.State, f.Signature, f.Confidence)
		}
	}
	for _, family := range families {
		for _, layer := range []measurements.Layer{measurements.LayerDNS, measurements.LayerTCP, measurements.LayerTLS, measurements.LayerHTTP, measurements.LayerQUIC} {
			// Without a connection there is no handshake over it; pages also come over QUIC.
			after := layer == measurements.LayerTLS && slices.ContainsFunc(found, func(f measurements.LayerVerdict) bool {
				return f.Family == family && f.Layer == measurements.LayerTCP
			})
			said := slices.ContainsFunc(layers, func(l measurements.LayerVerdict) bool { return l.Layer == layer && l.Family == family })
			if said == after {
				t.Errorf("%s, %s %s: a finding: %v, want %v", id, layer, family, said, !after)
			}
		}
	}
}

// stopTime is how long the daemon may take to end: systemd, a shell and a phone all wait longer.
const stopTime = time.Second

// terminate asks the program to end, and gives its exit code.
func (p *kernelProcess) terminate(t testing.TB) int {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for range stopTime / tick {
		select {
		case <-p.done:
		case <-time.After(tick):
		}
	}
	return p.code(t, 0)
}

// tick is the unit in which the time to stop is told: one that comes late, because the machine had no time for us, had none
// for the program either, and is no longer than the others.
const tick = 10 * time.Millisecond

// evidence gives what the store holds of a kind, measurements or verdicts, each as JSON.
func (w *kernelWorld) evidence(kind string) []string {
	w.t.Helper()
	if _, err := os.Stat(filepath.Join(w.store, "telltale.db")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	kept := w.openStore()
	defer func() { _ = kept.Close() }()
	var out []string
	add := func(v any, err error) {
		if err != nil {
			w.t.Fatal(err)
		}
		b, err := json.Marshal(v)
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, string(b))
	}
	if kind == "verdicts" {
		for j, err := range kept.Verdicts() {
			add(j, err)
		}
		return out
	}
	for r, err := range kept.Rounds() {
		for _, m := range append([]measurements.Measurement{r.Gate}, r.Apps...) {
			if m.App != "" {
				add(m, err)
			}
		}
	}
	return out
}

// openStore opens the store beside the program that writes to it.
func (w *kernelWorld) openStore() *store.Store {
	w.t.Helper()
	kept, err := store.Open(w.store, store.Options{ReadOnly: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return kept
}

// wantKept makes sure that one round is in the store: the gate's measurement and both apps', and what
// was said of them, which holds no finding.
func (w *kernelWorld) wantKept() {
	w.t.Helper()
	if kept := w.evidence("measurements"); len(kept) != 3 {
		w.t.Errorf("%d measurements are kept, want the gate's and two apps'", len(kept))
	}
	verdicts := w.evidence("verdicts")
	if len(verdicts) != 1 {
		w.t.Errorf("%d verdicts are kept, want one", len(verdicts))
	}
	for _, line := range slices.Concat(verdicts, w.evidence("measurements")) {
		if !json.Valid([]byte(line)) {
			w.t.Errorf("no JSON: %s", line)
		}
	}
	for _, line := range verdicts {
		for _, state := range []string{"blocked", "throttled", "down"} {
			if strings.Contains(line, `"state":"`+state+`"`) {
				w.t.Errorf("something is said to be %s: %s", state, line)
			}
		}
	}
}

func kernelStopBetween(t *testing.T, w *kernelWorld) {
	p := w.start(w.configure(agreed), "run")
	p.until(t, "a round is kept", func() bool { return len(w.evidence("verdicts")) > 0 })
	if code := p.terminate(t); code != exitDone {
		t.Errorf("exit %d: %s", code, p.err.String())
	}
	w.wantKept()
}

// silence drops all that goes to a site, and gives the name.
func (w *kernelWorld) silence() string {
	w.t.Helper()
	const name = "media.beta.example.net"
	v4, v6 := w.addresses(name)
	w.IPTables("-A", "FORWARD", "-d", v4.String(), "-j", "DROP")
	w.IP6Tables("-A", "FORWARD", "-d", v6.String(), "-j", "DROP")
	return name
}

// untilWaiting waits until the program waits for an answer of a silent site: it has asked for the name
// in both families, and had the time to hear late answers and to connect.
func (w *kernelWorld) untilWaiting(p *kernelProcess, name string) {
	w.t.Helper()
	p.until(w.t, "the silent site's name is asked for", func() bool { return slices.Contains(w.questions(), name) })
	const late = 500 * time.Millisecond
	time.Sleep(3 * late)
}

// The receiver swallows all that is sent to it.
func kernelStopPushing(t *testing.T, w *kernelWorld) {
	v4, _ := w.addresses(w.silence())
	c := unanswered
	c.Push = "https://" + v4.String() + "/api/v1/write"
	p := w.start(w.configure(c), "run")
	p.until(t, "a round is kept", func() bool { return len(w.evidence("verdicts")) > 0 })
	if code := p.terminate(t); code != exitDone {
		t.Errorf("exit %d: %s", code, p.err.String())
	}
	w.wantKept()
	kept := w.openStore()
	defer func() { _ = kept.Close() }()
	metrics, err := kept.Waiting(remotewrite.Kind)
	evidence, err2 := kept.Waiting(delivery.EvidenceKind)
	if metrics < 2 || evidence != 1 || err != nil || err2 != nil {
		t.Errorf("%d states and %d rounds wait: %v, %v", metrics, evidence, err, err2)
	}
	if strings.Contains(p.err.String(), v4.String()+":443: ") || !strings.Contains(p.err.String(), "metrics are pushed") {
		t.Errorf("it says: %s", p.err.String())
	}
}

func kernelStopWithin(t *testing.T, w *kernelWorld) {
	name := w.silence()
	p := w.start(w.configure(slow), "run")
	w.untilWaiting(p, name)
	if kept := w.evidence("measurements"); len(kept) > 0 {
		t.Fatal("the round is over already")
	}
	if code := p.terminate(t); code != exitDone {
		t.Errorf("exit %d: %s", code, p.err.String())
	}
	w.wantKept()
}

// once that is stopped prints what it saw and says that this is not all.
func kernelStopOnce(t *testing.T, w *kernelWorld) {
	name := w.silence()
	p := w.start(w.configure(slow), "once", "--format=json")
	w.untilWaiting(p, name)
	if code := p.terminate(t); code != exitCould || !strings.Contains(p.err.String(), "stopped") {
		t.Errorf("exit %d: %s", code, p.err.String())
	}
	var v measurements.RoundVerdict
	if err := json.Unmarshal(p.out.Bytes(), &v); err != nil || v.Schema != measurements.RoundSchema {
		t.Errorf("%v: %s", err, p.out.String())
	}
	if strings.Contains(p.out.String(), `"state":"blocked"`) {
		t.Errorf("something is said to be blocked: %s", p.out.String())
	}
}

func kernelNoConsent(t *testing.T, w *kernelWorld) {
	p := w.start(w.configure(kernelConfig{Timeout: "2s"}), "once", "--format=json")
	if code := p.code(t, kernelPatience); code != exitCould || !strings.Contains(p.err.String(), "consent") || p.out.Len() > 0 {
		t.Errorf("exit %d: %s%s", code, p.out.String(), p.err.String())
	}
	if asked := w.questions(); len(asked) > 0 {
		t.Errorf("without consent it asked for %v", asked)
	}
}

// Every mistake of a config is named, and nothing is sent.
func kernelBrokenConfig(t *testing.T, w *kernelWorld) {
	broken := w.write("broken.toml", "[network]\ntimeout = \"soon\"\nresolvers = \"udp://192.0.2.53:53\"\n")
	for _, args := range [][]string{{"once", "--format=json"}, {"run"}, {"check"}} {
		p := w.start(broken, args...)
		code := p.code(t, kernelPatience)
		if code != exitUsage || !strings.Contains(p.err.String(), "timeout") || !strings.Contains(p.err.String(), "resolvers") {
			t.Errorf("%v: exit %d: %s", args, code, p.err.String())
		}
	}
	if asked := w.questions(); len(asked) > 0 {
		t.Errorf("with a broken config it asked for %v", asked)
	}
}

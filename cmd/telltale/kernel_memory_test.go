package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/kerneltest"
)

// BenchmarkKernelMemory reads how much memory the released daemon holds that watches the built-in
// catalogue: its most in two rounds (VmHWM), and what is left between them (VmRSS). Every name of
// the catalogue and of the gate is served in a namespace, over real sockets; in the second world the
// router drops all of it, so that every step waits for its timeout.
func BenchmarkKernelMemory(b *testing.B) {
	for name, shut := range map[string]bool{"clean": false, "black-holed": true} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				idle, peak := memoryOf(b, shut)
				b.ReportMetric(idle, "idle-MiB")
				b.ReportMetric(peak, "peak-MiB")
			}
		})
	}
}

func memoryOf(b *testing.B, shut bool) (idle, peak float64) {
	cfg := config.Default()
	w := newKernelWorldOf(b, kernelBinary(b), namesOf(cfg))
	w.serveDataCentres(cfg)
	if shut {
		w.IPTables("-A", "FORWARD", "-j", "DROP")
		w.IP6Tables("-A", "FORWARD", "-j", "DROP")
	}
	p := w.start(w.memoryConfig(cfg), "run", "--web.listen-address=127.0.0.1:9877")
	const rounds = 2
	p.until(b, "two rounds are kept", func() bool { return len(w.evidence("verdicts")) >= rounds })
	if !shut && !strings.Contains(strings.Join(w.evidence("verdicts"), ""), `"app":"instagram","state":"ok"`) {
		b.Fatalf("the clean line is not clean: %s", w.evidence("verdicts"))
	}
	const calm = 10 * time.Second // the garbage of the round is collected, and given back in part
	time.Sleep(calm)
	idle, peak = memory(b, p.cmd.Process.Pid, "VmRSS"), memory(b, p.cmd.Process.Pid, "VmHWM")
	if code := p.terminate(b); code != exitDone {
		b.Errorf("exit %d: %s", code, p.err.String())
	}
	return idle, peak
}

// memory reads a line of /proc/PID/status, in MiB.
func memory(tb testing.TB, pid int, key string) float64 {
	tb.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			if err != nil {
				tb.Fatal(err)
			}
			return kib / 1024
		}
	}
	tb.Fatalf("no %s", key)
	return 0
}

// namesOf lists every host name that the default configuration measures.
func namesOf(cfg *config.Config) []string {
	var out []string
	for _, app := range cfg.Apps {
		for _, t := range app.Targets {
			out = append(out, t.Hosts...)
		}
	}
	for _, c := range cfg.Controls {
		out = append(out, c.Host)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// serveDataCentres accepts connections for the targets that are addresses alone.
func (w *kernelWorld) serveDataCentres(cfg *config.Config) {
	w.t.Helper()
	at := w.dataCentre()
	var ports []uint16
	for _, app := range cfg.Apps {
		for _, t := range app.Targets {
			if len(t.Hosts) == 0 {
				ports = append(ports, t.Ports...)
			}
		}
	}
	slices.Sort(ports)
	for _, port := range slices.Compact(ports) {
		l := w.Listen(kerneltest.Server, "tcp4", netip.AddrPortFrom(at, port).String())
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				w.t.Cleanup(func() { _ = c.Close() })
			}
		}()
	}
}

// dataCentre is the last of the server's addresses.
func (w *kernelWorld) dataCentre() netip.Addr { return w.ServerAddr(kerneltest.ServerAddrs - 1) }

// memoryConfig writes the built-in catalogue and gate with addresses of this world.
func (w *kernelWorld) memoryConfig(cfg *config.Config) string {
	w.t.Helper()
	var b bytes.Buffer
	_, _ = fmt.Fprintf(&b, "[consent]\naccepted = \"2026-11-23\"\n[schedule]\ninterval = \"1m\"\njitter = 0\nresidual = \"0s\"\n[network]\nresolver = \"udp://%s:53\"\ntrusted_resolvers = [\"tcp://%s:53\"]\nroot_ca_files = [\"roots.pem\"]\ntimeout = \"5s\"\n[apps]\ncatalogue = [", w.ServerAddr(theResolver), w.ServerAddr(theTrustedResolver))
	for _, app := range cfg.Apps {
		w.write(app.ID+".toml", w.relocated(app))
		_, _ = fmt.Fprintf(&b, "%q, ", app.ID+".toml")
	}
	b.WriteString("]\n")
	for _, c := range cfg.Controls {
		_, _ = fmt.Fprintf(&b, "[[control]]\nhost = %q\noperator = %q\nscope = %q\ncountry = %q\npath = %q\nprobes = [%s]\n", c.Host, c.Operator, c.Scope, c.Country, c.Path, quoted(c.Probes))
	}
	return w.write("telltale.toml", b.String())
}

// relocated is an app's catalogue file with the addresses of this world in place of its own.
func (w *kernelWorld) relocated(app probe.App) string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "[app]\nid = %q\nname = %q\nreviewed = %q\n", app.ID, app.Name, app.Reviewed)
	for _, t := range app.Targets {
		_, _ = fmt.Fprintf(&b, "[[target]]\nid = %q\nwhy = \"as built in\"\nsource = \"as built in\"\npath = %q\nprobes = [%s]\nessential = %t\ngroup = %q\n", t.ID, t.Path, quoted(t.Probes), t.Essential, t.Group)
		if len(t.Hosts) > 0 {
			_, _ = fmt.Fprintf(&b, "hosts = [%s]\n", quoted(t.Hosts))
		} else {
			_, _ = fmt.Fprintf(&b, "addresses = [%q]\n", w.dataCentre())
		}
		_, _ = fmt.Fprintf(&b, "ports = [%s]\n", strings.Join(strings.Fields(strings.Trim(fmt.Sprint(t.Ports), "[]")), ", "))
	}
	return b.String()
}

func quoted[S ~string](in []S) string {
	var out []string
	for _, s := range in {
		out = append(out, strconv.Quote(string(s)))
	}
	return strings.Join(out, ", ")
}

// newKernelWorldOf serves many names, each at one of the server's addresses: one certificate holds all.
func newKernelWorldOf(tb testing.TB, binary string, names []string) *kernelWorld {
	tb.Helper()
	w := &kernelWorld{Lab: kerneltest.New(tb), t: tb, binary: binary, dir: tb.TempDir(), sites: map[string]int{}}
	w.store = filepath.Join(w.dir, "store")
	ca := newKernelCA(tb, filepath.Join(w.dir, "roots.pem"))
	config := ca.serve(tb, time.Now().Add(time.Hour), names...)
	last := kerneltest.ServerAddrs - 1
	served := map[int]bool{}
	for i, name := range names {
		at := firstSite + i%(last-firstSite)
		w.sites[name] = at
		if !served[at] {
			served[at] = true
			w.serveBoth(at, config)
		}
	}
	w.startResolvers()
	return w
}

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/kerneltest"
)

// Censors and broken lines made of firewall rules, a lying dnsmasq and a slow queue: none of them is
// our own code, and the released program must tell them apart, alone and with the word of a reference vantage
// beyond the router. Half of them are innocent.
func TestKernelCensors(t *testing.T) {
	binary := kernelBinary(t)
	for name, test := range map[string]func(*testing.T, *kernelWorld){
		"a name is reset":        kernelReset,
		"a name is dropped":      kernelNameDropped,
		"SYNs are dropped":       kernelSYNDropped,
		"ICMP rejects":           kernelICMP,
		"a lying resolver":       kernelLyingResolver,
		"UDP port 443 is shut":   kernelUDP443,
		"three percent are lost": kernelLoss,
		"64 kbit/s":              kernelSlow,
		"the uplink is down":     kernelUplinkDown,
		"dead IPv6":              kernelDeadIPv6,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newKernelWorld(t, binary))
		})
		t.Run(name+", with a reference", func(t *testing.T) {
			t.Parallel()
			w := newKernelWorld(t, binary)
			w.refer()
			test(t, w)
		})
	}
	t.Run("an expired certificate", func(t *testing.T) {
		t.Parallel()
		kernelExpired(t, newKernelWorld(t, binary, "media.beta.example.net"))
	})
	t.Run("an expired certificate, with a reference", func(t *testing.T) {
		t.Parallel()
		w := newKernelWorld(t, binary, "media.beta.example.net")
		w.refer()
		kernelExpired(t, w)
	})
}

// patient is a config whose steps outlast three lost SYNs, or a page over a modem.
var patient = kernelConfig{Consent: "2026-11-23", Timeout: "8s"}

// The router drops what carries one name in clear, in both families. The silence comes at two
// addresses, after a neutral name passed at each.
func kernelNameDropped(t *testing.T, w *kernelWorld) {
	rule := []string{"-A", "FORWARD", "-p", "tcp", "--dport", "443", "-m", "string", "--algo", "bm", "--string", "chat.alpha.example.net", "-j", "DROP"}
	w.IPTables(rule...)
	w.IP6Tables(rule...)
	found := measurements.LayerVerdict{Layer: measurements.LayerTLS, State: measurements.Blocked, Signature: "tls.timeout.sni", Confidence: measurements.Likely}
	v4, v6 := found, found
	v4.Family, v6.Family = measurements.IPv4, measurements.IPv6
	wantTargets(t, w.onceWith(unanswered), map[string][]measurements.LayerVerdict{"alpha/chat": {v4, v6}})
}

// A server that is down is as silent. A reference that reaches it tells the two apart.
func kernelSYNDropped(t *testing.T, w *kernelWorld) {
	v4, _ := w.addresses("media.beta.example.net")
	w.dropSYNs(v4)
	want := atMedia(measurements.Inconclusive, "tcp.timeout", "")
	if w.reference != "" {
		want = atMedia(measurements.Blocked, "tcp.timeout", measurements.Suspected)
	}
	wantTargets(t, w.onceWith(unanswered), want)
}

// A router prohibits an address. It is the client's own, and the kernel tells: it would be somebody else's will
// otherwise.
func kernelICMP(t *testing.T, w *kernelWorld) {
	v4, _ := w.addresses("media.beta.example.net")
	w.IPTables("-A", "FORWARD", "-d", v4.String(), "-p", "tcp", "-j", "REJECT", "--reject-with", "icmp-admin-prohibited")
	v := w.onceWith(patient)
	wantTargets(t, v, map[string][]measurements.LayerVerdict{"beta/media": {
		{Layer: measurements.LayerTCP, Family: measurements.IPv4, State: measurements.Inconclusive, Signature: "ip.unreachable"},
	}})
	for _, l := range layersOf(t, v, "beta", "media") {
		if l.Signature == measurements.IPUnreachable && !strings.Contains(strings.Join(l.Reasons, " "), "it is a router of this network") {
			t.Errorf("who said so is not told: %q", l.Reasons)
		}
	}
}

// Debian's dnsmasq lies about one name, and asks the honest resolver for the others.
func kernelLyingResolver(t *testing.T, w *kernelWorld) {
	const lies = 8 // of the server's addresses behind those of the sites
	at := w.ServerAddr(firstSite + len(kernelSites) + lies)
	w.dnsmasq(at.String(), "--address=/chat.alpha.example.net/10.10.34.35", "--server="+w.ServerAddr(theResolver).String())
	c := agreed
	c.Resolver = at.String()
	v := w.onceWith(c)
	layers := layersOf(t, v, "alpha", "chat")
	found := false
	for _, l := range layers {
		found = found || l.Layer == measurements.LayerDNS && l.Family == measurements.IPv4 && l.State == measurements.Blocked &&
			l.Signature == "dns.injection.blockpage" && l.Confidence == measurements.Confirmed
		if l.Layer != measurements.LayerDNS && l.State != measurements.OK {
			t.Errorf("at the honest address %s %s is %s %s", l.Layer, l.Family, l.State, l.Signature)
		}
	}
	if !found {
		t.Errorf("the lie is not found: %+v", layers)
	}
	wantOthersOK(t, v, "alpha/chat")
}

// Nothing says whether a router at home or somebody beyond it drops UDP to port 443.
func kernelUDP443(t *testing.T, w *kernelWorld) {
	rule := []string{"-A", "FORWARD", "-p", "udp", "--dport", "443", "-j", "DROP"}
	w.IPTables(rule...)
	w.IP6Tables(rule...)
	v := w.onceAnyLine(unanswered)
	if v.Network.UDP443 == nil || *v.Network.UDP443 {
		t.Error("UDP port 443 is said to work")
	}
	wantNeverBlocked(t, v)
	for _, l := range layersOf(t, v, "alpha", "chat") {
		if l.Layer == measurements.LayerQUIC && l.State == measurements.OK || l.Layer == measurements.LayerTLS && l.State != measurements.OK {
			t.Errorf("%s %s is %s", l.Layer, l.Family, l.State)
		}
	}
}

func kernelLoss(t *testing.T, w *kernelWorld) {
	rule := []string{"-A", "FORWARD", "-m", "statistic", "--mode", "random", "--probability", "0.03", "-j", "DROP"}
	w.IPTables(rule...)
	w.IP6Tables(rule...)
	v := w.onceAnyLine(patient)
	wantNeverBlocked(t, v)
	wantSomeOK(t, v)
}

// A queue of tbf, as a modem or a radio link has one.
func kernelSlow(t *testing.T, w *kernelWorld) {
	for _, link := range []string{"client", "server"} {
		w.Run(kerneltest.Router, "tc", "qdisc", "add", "dev", link, "root", "tbf", "rate", "64kbit", "burst", "4kb", "latency", "2s")
	}
	v := w.onceAnyLine(kernelConfig{Consent: "2026-11-23", Timeout: "20s"})
	wantNeverBlocked(t, v)
	wantSomeOK(t, v)
}

func kernelUplinkDown(t *testing.T, w *kernelWorld) {
	w.RunClient("ip", "link", "set", "uplink", "down")
	v := w.onceAnyLine(agreed)
	if v.Network.State != measurements.Local || v.Network.Signature != "local.offline" {
		t.Errorf("the line is %s %s", v.Network.State, v.Network.Signature)
	}
	wantNeverBlocked(t, v)
}

// IPv6 leaves the home and gets nowhere. Every app works over IPv4.
func kernelDeadIPv6(t *testing.T, w *kernelWorld) {
	w.IP6Tables("-A", "FORWARD", "-j", "DROP")
	v := w.onceAnyLine(unanswered)
	if n := v.Network; n.IPv4 == nil || !*n.IPv4 || n.IPv6 == nil || *n.IPv6 {
		t.Errorf("the line: %+v", n)
	}
	wantNeverBlocked(t, v)
	wantOthersOK(t, v, "")
}

// A server's own mistake: an expired certificate is no interception.
func kernelExpired(t *testing.T, w *kernelWorld) {
	v := w.once()
	wantNeverBlocked(t, v)
	wantOthersOK(t, v, "beta/media")
	for _, l := range layersOf(t, v, "beta", "media") {
		if l.Layer == measurements.LayerTLS && l.State != measurements.Inconclusive {
			t.Errorf("%s %s is %s %s", l.Layer, l.Family, l.State, l.Signature)
		}
	}
}

// onceAnyLine makes a round on a line that need not be well.
func (w *kernelWorld) onceAnyLine(c kernelConfig) measurements.RoundVerdict {
	w.t.Helper()
	p := w.start(w.configure(c), "once", "--format=json")
	if code := p.code(w.t, kernelPatience); code != exitDone {
		w.t.Fatalf("exit %d: %s", code, p.err.String())
	}
	var v measurements.RoundVerdict
	if err := json.Unmarshal(p.out.Bytes(), &v); err != nil {
		w.t.Fatalf("%v: %s", err, p.out.String())
	}
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("%s", p.out.String())
		}
	})
	return v
}

// dnsmasq runs Debian's on one of the server's addresses until the test ends.
func (w *kernelWorld) dnsmasq(at string, args ...string) {
	w.t.Helper()
	path, err := exec.LookPath("dnsmasq")
	if err != nil {
		if os.Getenv(kerneltest.Require) == "require" {
			w.t.Fatal(err)
		}
		w.t.Skip(err)
	}
	cmd := exec.Command(path, append([]string{
		"--keep-in-foreground", "--no-resolv", "--no-hosts", "--bind-interfaces", "--port=53", "--conf-file=/dev/null", "--user=root",
		"--pid-file=" + filepath.Join(w.dir, "dnsmasq.pid"), "--listen-address=" + at,
	}, args...)...)
	var said strings.Builder
	cmd.Stderr = &said
	w.Do(kerneltest.Server, func() {
		if err := cmd.Start(); err != nil {
			w.t.Fatal(err)
		}
	})
	w.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(kernelPatience); ; time.Sleep(20 * time.Millisecond) {
		if c, err := w.Dial(w.t.Context(), "tcp4", at+":53"); err == nil {
			_ = c.Close()
			return
		} else if time.Now().After(deadline) {
			w.t.Fatalf("dnsmasq does not answer: %v; it says: %s", err, said.String())
		}
	}
}

func layersOf(t *testing.T, v measurements.RoundVerdict, app, target string) []measurements.LayerVerdict {
	t.Helper()
	for _, a := range v.Apps {
		for _, tv := range a.Targets {
			if a.App == app && tv.Target == target {
				return tv.Layers
			}
		}
	}
	t.Fatalf("nothing is said of %s/%s", app, target)
	return nil
}

// wantNeverBlocked is what innocent trouble must give: no block of any app, at any confidence.
func wantNeverBlocked(t *testing.T, v measurements.RoundVerdict) {
	t.Helper()
	for _, a := range v.Apps {
		if a.State == measurements.Blocked || a.State == measurements.Partial {
			t.Errorf("%s is %s", a.App, a.State)
		}
		for _, target := range a.Targets {
			for _, l := range target.Layers {
				if l.State == measurements.Blocked || l.State == measurements.Throttled {
					t.Errorf("%s/%s is said to be %s: %s %s: %v", a.App, target.Target, l.State, l.Signature, l.Confidence, l.Reasons)
				}
			}
		}
	}
}

// wantSomeOK makes sure that something was measured, and came through.
func wantSomeOK(t *testing.T, v measurements.RoundVerdict) {
	t.Helper()
	for _, a := range v.Apps {
		for _, target := range a.Targets {
			if slices.ContainsFunc(target.Layers, func(l measurements.LayerVerdict) bool {
				return l.State == measurements.OK && l.Layer != measurements.LayerDNS
			}) {
				return
			}
		}
	}
	t.Errorf("nothing came through: %+v", v.Network)
}

// wantOthersOK makes sure that every target but one is ok, and that there are any.
func wantOthersOK(t *testing.T, v measurements.RoundVerdict, but string) {
	t.Helper()
	seen := 0
	for _, a := range v.Apps {
		for _, target := range a.Targets {
			if id := a.App + "/" + target.Target; id != but {
				seen++
				if target.State != measurements.OK {
					t.Errorf("%s is %s", id, target.State)
				}
			}
		}
	}
	if seen < 3 {
		t.Errorf("%d targets", seen)
	}
}

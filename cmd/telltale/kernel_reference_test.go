package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/web"
	"github.com/telltale-probe/telltale/probe/kerneltest"
)

// Two of the released program: one behind the router, one beyond it, where nothing is filtered. What the
// first can't reach is blocked, down, or not known, by what the second says.
func TestKernelReference(t *testing.T) {
	binary := kernelBinary(t)
	for name, test := range map[string]func(*testing.T, *kernelWorld){
		"the site is down for the reference as well":   kernelDownForBoth,
		"SYNs are dropped on the way to the reference": kernelReferenceUnreachable,
		"the reference is another than was configured": kernelReferenceOfOthers,
		"a name is dropped, at the helper as well":     kernelNameDroppedAtHelper,
		"a name is dropped, but not at the helper":     kernelNamePassesAtHelper,
		"a name is dropped, and the helper is silent":  kernelHelperSilent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newKernelWorld(t, binary))
		})
	}
}

// referencePort is where the reference serves, at the resolver's address.
const referencePort = 9877

func (w *kernelWorld) referenceAt() netip.AddrPort {
	return netip.AddrPortFrom(w.ServerAddr(theResolver), referencePort)
}

// startReference runs the program beyond the router until the test ends, waits for its first round, and
// gives the key that `check` prints.
func (w *kernelWorld) startReference(settings ...string) (publicKey string) {
	w.t.Helper()
	dir := filepath.Join(w.dir, "reference")
	config, err := os.ReadFile(w.configure(unanswered))
	if err != nil {
		w.t.Fatal(err)
	}
	file := w.write("reference.toml", string(config)+"\n[reference]\nserve = true\n"+strings.Join(settings, "\n"))
	flags := []string{"--config.file=" + file, "--store.path=" + dir, "--web.listen-address=" + w.referenceAt().String()}
	cmd := exec.Command(w.binary, append(flags, "run")...)
	w.Do(kerneltest.Server, func() {
		if err := cmd.Start(); err != nil {
			w.t.Fatal(err)
		}
	})
	w.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(kernelPatience); !w.referenceAnswers(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatal("the reference has no answer")
		}
	}
	out, err := exec.Command(w.binary, append(flags, "check")...).Output()
	key := regexp.MustCompile(`public_key = "([^"]+)"`).FindSubmatch(out)
	if err != nil || key == nil {
		w.t.Fatalf("check names no key: %v\n%s", err, out)
	}
	return string(key[1])
}

// referenceAnswers asks as anybody on the client can.
func (w *kernelWorld) referenceAnswers() bool {
	dial := func(ctx context.Context, _, address string) (net.Conn, error) { return w.Dial(ctx, "tcp4", address) }
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	resp, err := client.Get("http://" + w.referenceAt().String() + web.ReferencePath)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// refer starts a reference, and lets the rounds of this world ask it.
func (w *kernelWorld) refer() { w.reference = w.startReference() }

// asks are the settings with which the reference is asked.
func (w *kernelWorld) asks(publicKey string) string {
	return "\n[reference]\nurl = \"http://" + w.referenceAt().String() + web.ReferencePath + "\"\npublic_key = \"" + publicKey + "\"\n"
}

// onceAsking makes a round that asks the reference.
func (w *kernelWorld) onceAsking(publicKey string, settings ...string) measurements.RoundVerdict {
	w.t.Helper()
	config, err := os.ReadFile(w.configure(unanswered))
	if err != nil {
		w.t.Fatal(err)
	}
	file := w.write("asking.toml", string(config)+w.asks(publicKey)+strings.Join(settings, "\n"))
	p := w.start(file, "once", "--format=json")
	if code := p.code(w.t, kernelPatience); code != exitDone {
		w.t.Fatalf("exit code %d\n%s", code, p.err.String())
	}
	var v measurements.RoundVerdict
	if err := json.Unmarshal(p.out.Bytes(), &v); err != nil {
		w.t.Fatalf("%v\n%s", err, p.out.String())
	}
	return v
}

func (w *kernelWorld) dropSYNs(to netip.Addr) {
	w.IPTables("-A", "FORWARD", "-d", to.String(), "-p", "tcp", "--syn", "-j", "DROP")
}

func atMedia(s measurements.State, sig measurements.Signature, c measurements.Confidence) map[string][]measurements.LayerVerdict {
	return map[string][]measurements.LayerVerdict{"beta/media": {{Layer: measurements.LayerTCP, Family: measurements.IPv4, State: s, Signature: sig, Confidence: c}}}
}

// The server's own firewall takes no connection there, whoever asks.
func kernelDownForBoth(t *testing.T, w *kernelWorld) {
	v4, _ := w.addresses("media.beta.example.net")
	w.Run(kerneltest.Server, "sh", "-c", "$(command -v iptables-legacy || command -v iptables) -w -A INPUT -d "+v4.String()+" -p tcp --syn -j DROP")
	wantTargets(t, w.onceAsking(w.startReference()), atMedia(measurements.Down, "", ""))
}

func kernelReferenceUnreachable(t *testing.T, w *kernelWorld) {
	key := w.startReference()
	v4, _ := w.addresses("media.beta.example.net")
	w.dropSYNs(v4)
	w.dropSYNs(w.referenceAt().Addr())
	wantTargets(t, w.onceAsking(key), atMedia(measurements.Inconclusive, "tcp.timeout", ""))
}

func kernelReferenceOfOthers(t *testing.T, w *kernelWorld) {
	_ = w.startReference()
	v4, _ := w.addresses("media.beta.example.net")
	w.dropSYNs(v4)
	wantTargets(t, w.onceAsking("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), atMedia(measurements.Inconclusive, "tcp.timeout", ""))
}

// helperAt is where the reference is a helper, too: filters look at port 443.
func (w *kernelWorld) helperAt() netip.AddrPort {
	return netip.AddrPortFrom(w.ServerAddr(theResolver), 443)
}

func (w *kernelWorld) startHelper() (publicKey string) {
	at := w.helperAt().String()
	return w.startReference(`helper_listen = "`+at+`"`, `helper_addresses = ["`+at+`"]`)
}

// dropName drops hellos with one app's name over IPv4 alone: silence at one address, once.
func (w *kernelWorld) dropName(also ...string) {
	w.IPTables(append([]string{"-A", "FORWARD", "-p", "tcp", "--dport", "443", "-m", "string", "--algo", "bm", "--string", "chat.alpha.example.net", "-j", "DROP"}, also...)...)
}

func atChat(c measurements.Confidence) map[string][]measurements.LayerVerdict {
	return map[string][]measurements.LayerVerdict{"alpha/chat": {{Layer: measurements.LayerTLS, Family: measurements.IPv4, State: measurements.Blocked, Signature: "tls.timeout.sni", Confidence: c}}}
}

func kernelNameDroppedAtHelper(t *testing.T, w *kernelWorld) {
	key := w.startHelper()
	w.dropName()
	wantTargets(t, w.onceAsking(key), atChat(measurements.Suspected)) // control X is off by default
	v := w.onceAsking(key, "control_x = true")
	wantTargets(t, v, atChat(measurements.Likely))
	if said, err := json.Marshal(v); err != nil || !strings.Contains(string(said), "the name alone triggers") {
		t.Errorf("it is likely for another reason: %s (%v)", said, err)
	}
}

func kernelNamePassesAtHelper(t *testing.T, w *kernelWorld) {
	key := w.startHelper()
	v4, _ := w.addresses("chat.alpha.example.net")
	w.dropName("-d", v4.String())
	wantTargets(t, w.onceAsking(key, "control_x = true"), atChat(measurements.Suspected))
}

func kernelHelperSilent(t *testing.T, w *kernelWorld) {
	key := w.startHelper()
	w.dropName()
	w.IPTables("-A", "FORWARD", "-d", w.helperAt().Addr().String(), "-p", "tcp", "--dport", "443", "-j", "DROP")
	wantTargets(t, w.onceAsking(key, "control_x = true"), atChat(measurements.Suspected))
}

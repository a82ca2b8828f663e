package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/telltale-probe/telltale/measurements/ooni/oonitest"
	"github.com/telltale-probe/telltale/measurements/web"
	"github.com/telltale-probe/telltale/probe/kerneltest"
)

// The running daemon serves its evidence to this machine, and to nobody on the network; it is what export
// writes beside it, it is OONI's data format where real sockets were measured too, and it is judged the same.
func kernelRecords(t *testing.T, w *kernelWorld) {
	rule := []string{"-A", "FORWARD", "-p", "tcp", "--dport", "443", "-m", "string", "--algo", "bm", "--string", "chat.alpha.example.net", "-j", "REJECT", "--reject-with", "tcp-reset"}
	w.IPTables(rule...)
	w.IP6Tables(rule...)
	config := w.configure(agreed)
	p := w.start(config, "--web.listen-address=0.0.0.0:9877", "run")
	p.until(t, "a round is kept", func() bool { return len(w.evidence("verdicts")) > 0 })

	code, evidence := w.fetch("127.0.0.1", web.MeasurementsPath+"?since=1h&limit=3")
	if code != http.StatusOK {
		t.Fatalf("%d: %s", code, evidence)
	}
	var format oonitest.Checker
	for line := range strings.Lines(evidence) {
		for _, bad := range format.Check([]byte(strings.TrimSuffix(line, "\n"))) {
			t.Error(bad)
		}
	}
	code, said := w.fetch("127.0.0.1", web.VerdictsPath)
	if code != http.StatusOK || strings.Count(said, "\n") != 1 || !strings.Contains(said, `"tls.reset.sni"`) {
		t.Errorf("%d: %s", code, said)
	}
	for what, want := range map[string]string{"--format=ooni": evidence, "--format=json": said} {
		if diff := cmp.Diff(want, string(w.output(nil, "--config.file="+config, "--store.path="+w.store, "export", what))); diff != "" {
			t.Errorf("%s beside the daemon (-API +export):\n%.2000s", what, diff)
		}
	}
	if out := w.output([]byte(evidence+said), "judge", "-"); !bytes.HasPrefix(out, []byte("1 rounds judged: 1 same, ")) {
		t.Errorf("%s", out)
	}
	for _, path := range []string{web.MeasurementsPath, web.VerdictsPath} {
		if code, body := w.fetch(w.ownAddress(), path); code != http.StatusForbidden || !strings.Contains(body, "basic_auth_users") {
			t.Errorf("by the address on the network: %d %.200s", code, body)
		}
	}
	if code := p.terminate(t); code != exitDone {
		t.Errorf("exit %d: %s", code, p.err.String())
	}
}

// fetch asks the client's own daemon, from the client.
func (w *kernelWorld) fetch(host, path string) (code int, body string) {
	w.t.Helper()
	client := http.Client{Timeout: kernelPatience, Transport: &http.Transport{DialContext: w.Dial, DisableKeepAlives: true}}
	r, err := client.Get("http://" + net.JoinHostPort(host, "9877") + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// ownAddress is the client's on its network.
func (w *kernelWorld) ownAddress() (own string) {
	w.t.Helper()
	w.Do(kerneltest.Client, func() {
		addresses, err := net.InterfaceAddrs()
		if err != nil {
			w.t.Fatal(err)
		}
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() && !p.Addr().IsLoopback() {
				own = p.Addr().String()
			}
		}
	})
	return own
}

// output is what the program prints, which must succeed.
func (w *kernelWorld) output(stdin []byte, args ...string) []byte {
	w.t.Helper()
	cmd := exec.Command(w.binary, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("%v: %v", args, err)
	}
	return out
}

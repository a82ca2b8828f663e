package main

import (
	"bytes"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/kerneltest"
	"github.com/telltale-probe/telltale/probe/privacy"
)

// garbageOf lets the collector of garbage come less often, which saves a tenth of the package's time: of what emulated
// internets leave behind, little is kept. Chosen by us.
const garbageOf = 400

// itself, in the environment, makes the tests' own binary the program: a process of its own that need not be built.
const itself = "TELLTALE_TEST_ITSELF"

func TestMain(m *testing.M) {
	if os.Getenv(itself) != "" {
		main()
	}
	probe.DisableScrambling()
	debug.SetGCPercent(garbageOf)
	if os.Getenv(kerneltest.Require) == "" { // those that are parallel are demos, which wait for real time
		_ = flag.Set("test.parallel", "4")
	}
	code := m.Run()
	demo.forget()
	os.Exit(code)
}

// telltale runs the program in this process, with a home of its own.
func telltale(t *testing.T, stdin string, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(args, terminal{strings.NewReader(stdin), &stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

// The exit code and the words are the contract: 1 could not measure, 2 wrong usage or config.
func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("HOME", dir)
	broken := filepath.Join(dir, "broken.toml")
	if err := os.WriteFile(broken, []byte("[schedule]\ninterval = \"fast\"\nparallel = 0\nnonsense = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	idle := filepath.Join(dir, "idle.toml")
	for file, text := range map[string]string{idle: "[apps]\ncatalogue = [\"app.toml\"]\n", filepath.Join(dir, "app.toml"): "[app]\nid = \"idle\"\n[[target]]\nid = \"web\"\nhost = \"www.example.com\"\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		out  string
		errs []string
	}{
		{"version", []string{"version"}, exitDone, "rules " + measurements.RulesVersion, nil},
		{"help", []string{"--help"}, exitDone, "Measure for as long as it runs", nil},
		{"check without a file", []string{"check"}, exitDone, "fine: 4 apps", nil},
		{"the catalogue", []string{"catalogue"}, exitDone, "web.telegram.org", nil},
		{"the catalogue's neutral names", []string{"catalogue", "--app=messenger"}, exitDone, "neutral: stun.cloudflare.com", nil},
		{"an app that is off by default", []string{"catalogue", "--app=signal"}, exitDone, "signal (Signal): not enabled", nil},
		{"no such app", []string{"catalogue", "--app=nothing"}, exitUsage, "", []string{"no such app; there are", "signal"}},
		{"an app of a file that is not enabled", []string{"--config.file=" + idle, "catalogue", "--app=idle"}, exitUsage, "", []string{"apps.enabled"}},
		{"the catalogue's bytes", []string{"catalogue", "--bytes", "--app=line"}, exitDone, "X-Lpv: 1", nil},
		{"the scenarios", []string{"lab", "list"}, exitDone, "innocent-captive-portal", nil},
		{"one scenario", []string{"lab", "run", "tls-reset-by-name"}, exitDone, "right", nil},
		{"the matrix as JSON", []string{"lab", "matrix", "--app=signal", "--format=json"}, exitDone, `"wrong": 0`, nil},
		{"the matrix as Markdown", []string{"lab", "matrix", "--app=signal", "--format=markdown"}, exitDone, "| signal-by-name |", nil},
		{"no such app in the matrix", []string{"lab", "matrix", "--app=nothing"}, exitUsage, "", []string{"--app=nothing: no such app; there are", "signal"}},
		{"a wrong format of the matrix", []string{"lab", "matrix", "--format=xml"}, exitUsage, "", []string{"markdown"}},
		{"no such scenario", []string{"lab", "run", "nothing"}, exitUsage, "", []string{"no scenario"}},
		{"no command", nil, exitUsage, "", []string{"expected one of"}},
		{"a wrong flag", []string{"once", "--fromat=json"}, exitUsage, "", []string{"unknown flag"}},
		{"a wrong format", []string{"once", "--format=xml"}, exitUsage, "", []string{"table"}},
		{"a missing file", []string{"--config.file=" + filepath.Join(dir, "none.toml"), "check"}, exitUsage, "", []string{"none.toml"}},
		{"all mistakes at once", []string{"--config.file=" + broken, "check"}, exitUsage, "", []string{"broken.toml:2: schedule.interval", "broken.toml:3: schedule.parallel", "broken.toml:4: schedule.nonsense"}},
		{"no port to listen on", []string{"--web.listen-address=127.0.0.1:99999", "run"}, exitUsage, "", []string{"99999", "a port up to 65535"}},
		{"no address to listen on", []string{"--web.listen-address=nonsense", "run"}, exitUsage, "", []string{"--web.listen-address", "nonsense", "host:port"}},
		{"nor in check", []string{"--web.listen-address=nonsense", "check"}, exitUsage, "", []string{"--web.listen-address"}},
		{"nor in the demo", []string{"--web.listen-address=nonsense", "demo", "--once"}, exitUsage, "", []string{"--web.listen-address"}},
		{"no web config", []string{"--web.config.file=" + filepath.Join(dir, "none.yml"), "run"}, exitUsage, "", []string{"--web.config.file", "none.yml"}},
		{"a wrong web config", []string{"--web.config.file=" + broken, "run"}, exitUsage, "", []string{"--web.config.file"}},
		{"nor in check, with the file's mistakes", []string{"--config.file=" + broken, "--web.config.file=" + broken, "check"}, exitUsage, "", []string{"--web.config.file", "broken.toml:2: schedule.interval"}},
		{"an app that is not enabled", []string{"--config.file=" + idle, "check"}, exitDone, "note: idle, of a file in apps.catalogue, is not named in apps.enabled and is not measured", nil},
		{"consent for a folder that is not there", []string{"--config.file=" + filepath.Join(dir, "none", "x.toml"), "consent", "--accept"}, exitUsage, "", []string{"folder"}},
		{"once without consent", []string{"once"}, exitCould, "", []string{"consent"}},
		{"once of no such app, without consent", []string{"once", "--app=nothing"}, exitUsage, "", []string{"no such app"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errs := telltale(t, "", c.args...)
			if code != c.code {
				t.Errorf("exit code %d, want %d\n%s%s", code, c.code, out, errs)
			}
			if !strings.Contains(out, c.out) {
				t.Errorf("stdout lacks %q:\n%s", c.out, out)
			}
			for _, want := range c.errs {
				if !strings.Contains(errs, want) {
					t.Errorf("stderr lacks %q:\n%s", want, errs)
				}
			}
		})
	}
}

// Consent is asked for in words, and recorded only for a yes.
func TestConsent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "telltale.toml")
	if code, out, _ := telltale(t, "no\n", "--config.file="+file, "consent"); code != exitDone || !strings.Contains(out, "Nothing was recorded") {
		t.Errorf("no: exit %d\n%s", code, out)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a no was recorded")
	}
	if code, out, errs := telltale(t, "yes\n", "--config.file="+file, "consent"); code != exitDone || !strings.Contains(out, "Recorded in") || !strings.Contains(out, "next start or reload") {
		t.Errorf("yes: exit %d\n%s%s", code, out, errs)
	}
	if data, err := os.ReadFile(file); err != nil || !strings.Contains(string(data), "accepted = ") {
		t.Errorf("a yes was not recorded: %v", err)
	}
}

// demo --once shows all four apps, blocked in at least four layers and some of them ok.
func TestDemoOnce(t *testing.T) {
	_, out := demoed(t)
	for _, want := range []string{
		"telegram: partial", "whatsapp: partial", "line: ok", "instagram: ", "/metrics", "blocked: tls.reset.sni, likely",
		"blocked: dns.injection.blockpage, confirmed", "blocked: tcp.refused, likely", "blocked: quic.timeout.sni",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the table lacks %q:\n%s", want, out)
		}
	}
	for line := range strings.Lines(out) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > tableWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// A port that somebody else has ends the daemon before it has measured anything.
func TestRunListensFirst(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	measured, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = measured.Close() }()
	_, port, _ := net.SplitHostPort(measured.Addr().String())
	file := filepath.Join(dir, "telltale.toml")
	for name, text := range map[string]string{
		"telltale.toml": "[consent]\naccepted = \"2026-11-23\"\n[network]\nresolver = \"udp://127.0.0.1:" + port + "\"\ntrusted_resolvers = []\n" +
			"[apps]\nenabled = [\"own\"]\ncatalogue = [\"own.toml\"]\n" +
			"[[control]]\nhost = \"www.example.com\"\noperator = \"nobody\"\naddresses = [\"127.0.0.1\"]\n",
		"own.toml": "[app]\nid = \"own\"\n[[target]]\nid = \"web\"\naddresses = [\"127.0.0.1\"]\nport = " + port + "\nprobes = [\"tcp\"]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, _, errs := telltale(t, "", "--config.file="+file, "--store.path="+filepath.Join(dir, "store"), "--web.listen-address="+taken.Addr().String(), "run")
	if code != exitCould || !strings.Contains(errs, "address already in use") {
		t.Errorf("exit %d: %s", code, errs)
	}
	_ = measured.(*net.TCPListener).SetDeadline(time.Now())
	if _, err := measured.Accept(); err == nil {
		t.Error("it measured before it listened")
	}
	if strings.Contains(errs, "round judged") {
		t.Errorf("a round was made: %s", errs)
	}
}

// What a peer makes a library say reaches nobody who has not asked for it, and then in a line, without addresses.
func TestLibrariesAreQuiet(t *testing.T) {
	for _, level := range []string{"info", "debug"} {
		var out bytes.Buffer
		to := libraryLog{(&cli{LogLevel: level, LogFormat: "json"}).loggerOf(&privacy.Writer{To: &out, Own: probe.Host{}.OwnNow})}
		if n, err := fmt.Fprintf(to, "Unsolicited response on idle HTTP channel starting with \"from 192.0.2.7\\x1b[2J\x1b%s\"; err=<nil>\n", strings.Repeat("x", 1<<20)); err != nil || n < 1<<20 {
			t.Errorf("%d, %v", n, err)
		}
		got := out.String()
		if level == "info" && got != "" || level == "debug" && (len(got) > 500 || !strings.Contains(got, "Unsolicited") || strings.Contains(got, "192.0.2.7") || strings.Contains(got, "\x1b")) {
			t.Errorf("%s: %q", level, got)
		}
	}
}

// What is contacted and sent fits a terminal, and a text of two lines does not say its label twice: that reads like two.
func TestCatalogueFitsATerminal(t *testing.T) {
	_, list, _ := telltale(t, "", "catalogue")
	label := ""
	for line := range strings.Lines(list + bytesNote) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > tableWidth {
			t.Errorf("%d columns: %s", n, line)
		}
		word, _, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if word == label && (word == "proof" || word == "why" || word == "source") {
			t.Errorf("%q is said again: %s", label, line)
		}
		label = word
	}
}

// TestCatalogueOfAnybody: a file of somebody else's can't write what makes a terminal do things.
func TestCatalogueOfAnybody(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"own.toml": "[app]\nid = \"own\"\nname = \"\\u001b[2JOwn\"\n[[target]]\nid = \"web\"\nhost = \"www.example.com\"\nwhy = \"\\u009b31m\\u202ewhy\"\nsource = \"\\u001b]0;title\\u0007\"\n",
		"t.toml":   "[apps]\nenabled = [\"own\"]\ncatalogue = [\"own.toml\"]\n[[control]]\nhost = \"www.example.org\"\noperator = \"\\u001b[31mIANA\"\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, out, errs := telltale(t, "", "--config.file="+filepath.Join(dir, "t.toml"), "catalogue")
	if code != exitDone || !strings.Contains(out, "own (\ufffd[2JOwn)") {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	for _, r := range out {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%U on the terminal", r)
		}
	}
}

package config_test

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/config/catalogue"
	"github.com/telltale-probe/telltale/config/strict"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
)

// TestDocumentationIsTheDefault holds telltale.toml to what it says: it names the defaults.
func TestDocumentationIsTheDefault(t *testing.T) {
	got, err := config.Load("telltale.toml")
	if err != nil {
		t.Fatal(err)
	}
	if want := config.Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("telltale.toml is not the default:\n%+v\n%+v", got, want)
	}
}

// TestEveryKeyIsDocumented takes the keys from the reader itself, which lists them when it meets one
// that it does not know.
func TestEveryKeyIsDocumented(t *testing.T) {
	text, err := os.ReadFile("telltale.toml")
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.ReplaceAll(string(text), "\n#   ", "\n") // [[control]] is there as an example
	for _, section := range []string{"[consent]", "[vantage]", "[schedule]", "[network]", "[apps]", "[[control]]", "[reference]", "[store]", "[web]", "[push]", "[push.evidence]"} {
		_, err := config.Parse("f", []byte(section+"\nno_such_key = 1\n"))
		_, known, ok := strings.Cut(err.Error(), "known here: ")
		if !ok {
			t.Fatalf("%s: %v", section, err)
		}
		known, _, _ = strings.Cut(known, "\n")
		_, part, ok := strings.Cut(plain, "\n"+section)
		if !ok {
			t.Fatalf("%s is not documented", section)
		}
		part, _, _ = strings.Cut(part, "\n[")
		for _, key := range strings.Split(known, ", ") {
			table := strings.TrimSuffix(section, "]") + "." + key + "]"
			if !strings.Contains(part, "\n"+key+" = ") && !strings.Contains(plain, "\n"+table) {
				t.Errorf("%s %s is not documented", section, key)
			}
		}
	}
}

// TestDefaults pins the values of the contract, apart from the file that documents them.
func TestDefaults(t *testing.T) {
	c := config.Default()
	if !c.Consent.IsZero() || c.System != nil || c.Reference.URL != "" || c.Reference.Serve || c.StorePath != "" {
		t.Errorf("something is on that must be off: %+v", c)
	}
	if c.Interval != 15*time.Minute || c.Jitter != 0.5 || c.Parallel != 8 || c.DailyBudget != 100<<20 || c.Residual != 10*time.Minute || c.Timeout != 10*time.Second {
		t.Errorf("schedule: %+v", c)
	}
	if c.Retention != 90*24*time.Hour || c.MaxSize != 500_000_000 || c.Listen != "127.0.0.1:9877" || c.Vantage != (measurements.Vantage{Country: "ZZ"}) {
		t.Errorf("store, web, vantage: %+v", c)
	}
	var ids []string
	for _, a := range c.Apps {
		ids = append(ids, a.ID)
	}
	if strings.Join(ids, " ") != "telegram whatsapp line instagram" || c.CatalogueHash != catalogue.Hash(c.Apps) {
		t.Errorf("apps %v, hash %s", ids, c.CatalogueHash)
	}
	if len(c.Trusted) != 3 || c.Trusted[0].URL != "https://dns.quad9.net/dns-query" || len(c.Trusted[0].Addresses) != 3 || c.Trusted[2].URL != "tcp://8.8.8.8:53" {
		t.Errorf("trusted: %+v", c.Trusted)
	}
}

// The sequential test's bounds, and the metrics, are made for so many targets (measurements.BoundedTargets).
func TestDefaultsAreWithinTheBounds(t *testing.T) {
	n := len(config.Default().Placebo.Targets)
	for _, app := range config.Default().Apps {
		n += len(app.Targets)
	}
	if n > measurements.BoundedTargets || n < measurements.BoundedTargets/2 {
		t.Errorf("the default catalogue and the placebos have %d targets, the bounds are made for %d", n, measurements.BoundedTargets)
	}
}

// TestBuiltinGate gives the embedded list to the reader as a file of its own, which checks it fully.
func TestBuiltinGate(t *testing.T) {
	c, err := config.Load("controls.toml")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c.Controls, config.Default().Controls) {
		t.Error("the default gate is not controls.toml")
	}
	operators, pinned := map[string]bool{}, 0
	for _, n := range c.Controls {
		operators[n.Operator] = true
		if n.Scope != "foreign" {
			t.Errorf("%s: scope %q", n.Host, n.Scope)
		}
		if len(n.Addresses) > 0 {
			pinned++
		}
	}
	if len(operators) < 5 || pinned < 2 {
		t.Errorf("%d operators, %d hosts with addresses", len(operators), pinned)
	}
}

func TestValues(t *testing.T) {
	c, err := config.Parse("f", []byte(`
[consent]
accepted = "2026-11-23"
[schedule]
jitter = 1
daily_budget = "0"
[network]
resolver = "udp://[2001:db8::53]:53"
trusted_resolvers = []
ip_families = ["ipv6"]
[apps]
enabled = ["line"]
[[control]]
host = "www.example.com"
operator = "IANA"
scope = "domestic"
country = "DE"
[web]
listen = "[::1]:9877"
`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Consent != time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC) || c.Jitter != 1 || c.DailyBudget != 0 || len(c.Trusted) != 0 {
		t.Errorf("%+v", c)
	}
	if c.System == nil || c.System.URL != "udp://[2001:db8::53]:53" || len(c.Families) != 1 || c.Families[0] != "ipv6" || len(c.Apps) != 1 {
		t.Errorf("%+v", c)
	}
	want := probe.Control{Host: "www.example.com", Operator: "IANA", Scope: "domestic", Country: "DE", Path: "/", Probes: []probe.Probe{probe.ProbeHTTPS}}
	if len(c.Controls) != 1 || !reflect.DeepEqual(c.Controls[0], want) {
		t.Errorf("controls %+v", c.Controls)
	}
}

// TestOwnCatalogue replaces a built-in app by a file, and adds another.
func TestOwnCatalogue(t *testing.T) {
	dir := t.TempDir()
	write := func(name, id string) string {
		path := filepath.Join(dir, name)
		text := "[app]\nid = \"" + id + "\"\nreviewed = \"2026-11-23\"\n[[target]]\nid = \"t\"\nwhy = \"w\"\nsource = \"s\"\naddresses = [\"192.0.2.1\"]\nprobes = [\"tcp\"]\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return filepath.ToSlash(path)
	}
	text := "[apps]\nenabled = [\"line\", \"own\"]\ncatalogue = ['" + write("a.toml", "line") + "', '" + write("b.toml", "own") + "']\n"
	c, err := config.Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Apps) != 2 || len(c.Apps[0].Targets) != 1 || c.Apps[1].Targets[0].Addresses[0] != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("%+v", c.Apps)
	}
	_, err = config.Parse("f", []byte("[apps]\ncatalogue = ['"+filepath.ToSlash(filepath.Join(dir, "none.toml"))+"']\n"))
	var mistakes strict.Errors
	if !errors.As(err, &mistakes) || len(mistakes) != 1 || mistakes[0].Line != 2 {
		t.Errorf("a missing catalogue: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join("testdata", "*.toml"))
	for _, file := range append(files, "telltale.toml", "controls.toml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(string(data), "catalogue") || strings.Contains(string(data), "_file") || strings.Contains(string(data), `\`) {
			t.Skip("names files") // the fuzzer must not open what it makes up
		}
		c, err := config.Parse("f", data)
		if (c == nil) == (err == nil) {
			t.Fatalf("Config %v, error %v", c != nil, err)
		}
		if err == nil && (c.Interval < time.Minute || c.Timeout < time.Second || c.Parallel < 1 || len(c.Families) == 0 || len(c.Controls) == 0 || !(c.Jitter >= 0 && c.Jitter <= 1)) {
			t.Fatalf("out of bounds: %+v", c)
		}
	})
}

// A service starts in another folder than the shell that wrote the config: what it names lies beside it.
func TestFilesLieBesideTheConfig(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"own.toml": "[app]\nid = \"own\"\nreviewed = \"2026-11-23\"\n[[target]]\nid = \"t\"\nwhy = \"w\"\nsource = \"s\"\naddresses = [\"192.0.2.1\"]\nprobes = [\"tcp\"]\n",
		"c.toml":   "[apps]\nenabled = [\"own\"]\ncatalogue = [\"own.toml\"]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "c.toml"))
	if err != nil || len(c.Apps) != 1 || c.Apps[0].ID != "own" {
		t.Errorf("%v, %+v", err, c)
	}
}

// Every built-in target is asked for more than a connection, which anybody can accept.
func TestEveryTargetProvesMoreThanTCP(t *testing.T) {
	apps := append(config.Default().Apps, config.More()...)
	targets := 0
	for _, a := range apps {
		for i := range a.Targets {
			targets++
			if proof := a.Targets[i].Proof(); strings.HasPrefix(proof, "none") {
				t.Errorf("%s/%s: %s", a.ID, a.Targets[i].ID, proof)
			}
		}
	}
	if bare := (&probe.Target{Probes: []probe.Probe{probe.ProbeTCP}}).Proof(); !strings.HasPrefix(bare, "none") {
		t.Errorf("a connection alone proves %q", bare)
	}
	if targets < 30 {
		t.Errorf("only %d targets", targets)
	}
}

// TestRootsWithoutAnEnd reads no more of a device than tells that it is too large.
func TestRootsWithoutAnEnd(t *testing.T) {
	const endless = "/dev/zero"
	if _, err := os.Stat(endless); err != nil {
		t.Skip("this system has no such device")
	}
	_, err := config.Parse("f", []byte("[network]\nroot_ca_files = [\""+endless+"\"]\n"))
	if want := "f:2: network.root_ca_files: " + endless + ": larger than 1048576 bytes"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

package catalogue_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/telltale-probe/telltale/config/catalogue"
	"github.com/telltale-probe/telltale/probe"
)

// want is the built-in catalogue by role: what other packages, and evidence already kept, rely on.
// A target is "id probe ports essential group".
var want = map[string]string{
	"telegram": `dc1 mtproto 443,80,5222 true
dc2 mtproto 443,80,5222 true
dc3 mtproto 443,80,5222 true
dc4 mtproto 443,80,5222 true
dc5 mtproto 443,80,5222 true
web https 443 true
web-ws wss 443 false
link https 443 false
api https 443 false`,
	"whatsapp": `chat whatsapp 443,5222 true chat
chat-g whatsapp 443,5222 true chat
web https 443 true
web-chat wss 443 false
registration https 443 true
static https 443 false
media https 443 true
web-quic h3 443 false`,
	"line": `gateway legy 443 true gateway
gateway-2 legy 443 true gateway
api https 443 false
access https 443 false
web https 443 false
media https 443 true
static https 443 false`,
	"instagram": `web https 443 true
api https 443 true
graph https 443 false
chat wss 443 false
cdn https 443 true
static https 443 false
web-quic h3 443 false
cdn-quic h3 443 false`,
	"signal": `chat https 443 true
storage https 443 false
contacts tls 443 false
cdn https 443 false
cdn-2 https 443 false
calls https 443 false`,
	"messenger": `web https 443 true
api https 443 true
graph https 443 false
mqtt tls 443 true
chat wss 443 false
gateway wss 443 false
cdn https 443 false
stun stun 3478 false
web-quic h3 443 false`,
	"x": `web https 443 true
web-old https 443 false
api https 443 true
links https 443 false
static https 443 false
pictures https 443 true
films https 443 false`,
}

func builtin(t testing.TB) []probe.App {
	t.Helper()
	apps, err := catalogue.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return apps
}

func TestBuiltinRoles(t *testing.T) {
	apps := builtin(t)
	if len(apps) != len(want) {
		t.Errorf("%d apps", len(apps))
	}
	for _, a := range apps {
		var got []string
		for _, g := range a.Targets {
			var ports []string
			for _, p := range g.Ports {
				ports = append(ports, fmt.Sprint(p))
			}
			got = append(got, strings.TrimSpace(fmt.Sprintln(g.ID, g.Probes[0], strings.Join(ports, ","), g.Essential, g.Group)))
			if len(g.Probes) != 1 || g.Reviewed != "2026-11-23" || a.Reviewed != "2026-11-23" {
				t.Errorf("%s/%s: %+v", a.ID, g.ID, g)
			}
		}
		if g := strings.Join(got, "\n"); g != want[a.ID] {
			t.Errorf("%s:\n%s\nwant:\n%s", a.ID, g, want[a.ID])
		}
	}
}

// TestDataCentres holds the addresses, which no resolver could correct.
func TestDataCentres(t *testing.T) {
	want := []string{
		"149.154.175.50 2001:b28:f23d:f001::a",
		"149.154.167.51 95.161.76.100 2001:67c:4e8:f002::a",
		"149.154.175.100 2001:b28:f23d:f003::a",
		"149.154.167.91 2001:67c:4e8:f004::a",
		"149.154.171.5 91.108.56.191 2001:b28:f23f:f005::a",
	}
	for i, w := range want {
		g := builtin(t)[0].Targets[i]
		if got := strings.Trim(fmt.Sprint(g.Addresses), "[]"); got != w || len(g.Hosts) != 0 {
			t.Errorf("%s: %s, hosts %v", g.ID, got, g.Hosts)
		}
	}
}

// TestEveryFileIsBuiltIn finds a file that was added and is not shown.
func TestEveryFileIsBuiltIn(t *testing.T) {
	files, err := filepath.Glob("*.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		app, err := catalogue.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(builtin(t), func(a probe.App) bool { return a.ID == app.ID }) || app.ID+".toml" != file {
			t.Errorf("%s holds %q, which is not built in under that name", file, app.ID)
		}
	}
}

// Every built-in target says why it is contacted, where it is known from and when somebody looked last.
func TestBuiltinSaysWhy(t *testing.T) {
	for _, a := range builtin(t) {
		for _, g := range a.Targets {
			if strings.TrimSpace(g.Why) == "" || strings.TrimSpace(g.Source) == "" || g.Reviewed == "" {
				t.Errorf("%s/%s: why %q, source %q, reviewed %q", a.ID, g.ID, g.Why, g.Source, g.Reviewed)
			}
		}
	}
}

// The example of the design's section 6, word for word, is a catalogue file; and every key but what is measured
// has a default.
func TestDesignsExample(t *testing.T) {
	for _, file := range []string{"design.toml", "least.toml"} {
		app, err := catalogue.Load(filepath.Join("testdata", file))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		g := app.Targets[0]
		if app.ID != "telegram" || g.ID != "web" || !slices.Equal(g.Hosts, []string{"web.telegram.org"}) || !slices.Equal(g.Ports, []uint16{443}) || g.Path != "/" || !slices.Equal(g.Probes, []probe.Probe{probe.ProbeHTTPS}) {
			t.Errorf("%s: %+v", file, g)
		}
	}
}

func TestReviewedOfATarget(t *testing.T) {
	const head = "[app]\nid = \"a\"\nreviewed = \"2026-11-23\"\n[[target]]\nid = \"t\"\nwhy = \"w\"\nsource = \"s\"\nhost = \"www.example.com\"\n"
	for text, want := range map[string]string{head: "2026-11-23", head + "reviewed = \"2026-01-02\"\n": "2026-01-02", strings.Replace(head, "reviewed = \"2026-11-23\"\n", "", 1): ""} {
		app, err := catalogue.Parse("f", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		g := app.Targets[0]
		if g.Reviewed != want || g.Path != "/" || !slices.Equal(g.Ports, []uint16{443}) || !slices.Equal(g.Probes, []probe.Probe{probe.ProbeHTTPS}) {
			t.Errorf("%+v", g)
		}
	}
}

// TestHash changes with what is measured, and with nothing else.
func TestHash(t *testing.T) {
	first := catalogue.Hash(builtin(t))
	if len(first) != 64 || first != catalogue.Hash(builtin(t)) {
		t.Errorf("hash %q", first)
	}
	changes := map[string]func(*probe.Target){
		"host":      func(g *probe.Target) { g.Hosts = append(g.Hosts, "www.example.com") },
		"address":   func(g *probe.Target) { g.Addresses = g.Addresses[1:] },
		"port":      func(g *probe.Target) { g.Ports[0] = 80 },
		"path":      func(g *probe.Target) { g.Path = "/x" },
		"essential": func(g *probe.Target) { g.Essential = false },
		"group":     func(g *probe.Target) { g.Group = "x" },
	}
	for name, change := range changes {
		apps := builtin(t)
		change(&apps[0].Targets[0])
		if catalogue.Hash(apps) == first {
			t.Errorf("another %s, and the same hash", name)
		}
	}
	if catalogue.Hash(builtin(t)[:1]) == first {
		t.Error("fewer apps, and the same hash")
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"*.toml", filepath.Join("testdata", "*.toml")} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		app, err := catalogue.Parse("f", data)
		if err != nil {
			return
		}
		for _, g := range app.Targets {
			if g.ID == "" || len(g.Hosts)+len(g.Addresses) == 0 || len(g.Ports) == 0 || len(g.Probes) == 0 || g.Path[0] != '/' {
				t.Fatalf("an invalid target passed: %+v", g)
			}
		}
	})
}

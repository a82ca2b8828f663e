// Package catalogue holds the apps that are measured, as data: one TOML file an app, embedded. An app
// is added by a file alone.
package catalogue

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"regexp"
	"time"

	"github.com/telltale-probe/telltale/config/strict"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/app"
)

//go:embed *.toml
var files embed.FS

// builtin lists the embedded apps in the order in which they are shown.
var builtin = []string{"telegram", "whatsapp", "line", "instagram", "signal", "messenger", "x"}

// Bounds of one file, so that a hostile one can't make a volunteer contact the whole internet.
// Chosen by us: the largest app here has half as many.
const (
	maxTargets   = 64
	maxEndpoints = 32 // hosts, and addresses, of a target
	maxPorts     = 4
	maxRoots     = 4 // an authority and its successors
)

// Builtin gives the embedded apps.
func Builtin() ([]probe.App, error) {
	var out []probe.App
	for _, id := range builtin {
		data, err := files.ReadFile(id + ".toml")
		if err != nil {
			return nil, err
		}
		one, err := Parse(id+".toml", data)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// Load reads a catalogue file. A mistake in it is a strict.Errors.
func Load(path string) (probe.App, error) {
	data, err := strict.ReadFile(path)
	if err != nil {
		return probe.App{}, err
	}
	return Parse(path, data)
}

var idForm = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

// hostForm is a host name in lower case: letters, digits and hyphens, two labels at least.
var hostForm = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$`)

// ValidHost says whether name is one that we can measure.
func ValidHost(name string) bool { return len(name) <= 253 && hostForm.MatchString(name) }

// Parse reads a catalogue file's content. All mistakes come at once, as strict.Errors.
func Parse(name string, data []byte) (probe.App, error) {
	doc, root, err := strict.Parse(name, data)
	if err != nil {
		return probe.App{}, err
	}
	head := root.Table("app")
	out := probe.App{ID: head.String("id", ""), Reviewed: reviewed(head, "")}
	out.Name = head.String("name", out.ID)
	if !idForm.MatchString(out.ID) {
		head.Fail("id", "is needed: 1 to 32 of a-z, 0-9, _ and -")
	}
	own := readSecrets(head)
	head.Done()
	seen := map[string]bool{}
	for _, t := range root.Tables("target", maxTargets) {
		target := readTarget(t, out.Reviewed)
		own.give(t, &target)
		if seen[target.ID] {
			t.Fail("id", "is taken by an earlier target")
		}
		seen[target.ID] = true
		out.Targets = append(out.Targets, target)
		t.Done()
	}
	if len(out.Targets) == 0 {
		doc.Fail("target", "at least one [[target]] is needed")
	}
	root.Done()
	return out, doc.Err()
}

// reviewed is a date, or what stands for one that is left out.
func reviewed(t *strict.Table, otherwise string) string {
	text := t.String("reviewed", otherwise)
	if _, err := time.Parse(time.DateOnly, text); t.Has("reviewed") && err != nil {
		t.Fail("reviewed", "must be a date, YYYY-MM-DD")
	}
	return text
}

// readTarget reads a target. Who writes a file of his own need not say why and from where; a built-in target
// must (TestBuiltinSaysWhy).
func readTarget(t *strict.Table, ofApp string) probe.Target {
	out := probe.Target{
		ID: t.String("id", ""), Why: t.String("why", ""), Source: t.String("source", ""), Reviewed: reviewed(t, ofApp),
		Neutral: t.String("neutral", ""), Path: t.String("path", "/"), Essential: t.Bool("essential", false), Group: t.String("group", ""),
		Hosts: hosts(t), Addresses: Addresses(t), Ports: ports(t), Roots: roots(t), Probes: Probes(t, probe.Probes),
		DC: int(t.Int("dc", 0, 0, 1000)), ProofHeader: t.String("proof_header", ""),
		Speaks: t.String("speaks", ""), Origin: t.String("origin", ""), Subprotocol: t.String("subprotocol", ""),
	}
	checkProof(t, &out)
	if !idForm.MatchString(out.ID) {
		t.Fail("id", "is needed: 1 to 32 of a-z, 0-9, _ and -")
	}
	if out.Neutral != "" && !ValidHost(out.Neutral) {
		t.Fail("neutral", "must be a host name in lower case")
	}
	CheckPath(t, out.Path)
	if out.Group != "" && !idForm.MatchString(out.Group) {
		t.Fail("group", "must be 1 to 32 of a-z, 0-9, _ and -")
	}
	checkPlaces(t, &out)
	return out
}

// checkPlaces makes sure that every probe has what it needs: a name for whatever verifies one.
func checkPlaces(t *strict.Table, out *probe.Target) {
	if len(out.Hosts)+len(out.Addresses) == 0 {
		t.Fail("host", "a target needs host, hosts or addresses")
	}
	for _, p := range out.Probes {
		switch p {
		case probe.ProbeTCP, probe.ProbeHTTP, probe.ProbeMTProto, probe.ProbeWhatsApp, probe.ProbeSTUN:
		default:
			if len(out.Hosts) == 0 {
				t.Fail("probes", "%s needs a host: its certificate is verified for a name", p)
			}
		}
	}
}

// Hash names a catalogue in records: SHA-256 over all that is measured.
func Hash(apps []probe.App) string {
	h := sha256.New()
	for _, a := range apps {
		_, _ = fmt.Fprintf(h, "%q %q %q\n", a.ID, a.Name, a.Reviewed)
		for _, t := range a.Targets {
			for _, c := range t.Roots {
				_, _ = fmt.Fprintf(h, "root %x\n", sha256.Sum256(c.Raw))
			}
			for _, k := range t.Keys {
				_, _ = fmt.Fprintf(h, "key %016x\n", app.Fingerprint(k))
			}
			_, _ = fmt.Fprintf(h, "%q %q %q %q %d %x\n", t.ProofHeader, t.Speaks, t.Origin, t.Subprotocol, t.DC, t.NoiseRoot)
			_, _ = fmt.Fprintf(h, "%q %q %v %v %q %q %v %v %q\n", t.ID, t.Hosts, t.Addresses, t.Ports, t.Neutral, t.Path, t.Probes, t.Essential, t.Group)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

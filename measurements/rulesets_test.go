package measurements

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rulesDigest stands beside RulesVersion, so that nobody changes what a rule says and forgets the version.
const rulesDigest = "03e06a0151f9"

// What every record calls by one version stays one set of rules.
func TestRulesVersionNamesTheseRules(t *testing.T) {
	var all strings.Builder
	for i := range allRules {
		r := &allRules[i]
		_, _ = fmt.Fprintf(&all, "%q %q %q %q %q %q %q\n", r.ID, r.Says, r.Layers, r.Since, r.Until, r.Signatures, r.Confidence)
	}
	sum := sha256.Sum256([]byte(all.String()))
	if got := hex.EncodeToString(sum[:6]); got != rulesDigest {
		t.Errorf(`the rules are not those that version %s was the name of.
A rule that came, went or changed its meaning after a release needs a new RulesVersion, with Since and Until;
the old form of one that changed stays, in rules_retired.go. Then rulesDigest is %q.`, RulesVersion, got)
	}
}

// Every rule says what it needs, what it may say and who found out; its signatures are of the closed list.
func TestRulesAreWhole(t *testing.T) {
	closed := constantsOf(t, "signature.go", "Signature")
	for i := range allRules {
		r := &allRules[i]
		for field, text := range map[string]string{"ID": r.ID, "Says": r.Says, "Needs": r.Needs, "Refuses": r.Refuses, "Source": r.Source} {
			if text == "" || strings.TrimSpace(text) != text {
				t.Errorf("%s: %s is %q", r.ID, field, text)
			}
		}
		if !strings.HasSuffix(r.Says, ".") || r.Judge == nil {
			t.Errorf("%s: says no sentence, or judges nothing", r.ID)
		}
		for _, s := range r.Signatures {
			if !slices.Contains(closed, string(s)) {
				t.Errorf("%s: %s is no signature", r.ID, s)
			}
		}
		if confidenceRank(r.Confidence) < 0 {
			t.Errorf("%s: %q is no confidence", r.ID, r.Confidence)
		}
		for _, l := range r.Layers {
			if l != layerVolume && !slices.Contains(Layers, l) {
				t.Errorf("%s: %s is no layer", r.ID, l)
			}
		}
	}
}

// constantsOf lists the values of the string constants of a type in a file of this package.
func constantsOf(t *testing.T, file, of string) (out []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != of {
			return true
		}
		if value, ok := spec.Values[0].(*ast.BasicLit); ok && value.Kind == token.STRING {
			text, err := strconv.Unquote(value.Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, text)
		}
		return true
	})
	if len(out) == 0 {
		t.Fatalf("%s has no constant of type %s", file, of)
	}
	return out
}

// Today's set has none that went, the first one none of what came later; an id has one rule in a set.
func TestRulesOf(t *testing.T) {
	today, ok := RulesOf(RulesVersion)
	if !ok || len(today) != len(Rules) || len(today) >= len(allRules) {
		t.Errorf("today's set has %d of %d rules", len(today), len(allRules))
	}
	first, ok := RulesOf(RulesVersions[0])
	if !ok || len(first) == 0 || len(first) >= len(today) {
		t.Errorf("the first set has %d rules, today's %d", len(first), len(today))
	}
	if slices.ContainsFunc(first, func(r Rule) bool { return r.ID == "line-congested" }) {
		t.Error("the first set knows a rule that came later")
	}
	if _, ok := RulesOf("never"); ok {
		t.Error("a set that never was")
	}
	for _, set := range RulesVersions {
		seen := map[string]bool{}
		rules, _ := RulesOf(set)
		for _, r := range rules {
			if seen[r.ID] {
				t.Errorf("%s has two rules %s", set, r.ID)
			}
			seen[r.ID] = true
		}
	}
	for _, r := range allRules {
		for _, v := range []string{r.Since, r.Until} {
			if v != "" && !slices.Contains(RulesVersions, v) {
				t.Errorf("%s: no such set: %s", r.ID, v)
			}
		}
	}
	if !slices.IsSorted(RulesVersions) || RulesVersions[len(RulesVersions)-1] != RulesVersion {
		t.Errorf("%v", RulesVersions)
	}
}

// A rule that changed says under the old version what it said then.
func TestRetiredRuleStillSpeaks(t *testing.T) {
	m := Measurement{App: "app", Targets: []TargetInfo{{ID: "web", Hosts: []string{"web.example.org"}, Essential: true}}}
	at := Observation{Target: "web", Trial: 1, Operation: HTTPExchange, Transport: "tcp", Family: IPv4, Endpoint: "192.0.2.10:80"}
	n, target := at, at
	n.Control, n.Conn, n.Name, n.Failure = N, 1, "neutral.example.com", Timeout
	target.Conn, target.Name, target.HTTP = 2, "web.example.org", &HTTP{Status: 302, Location: "http://elsewhere.example.net/"}
	m.Observations = []Observation{n, target}
	r := Round{Gate: neighbours(""), Apps: []Measurement{m}}
	for version, want := range map[string]State{RulesVersions[0]: Blocked, RulesVersion: Inconclusive} {
		rules, _ := RulesOf(version)
		v := JudgeWith(rules, &r, nil)
		if l := v.Apps[0].Targets[0].Layers[0]; l.State != want || l.Rule != "http-redirected-away" || l.Signature != HTTPRedirect {
			t.Errorf("rules %s: a redirect whose control timed out is %s by %s", version, l.State, l.Rule)
		}
	}
}

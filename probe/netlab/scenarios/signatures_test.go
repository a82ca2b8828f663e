package scenarios_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
)

// unseen are the signatures to which no scenario leads, each with the reason.
var unseen = map[string]string{
	string(measurements.TLSECH): "no hello of ours offers ECH, so no rule gives it",
}

// signatures are all that measurements declares, read from its source: a list of them written by hand would be as
// long as somebody remembers.
func signatures(t *testing.T) (out []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../../measurements/signature.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok || d.Tok != token.CONST {
			continue
		}
		for _, spec := range d.Specs {
			v := spec.(*ast.ValueSpec)
			if kind, ok := v.Type.(*ast.Ident); !ok || kind.Name != "Signature" || len(v.Values) != 1 {
				t.Fatalf("%v is no signature with its type and word", v.Names)
			}
			word, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, word)
		}
	}
	return out
}

// Every signature has a world in which it is found, but for those that say why not; and at least as many worlds are
// innocent as are censored.
func TestScenariosCoverTheSignatures(t *testing.T) {
	onceIsEnough(t)
	found := map[string]bool{}
	innocent, censored := 0, 0
	for _, r := range results(t) {
		if r.Scenario.Innocent {
			innocent++
		} else {
			censored++
		}
		found[string(r.Verdict.Network.Signature)] = true
		for _, app := range r.Verdict.Apps {
			for _, target := range app.Targets {
				for _, l := range target.Layers {
					found[string(l.Signature)] = true
				}
			}
		}
	}
	all := signatures(t)
	if len(all) < 60 {
		t.Errorf("%d signatures: %v", len(all), all)
	}
	for _, s := range all {
		if why := unseen[s]; found[s] == (why != "") {
			t.Errorf("a scenario leads to %s: %v, with the excuse %q", s, found[s], why)
		}
	}
	for s := range unseen {
		if !slices.Contains(all, s) {
			t.Errorf("%s is excused, and no signature", s)
		}
	}
	if innocent < censored {
		t.Errorf("%d innocent scenarios, %d censored ones", innocent, censored)
	}
}

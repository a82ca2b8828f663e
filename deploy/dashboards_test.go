package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboard is what we read of Grafana's Classic JSON.
type dashboard struct {
	UID           string
	Title         string
	SchemaVersion int `json:"schemaVersion"`
	Templating    struct{ List []variable }
	Panels        []panel
}

type variable struct {
	Name       string
	Type       string
	Query      json.RawMessage
	Datasource source
}

type source struct{ Type, UID string }

type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	Datasource  source
	GridPos     struct{ X, Y, W, H int } `json:"gridPos"`
	FieldConfig struct {
		Defaults struct {
			Mappings []struct {
				Options map[string]struct{ Text string }
			}
		}
	} `json:"fieldConfig"`
	Targets         []target
	Transformations []struct {
		ID      string
		Options struct {
			RenameByName  map[string]string `json:"renameByName"`
			ExcludeByName map[string]bool   `json:"excludeByName"`
		}
	}
}

type target struct {
	RefID        string `json:"refId"`
	Expr         string
	LegendFormat string `json:"legendFormat"`
	Format       string
}

// dashboards reads the files that we ship.
func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob("grafana/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	all := map[string]dashboard{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = d
	}
	return all
}

// Links lead to a dashboard by its uid, so that it stays; the data source is the reader's choice.
func TestDashboardsAreProvisionable(t *testing.T) {
	seen := map[string]bool{}
	for name, d := range dashboards(t) {
		if d.UID != "telltale-"+name || seen[d.UID] || d.SchemaVersion == 0 || d.Title == "" {
			t.Errorf("%s: uid %q, schema %d, title %q", name, d.UID, d.SchemaVersion, d.Title)
		}
		seen[d.UID] = true
		if !slices.ContainsFunc(d.Templating.List, func(v variable) bool { return v.Name == "datasource" && v.Type == "datasource" }) {
			t.Errorf("%s has no variable for the data source", name)
		}
		for _, v := range d.Templating.List {
			if v.Type == "query" && v.Datasource.UID != "${datasource}" {
				t.Errorf("%s: variable %s asks %q", name, v.Name, v.Datasource.UID)
			}
		}
		for i, p := range d.Panels {
			if p.Datasource.UID != "${datasource}" || p.Description == "" || p.Title == "" || len(p.Targets) == 0 {
				t.Errorf("%s: panel %d %q lacks a data source of choice, a description or a query", name, p.ID, p.Title)
			}
			for _, q := range d.Panels[:i] {
				if q.ID == p.ID || overlap(p, q) {
					t.Errorf("%s: panels %q and %q share an id or a place", name, q.Title, p.Title)
				}
			}
			if p.GridPos.X+p.GridPos.W > 24 {
				t.Errorf("%s: panel %q is wider than the grid", name, p.Title)
			}
		}
	}
}

func overlap(p, q panel) bool {
	a, b := p.GridPos, q.GridPos
	return a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H
}

// coded is a state that an expression turns into a number.
var coded = regexp.MustCompile(`([0-9]+) \* telltale_\w+_state\{[^}]*state="(\w+)"\}`)

// Numbers stand for states in a timeline: each must be shown as the state that it is, and all must be there.
func TestTimelinesNameTheirStates(t *testing.T) {
	timelines := 0
	for _, d := range dashboards(t) {
		for _, p := range d.Panels {
			found := coded.FindAllStringSubmatch(p.Targets[0].Expr, -1)
			if len(found) == 0 {
				continue
			}
			timelines++
			shown := p.FieldConfig.Defaults.Mappings[0].Options
			for _, f := range found {
				if shown[f[1]].Text != f[2] {
					t.Errorf("%s: %s is shown as %q, not %q", p.Title, f[1], shown[f[1]].Text, f[2])
				}
			}
		}
	}
	if timelines < 2 {
		t.Errorf("%d timelines of states: of apps and of targets are wanted", timelines)
	}
}

// A table joins its queries by their letters; a letter that no query has renames nothing.
func TestTablesRenameWhatTheyHave(t *testing.T) {
	for _, d := range dashboards(t) {
		for _, p := range d.Panels {
			var have []string
			for _, q := range p.Targets {
				have = append(have, "Value #"+q.RefID)
			}
			if len(p.Targets) == 1 {
				have = []string{"Value"}
			}
			for _, tr := range p.Transformations {
				for old := range tr.Options.RenameByName {
					if strings.HasPrefix(old, "Value") && !slices.Contains(have, old) {
						t.Errorf("%s renames %q; it has %q", p.Title, old, have)
					}
				}
			}
		}
	}
}

// chosen is what a reader picks in the variables' lists, and Grafana puts in their place.
var chosen = strings.NewReplacer("$instance", "a1", "$country", ".*", "$app", ".*")

// listed is the form of the variables' queries.
var listed = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)

// answer is what an expression's must be like.
type answer struct {
	labels []string // that it must have: of legends and of the variables' lists
	joined bool     // with others, into one table, by labels: metrics' names must not be among them
}

// asked lists every expression of a dashboard.
func asked(t *testing.T, d dashboard) map[string]answer {
	t.Helper()
	all := map[string]answer{}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		var q struct{ Query string }
		if err := json.Unmarshal(v.Query, &q); err != nil {
			t.Fatal(err)
		}
		form := listed.FindStringSubmatch(q.Query)
		if form == nil {
			t.Fatalf("variable %s asks %q", v.Name, q.Query)
		}
		all[chosen.Replace(form[1])] = answer{labels: []string{form[2]}}
	}
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			var labels []string
			for _, l := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(q.LegendFormat, -1) {
				labels = append(labels, l[1])
			}
			expr := chosen.Replace(q.Expr)
			all[expr] = answer{
				labels: append(all[expr].labels, labels...),
				joined: all[expr].joined || q.Format == "table" && len(p.Targets) > 1,
			}
			if strings.Contains(expr, "$") {
				t.Errorf("%s: a variable is left in %s", p.Title, expr)
			}
		}
	}
	return all
}

// mayBeEmpty are labels that a legend shows where a volunteer gave them.
var mayBeEmpty = []string{"label"}

// lack says what an expression's answer lacks, or nothing.
func lack(server, expr string, want answer) string {
	found, err := query(server, expr)
	if err != nil {
		return err.Error()
	}
	if len(found) == 0 {
		return "no data"
	}
	if want.joined && slices.ContainsFunc(found, func(s series) bool { return s.labels["__name__"] != "" }) {
		return "rows of a table that join nothing: the metric's name differs from query to query"
	}
	for _, l := range want.labels {
		if !slices.Contains(mayBeEmpty, l) && !slices.ContainsFunc(found, func(s series) bool { return s.labels[l] != "" }) {
			return fmt.Sprintf("no label %q in %v", l, slices.Sorted(maps.Keys(found[0].labels)))
		}
	}
	return ""
}

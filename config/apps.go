package config

import (
	_ "embed"
	"fmt"
	"slices"

	"github.com/telltale-probe/telltale/config/catalogue"
	"github.com/telltale-probe/telltale/config/strict"
	"github.com/telltale-probe/telltale/probe"
)

// The built-in gate: hosts abroad, and at home for some countries.
var (
	//go:embed controls.toml
	controls []byte
	//go:embed domestic.toml
	domestic []byte
)

// readApps picks the enabled apps out of the built-in ones and the further files.
func (c *Config) readApps(t *strict.Table) {
	all, err := catalogue.Builtin()
	if err != nil {
		t.Fail("catalogue", "the built-in catalogue is broken: %v", err)
		return
	}
	var further []string
	broken := false
	for _, path := range t.Strings("catalogue", 64) {
		app, err := catalogue.Load(c.beside(path))
		if err != nil {
			t.Fail("catalogue", "%v", err)
			broken = true
			continue
		}
		further = append(further, app.ID)
		if i := slices.IndexFunc(all, func(a probe.App) bool { return a.ID == app.ID }); i >= 0 {
			all[i] = app
		} else {
			all = append(all, app)
		}
	}
	ids := t.Strings("enabled", 64)
	switch {
	case !t.Has("enabled"):
		ids = usual
	case t.Empty("enabled"):
		t.Fail("enabled", "must name an app at least; there are %v", idsOf(all))
	}
	for n, id := range ids {
		if slices.Contains(ids[:n], id) {
			t.Fail("enabled", "%q is named twice", id)
			continue
		}
		i := slices.IndexFunc(all, func(a probe.App) bool { return a.ID == id })
		if i < 0 && broken {
			continue // it may be the app of a file that can't be read, which is said already
		}
		if i < 0 {
			t.Fail("enabled", "%q is no app of the catalogue; there are %v", id, idsOf(all))
			continue
		}
		c.Apps = append(c.Apps, all[i])
	}
	c.NotEnabled = slices.DeleteFunc(further, func(id string) bool { return slices.Contains(ids, id) })
	c.CatalogueHash = catalogue.Hash(c.Apps)
	t.Done()
}

// More gives the built-in apps that are not measured unless the configuration names them.
func More() []probe.App {
	all, err := catalogue.Builtin()
	if err != nil {
		panic(fmt.Sprintf("the built-in catalogue is broken: %v", err)) // a test parses it
	}
	return slices.DeleteFunc(all, func(a probe.App) bool { return slices.Contains(usual, a.ID) })
}

// usual are the apps that are measured where the configuration names none.
var usual = []string{"telegram", "whatsapp", "line", "instagram"}

func idsOf(apps []probe.App) []string {
	var out []string
	for _, a := range apps {
		out = append(out, a.ID)
	}
	return out
}

// readControls reads the gate's hosts; the built-in list where the file has none.
func (c *Config) readControls(root *strict.Table) {
	tables := root.Tables("control", 64)
	if root.Empty("control") {
		root.Fail("control", "must name a host at least; without the key the built-in gate is used")
	}
	if len(tables) == 0 {
		tables = append(builtinControls(controls), slices.DeleteFunc(builtinControls(domestic), func(t *strict.Table) bool {
			return t.String("country", "") != c.Vantage.Country
		})...)
	}
	for _, t := range tables {
		placebo := t.Bool("placebo", false)
		n := probe.Control{
			Host: t.String("host", ""), Operator: t.String("operator", ""), Scope: t.String("scope", "foreign"), Country: t.String("country", ""),
			Addresses: catalogue.Addresses(t), Path: t.String("path", "/"), Probes: catalogue.Probes(t, neutralProbes(placebo)),
		}
		if !catalogue.ValidHost(n.Host) {
			t.Fail("host", "is needed: a host name in lower case")
		}
		if n.Operator == "" {
			t.Fail("operator", "is needed: the gate wants several, and must tell them apart")
		}
		if n.Scope != "foreign" && n.Scope != "domestic" {
			t.Fail("scope", `must be "foreign" or "domestic"`)
		}
		switch {
		case n.Scope == "domestic" && n.Country == "":
			t.Fail("country", "is needed for a domestic host: two capital letters")
		case n.Country != "" && !countryForm.MatchString(n.Country):
			t.Fail("country", "must be two capital letters (ISO 3166)")
		}
		catalogue.CheckPath(t, n.Path)
		switch {
		case placebo:
			c.Placebo.Targets = append(c.Placebo.Targets, placeboOf(n))
		default:
			c.Controls = append(c.Controls, n)
		}
		t.Done()
	}
	if len(tables) > 0 && len(c.Controls) == 0 {
		root.Fail("control", "must name a host that is no placebo; without the key the built-in gate is used")
	}
}

// builtinControls gives the tables of an embedded file, of a few hosts a country.
func builtinControls(data []byte) []*strict.Table {
	_, own, err := strict.Parse("the built-in gate", data)
	if err != nil {
		panic(fmt.Sprintf("the built-in gate is broken: %v", err)) // a test parses it
	}
	return own.Tables("control", 1024)
}

// neutralProbes are the words that a neutral host may have: what the gate can read, or what an app has that
// can be measured of anybody.
func neutralProbes(placebo bool) []probe.Probe {
	if placebo {
		return []probe.Probe{probe.ProbeHTTPS, probe.ProbeTLS, probe.ProbeH3}
	}
	return []probe.Probe{probe.ProbeHTTPS, probe.ProbeH3, probe.ProbeHTTP}
}

// placeboOf makes a target of a neutral host. Its id is the host's name: it has no role.
func placeboOf(n probe.Control) probe.Target {
	return probe.Target{
		ID: n.Host, Why: "nobody blocks it: what is found here is false", Source: "run by " + n.Operator,
		Hosts: []string{n.Host}, Addresses: n.Addresses, Ports: []uint16{443}, Path: n.Path, Probes: n.Probes,
	}
}

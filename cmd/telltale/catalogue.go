package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/probe"
)

// catalogueCmd lists what would be contacted.
type catalogueCmd struct {
	App   string `placeholder:"ID" help:"Only this app, also where it is not enabled."`
	Bytes bool   `help:"Every message that is sent, byte by byte."`
}

// Run prints app, target, endpoints, probes, proof, neutral name, why and source; then the gate's neutral hosts.
func (k catalogueCmd) Run(c *cli, t terminal) error {
	t.out = plain{t.out} // a catalogue file may be anybody's
	cfg, err := c.config()
	if err != nil {
		return err
	}
	apps, enabled, err := k.apps(cfg)
	if err != nil {
		return err
	}
	if k.Bytes {
		printBytes(t, cfg, apps, k.App != "")
		return nil
	}
	for _, app := range apps {
		note := ""
		if !enabled {
			note = ": not enabled, and not measured"
		}
		_, _ = fmt.Fprintf(t.out, "%s (%s)%s\n", app.ID, app.Name, note)
		for _, target := range app.Targets {
			listTarget(t, &target)
		}
	}
	if k.App == "" {
		listBeside(t, cfg)
	}
	return nil
}

// apps are those that are listed: the enabled ones, or the one that was asked for.
func (k catalogueCmd) apps(cfg *config.Config) (apps []probe.App, enabled bool, err error) {
	if k.App == "" {
		return cfg.Apps, true, nil
	}
	var known []string
	for i, app := range slices.Concat(cfg.Apps, config.More()) {
		if app.ID == k.App {
			return []probe.App{app}, i < len(cfg.Apps), nil
		}
		known = append(known, app.ID)
	}
	if slices.Contains(cfg.NotEnabled, k.App) {
		return nil, false, usagef("--app=%s: it is not named in apps.enabled", k.App)
	}
	slices.Sort(known)
	return nil, false, usagef("--app=%s: no such app; there are %s", k.App, strings.Join(slices.Compact(known), ", "))
}

func listTarget(t terminal, target *probe.Target) {
	_, _ = fmt.Fprintf(t.out, "  %s  %s\n", target.ID, strings.Join(words(target.Probes), " "))
	_, _ = fmt.Fprintln(t.out, wrap("    ", endpoints(*target), tableWidth))
	_, _ = fmt.Fprintln(t.out, labelled("    proof: ", target.Proof()))
	if name := target.NeutralName(); name != "" {
		_, _ = fmt.Fprintln(t.out, labelled("    neutral: ", name))
	}
	if target.Why != "" {
		_, _ = fmt.Fprintln(t.out, labelled("    why: ", target.Why))
	}
	if target.Source != "" {
		_, _ = fmt.Fprintln(t.out, labelled("    source: ", strings.TrimSuffix(target.Source+" ("+target.Reviewed+")", " ()")))
	}
}

// labelled is a text behind its label. Further lines stand below the text: a label said again would begin another.
func labelled(label, text string) string {
	return label + strings.TrimLeft(wrap(strings.Repeat(" ", len(label)), text, tableWidth), " ")
}

// listBeside lists who is contacted beside the apps.
func listBeside(t terminal, cfg *config.Config) {
	_, _ = fmt.Fprintln(t.out, "\nneutral hosts, to know our own line")
	for _, n := range cfg.Controls {
		where := ""
		if n.Scope == "domestic" {
			where = ", inside " + n.Country
		}
		_, _ = fmt.Fprintf(t.out, "  %s (%s%s)  %s\n", n.Host, n.Operator, where, strings.Join(words(n.Probes), " "))
	}
	if len(cfg.Placebo.Targets) > 0 {
		_, _ = fmt.Fprintln(t.out, "\nplacebos: measured like the apps, though nobody blocks them")
		for _, target := range cfg.Placebo.Targets {
			_, _ = fmt.Fprintf(t.out, "  %s (%s)  %s\n", target.ID, target.Source, strings.Join(words(target.Probes), " "))
		}
	}
	if cfg.Reference.URL != "" {
		_, _ = fmt.Fprintf(t.out, "\nreference vantage\n  %s\n", cfg.Reference.URL)
		if cfg.Reference.ControlX {
			_, _ = fmt.Fprintln(t.out, "  and the helper that it announces: targets' names, where they alone may be what is filtered")
		}
	}
	if receivers := pushLines(cfg); len(receivers) > 0 {
		_, _ = fmt.Fprintf(t.out, "\nreceivers of what is found\n  %s\n", strings.Join(receivers, "\n  "))
	}
	_, _ = fmt.Fprintln(t.out, "\n"+wrap("", "resolvers, beside the machine's own; those of encrypted DNS over tcp://…:53 as well, where they are silent", tableWidth))
	for _, r := range cfg.Trusted {
		_, _ = fmt.Fprintf(t.out, "  %s\n", r.URL)
	}
}

func words(probes []probe.Probe) []string {
	var out []string
	for _, p := range probes {
		out = append(out, string(p))
	}
	return out
}

func endpoints(t probe.Target) string {
	parts := append([]string(nil), t.Hosts...)
	for _, a := range t.Addresses {
		parts = append(parts, a.String())
	}
	for _, p := range t.Ports {
		parts = append(parts, fmt.Sprintf("port %d", p))
	}
	return strings.Join(parts, " ")
}

// checkCmd reads the config.
type checkCmd struct{}

// Run says what is wrong, all of it at once, or that nothing is.
func (checkCmd) Run(c *cli, t terminal) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	targets := 0
	for _, a := range cfg.Apps {
		targets += len(a.Targets)
	}
	_, _ = fmt.Fprintf(t.out, "fine: %d apps, %d targets, %d neutral hosts\n", len(cfg.Apps), targets, len(cfg.Controls))
	for _, id := range cfg.NotEnabled {
		_, _ = fmt.Fprintf(t.out, "note: %s, of a file in apps.catalogue, is not named in apps.enabled and is not measured\n", id)
	}
	for _, line := range pushLines(cfg) {
		_, _ = fmt.Fprintln(t.out, "push: "+line)
	}
	if !cfg.Reference.Serve {
		return nil
	}
	line, err := referenceLine(cfg)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(t.out, line)
	return nil
}

// consentText is what running this means, in the words of a volunteer.
const consentText = `telltale contacts messaging apps (see 'telltale catalogue') again and again from
this machine, and neutral hosts and resolvers beside them. What that means:

  - Whoever watches your line sees these connections, and can tell that they are
    a measurement: telltale does not hide. Where the state dislikes that, it can
    bring you trouble. Ask yourself whether you can bear it.
  - A filter that is triggered may block an address for everybody in your home
    for some minutes. telltale leaves it alone after a failure, for that reason.
  - Nothing is sent to anybody but these hosts, unless you name a receiver in
    [push] of the configuration. Evidence stays on this machine otherwise.
    Your own addresses are kept out of the network evidence as far as we can;
    keep the files to yourself all the same.
  - It uses at most the daily budget of the configuration, 100 MiB by default.
  - To stop it, end the program. To withdraw, set consent.accepted = "" again
    and restart or reload: nothing more is measured.
`

// consentCmd records the answer.
type consentCmd struct {
	Accept bool `help:"Record the answer yes without asking."`
	NewID  bool `name:"new-id" help:"Make what is pushed from now on look like another vantage: another random id, and nothing remembered. The daemon must be stopped."`
}

// Run shows what running this means, asks, and records a yes in the config file.
func (k *consentCmd) Run(c *cli, t terminal) error {
	if k.NewID {
		return rollID(c, t)
	}
	_, _ = fmt.Fprint(t.out, consentText)
	if !k.Accept {
		_, _ = fmt.Fprint(t.out, "\nType yes if you agree: ")
		line, _ := bufio.NewReader(t.in).ReadString('\n')
		if strings.TrimSpace(strings.ToLower(line)) != "yes" {
			_, _ = fmt.Fprintln(t.out, "\nNothing was recorded; nothing will be measured.")
			return nil
		}
	}
	path := c.ConfigFile
	if path == "" {
		path = config.DefaultPath()
	} else if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return usagef("--config.file: its folder is not there: %w", err) // a slip of the keyboard, more likely than a wish
	}
	if err := config.RecordConsent(path, time.Now()); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(t.out, "Recorded in %s.\nA daemon that runs already reads it at its next start or reload.\n", path)
	return nil
}

// versionCmd prints the version.
type versionCmd struct{}

// Run prints the versions that every record names.
func (versionCmd) Run(t terminal) error {
	s := software(config.Default())
	_, _ = fmt.Fprintf(t.out, "telltale %s (rules %s, catalogue %.12s, roots %s, %s %s/%s)\n", s.Version, s.Rules, s.Catalogue, s.Roots, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

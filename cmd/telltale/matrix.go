package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
)

// labMatrixCmd plays every scenario, and says how many were judged right.
type labMatrixCmd struct {
	Innocent bool   `help:"Only the innocent ones."`
	App      string `placeholder:"ID" help:"Only those that measure this app."`
	Format   string `enum:"text,json,markdown" default:"text" help:"One of ${enum}."`
}

// matrixReport is what all formats show.
type matrixReport struct {
	Scenarios []matrixRow     `json:"scenarios"`
	Tally     scenarios.Tally `json:"tally"`
	Right     int             `json:"right"`
	Wrong     int             `json:"wrong"`
	innocent  int
}

// matrixRow is one scenario, expected and found.
type matrixRow struct {
	Name     string   `json:"scenario"`
	Sentence string   `json:"sentence"`
	Source   string   `json:"source"`
	Innocent bool     `json:"innocent"`
	Expected string   `json:"expected"`
	Found    string   `json:"found,omitempty"`
	Wrong    []string `json:"wrong,omitempty"` // every difference; none where it is right
}

// Run plays the chosen scenarios in virtual time.
func (m *labMatrixCmd) Run(c *cli, t terminal) error {
	all, err := scenarios.All()
	if err != nil {
		return err
	}
	if err := m.known(all); err != nil {
		return err
	}
	var chosen []scenarios.Scenario
	for _, s := range all {
		if (!m.Innocent || s.Innocent) && (m.App == "" || s.Measures(m.App)) {
			chosen = append(chosen, s)
		}
	}
	bar := c.progress(t.err, "scenarios", len(chosen))
	bar.begin()
	report := newMatrixReport(chosen, runAll(newLab(), chosen, bar))
	bar.clear()
	write := map[string]func(io.Writer) error{"text": report.text, "json": report.json, "markdown": report.markdown}[m.Format]
	if err := write(t.out); err != nil {
		return err
	}
	if report.Wrong > 0 {
		return fmt.Errorf("%d of %d scenarios are judged wrongly", report.Wrong, report.Right+report.Wrong)
	}
	return nil
}

// known refuses an app that no catalogue and no scenario has: all scenarios that name none would measure it.
func (m *labMatrixCmd) known(all []scenarios.Scenario) error {
	if m.App == "" {
		return nil
	}
	lab := newLab()
	var apps []string
	for _, app := range slices.Concat(lab.Apps, lab.More) {
		apps = append(apps, app.ID)
	}
	for i := range all {
		apps = append(apps, all[i].Apps...)
	}
	if slices.Contains(apps, m.App) {
		return nil
	}
	slices.Sort(apps)
	return usagef("--app=%s: no such app; there are %s", m.App, strings.Join(slices.Compact(apps), ", "))
}

func newMatrixReport(chosen []scenarios.Scenario, played []outcome) *matrixReport {
	report := &matrixReport{Scenarios: []matrixRow{}}
	for i := range chosen {
		s, o := &chosen[i], &played[i]
		row := matrixRow{Name: s.Name, Sentence: s.Sentence, Source: s.Source, Innocent: s.Innocent, Expected: s.Expected()}
		if o.err != nil {
			row.Wrong = []string{o.err.Error()}
		} else {
			row.Found, row.Wrong = scenarios.Summary(&o.result.Verdict), o.result.Wrong
			report.Tally.Add(o.result)
		}
		if len(row.Wrong) == 0 {
			report.Right++
		} else {
			report.Wrong++
		}
		if s.Innocent {
			report.innocent++
		}
		report.Scenarios = append(report.Scenarios, row)
	}
	return report
}

// text is for people: what each expects and what was found, then the sums.
func (r *matrixReport) text(w io.Writer) error {
	for _, row := range r.Scenarios {
		_, _ = fmt.Fprintf(w, "%s\n  expected %s\n  found    %s\n", row.Name, row.Expected, row.Found)
		for _, line := range row.Wrong {
			_, _ = fmt.Fprintln(w, "  WRONG   ", line)
		}
	}
	_, _ = fmt.Fprintf(w, "\n%-9s %8s %10s %7s %10s %13s %12s %5s\n", "targets", "", "confirmed", "likely", "suspected", "inconclusive", "down, local", "ok")
	for _, k := range r.kinds() {
		_, _ = fmt.Fprintf(w, "%-9s %8d %10d %7d %10d %13d %12d %5d\n", k.name, k.Targets, k.Confirmed, k.Likely, k.Suspected, k.Inconclusive, k.Other, k.OK)
	}
	_, _ = fmt.Fprintln(w)
	for _, line := range r.rates() {
		_, _ = fmt.Fprintln(w, line)
	}
	_, err := fmt.Fprintf(w, "%d scenarios, %d of them innocent\n%d right, %d wrong\n", len(r.Scenarios), r.innocent, r.Right, r.Wrong)
	return err
}

type namedRow struct {
	name string
	scenarios.Row
}

func (r *matrixReport) kinds() []namedRow {
	return []namedRow{{"censored", r.Tally.Censored}, {"free", r.Tally.Free}}
}

// rates are a sentence for each confidence, and one for what was left open.
func (r *matrixReport) rates() (out []string) {
	for _, c := range []measurements.Confidence{measurements.Suspected, measurements.Likely, measurements.Confirmed} {
		out = append(out, fmt.Sprintf("%-10s or more: sensitivity %5.1f%%, false findings %.2f%%", c, 100*r.Tally.Censored.AtLeast(c), 100*r.Tally.Free.AtLeast(c)))
	}
	return append(out, fmt.Sprintf("abstention: censored %.1f%%, free %.1f%%", 100*r.Tally.Censored.Abstention(), 100*r.Tally.Free.Abstention()))
}

func (r *matrixReport) json(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// markdown is for documents: the sums alone, then a line for each scenario.
func (r *matrixReport) markdown(w io.Writer) error {
	_, _ = fmt.Fprintln(w, "| targets | | confirmed | likely | suspected | inconclusive | down, local | ok |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, k := range r.kinds() {
		_, _ = fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %d | %d | %d |\n", k.name, k.Targets, k.Confirmed, k.Likely, k.Suspected, k.Inconclusive, k.Other, k.OK)
	}
	_, _ = fmt.Fprintln(w, "\n| scenario | expected | found | |\n| --- | --- | --- | --- |")
	for _, row := range r.Scenarios {
		verdict := "right"
		if len(row.Wrong) > 0 {
			verdict = "**wrong**"
		}
		_, _ = fmt.Fprintf(w, "| %s | %s | %s | %s |\n", row.Name, row.Expected, row.Found, verdict)
	}
	_, err := fmt.Fprintf(w, "\n%d right, %d wrong\n", r.Right, r.Wrong)
	return err
}

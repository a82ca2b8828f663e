package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/config/catalogue"
	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
)

// labCmd runs the emulated internet's scenarios.
type labCmd struct {
	List   labListCmd   `cmd:"" help:"List the scenarios."`
	Run    labRunCmd    `cmd:"" help:"Run one scenario and show what was found."`
	Matrix labMatrixCmd `cmd:"" help:"Run all of them; exit 1 on a wrong one."`
	Noise  labNoiseCmd  `cmd:"" help:"Weeks on lines on which nobody censors; exit 1 on a block that is called likely or confirmed, or where outcomes hold no bar."`
}

type labListCmd struct{}

// Run lists the scenarios, one line each.
func (labListCmd) Run(t terminal) error {
	all, err := scenarios.All()
	if err != nil {
		return err
	}
	for i := range all {
		_, _ = fmt.Fprintf(t.out, "%-34s %-9s %s\n", all[i].Name, kind(&all[i]), all[i].Sentence)
	}
	return nil
}

func kind(s *scenarios.Scenario) string {
	if s.Innocent {
		return "innocent"
	}
	return "censored"
}

type labRunCmd struct {
	Scenario string `arg:"" help:"Its name, as 'lab list' prints it."`
}

// Run runs one scenario in virtual time and shows the verdict.
func (r *labRunCmd) Run(c *cli, t terminal) error {
	all, err := scenarios.All()
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].Name != r.Scenario {
			continue
		}
		bar := c.progress(t.err, "scenarios", 1)
		bar.begin()
		result, err := newLab().Run(&all[i])
		bar.clear()
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(t.out, "%s\nsource: %s\n\n", all[i].Sentence, all[i].Source)
		printTable(t.out, &result.Verdict)
		_, _ = fmt.Fprintln(t.out)
		return verdictOf(t.out, result)
	}
	return usagef("no scenario %q; 'telltale lab list' lists them", r.Scenario)
}

func verdictOf(w io.Writer, r *scenarios.Result) error {
	if r.Right() {
		_, _ = fmt.Fprintln(w, "right")
		return nil
	}
	for _, line := range r.Wrong {
		_, _ = fmt.Fprintln(w, "wrong:", line)
	}
	return errors.New("the verdict is wrong")
}

type outcome struct {
	result *scenarios.Result
	err    error
}

// runAll runs scenarios side by side, as many as there are processors, and keeps their order.
func runAll(lab *scenarios.Lab, list []scenarios.Scenario, bar *progress) []outcome {
	out := make([]outcome, len(list))
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for i := range list {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			r, err := lab.Run(&list[i])
			out[i] = outcome{r, err}
			if err == nil {
				r.Round.Apps, r.Round.Gate.Observations = nil, nil // the matrix needs the verdict alone
			}
			bar.step()
		})
	}
	wg.Wait()
	return out
}

// newLab is the laboratory of the built-in catalogue.
func newLab() *scenarios.Lab {
	cfg := config.Default()
	return &scenarios.Lab{Apps: cfg.Apps, More: config.More(), Placebo: cfg.Placebo, Controls: cfg.Controls, Trusted: cfg.Trusted, Parse: catalogue.Parse}
}

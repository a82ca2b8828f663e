package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/export"
	"github.com/telltale-probe/telltale/measurements/store"
)

// exportCmd writes what the store holds for others. It reads beside a running daemon, and changes nothing.
type exportCmd struct {
	Format string   `enum:"ooni,json,csv" default:"ooni" help:"One of ${enum}; see above."`
	Since  string   `placeholder:"WHEN" help:"Only rounds since then: how long ago (24h, 7d), a day in UTC, or a time (2026-11-23T08:00:00Z)."`
	Until  string   `placeholder:"WHEN" help:"Only rounds before then."`
	App    []string `placeholder:"ID" help:"Only this app; of measurements the gate's too, without which nothing is judged. Repeatable."`
}

// Help is what --help says beside the flags.
func (exportCmd) Help() string {
	return `What is written goes to stdout, the oldest round first; a running daemon is not disturbed.

ooni: OONI's data format 0.2.0, a measurement a line: of each round the gate (telltale_control), the apps,
and the placebos. 'telltale judge' reads it, and by the same rules gives the same verdicts.

json: a line for each round, what was said of it at the time: telltale/round/v1, with "round", the id that
x_telltale.round of its measurements has too, and "rules".

csv: the same as a table (RFC 4180; times in UTC), a row for each round, app, target, layer, IP family and
signature. signature and confidence are empty where nothing was found; from layer on all is empty where nothing
of a target was measured. A text that a spreadsheet would run as a formula has an apostrophe in front.`
}

// Run writes the store's records to stdout, oldest first. Those that can't be read are told, the others
// written; then it fails.
func (x *exportCmd) Run(c *cli, t terminal) error {
	sel, err := x.selection(time.Now())
	if err != nil {
		return err
	}
	cfg, err := c.config()
	if err != nil {
		return err
	}
	kept, err := openToExport(cfg.StorePath, c.StorePath != "")
	if err != nil {
		return err
	}
	defer func() { _ = kept.Close() }() // opened to read: nothing can be lost
	if err := x.known(kept, cfg); err != nil {
		return err
	}
	if isTerminal(t.out) && x.Format != "csv" {
		t.out = plain{t.out} // a table's cells are plain already
	}
	t.err = plain{t.err}
	pipe := catchBrokenPipe()
	defer pipe.release()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // who interrupts again while a reader lets us wait ends us at once
	err = x.write(ctx, c, t, kept, sel)
	if brokenPipe(err) {
		return nil // whoever reads has had enough
	}
	return err
}

// selection is what the flags ask for.
func (x *exportCmd) selection(now time.Time) (sel store.Selection, err error) {
	for _, f := range []struct {
		flag, text string
		to         *time.Time
	}{{"since", x.Since, &sel.Since}, {"until", x.Until, &sel.Until}} {
		if f.text == "" {
			continue
		}
		if *f.to, err = export.When(f.text, now); err != nil {
			return sel, usagef("--%s=%s: %w", f.flag, f.text, err)
		}
	}
	if !sel.Since.IsZero() && !sel.Until.IsZero() && !sel.Since.Before(sel.Until) {
		return sel, usagef("--since=%s is not before --until=%s", x.Since, x.Until)
	}
	sel.Apps = x.App
	return sel, nil
}

// openToExport opens a store that is there. A folder that is not is the caller's mistake where he named it.
func openToExport(dir string, named bool) (*store.Store, error) {
	kept, err := store.Open(dir, store.Options{ReadOnly: true})
	switch {
	case err != nil && named && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)):
		return nil, usagef("--store.path: %w", err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, noStore(dir)
	case err != nil:
		return nil, err
	case kept.Size() == 0:
		_ = kept.Close()
		return nil, fmt.Errorf("there is no store in %s: nothing was measured here yet, or only by a version that kept daily files, which 'telltale run' takes in", dir)
	}
	return kept, nil
}

// noStore says what it means that the folder where the store would be is not there.
func noStore(dir string) error {
	return fmt.Errorf("there is no store in %s: nothing was measured here yet, or --store.path is another", dir)
}

// known refuses an app that neither a catalogue nor the store knows.
func (x *exportCmd) known(kept *store.Store, cfg *config.Config) error {
	apps := []string{measurements.ControlApp, measurements.PlaceboApp}
	for _, a := range slices.Concat(cfg.Apps, config.Default().Apps, config.More()) {
		apps = append(apps, a.ID)
	}
	strange := func(id string) bool { return !slices.Contains(apps, id) }
	if !slices.ContainsFunc(x.App, strange) {
		return nil
	}
	stored, err := kept.Apps(x.App...)
	if err != nil {
		return err
	}
	apps = append(apps, stored...)
	if i := slices.IndexFunc(x.App, strange); i >= 0 {
		slices.Sort(apps)
		return usagef("--app=%s: no such app; there are %s", x.App[i], strings.Join(slices.Compact(apps), ", "))
	}
	return nil
}

func (x *exportCmd) form(kept *store.Store) export.Form {
	switch x.Format {
	case "json":
		return export.JSON(kept, x.App)
	case "csv":
		return export.CSV(kept, x.App)
	}
	return export.OONI(kept)
}

func (x *exportCmd) write(ctx context.Context, c *cli, t terminal, kept *store.Store, sel store.Selection) error {
	form := x.form(kept)
	if _, err := t.out.Write(form.Head); err != nil {
		return err
	}
	rounds, err := form.Rounds(sel)
	if err != nil {
		return err
	}
	bar := c.progress(t.err, "rounds", rounds)
	defer bar.clear()
	refused, written, last := &refusals{w: t.err}, 0, ""
	for r, err := range form.All(sel) {
		if ctx.Err() != nil {
			return errors.New("stopped before the end; what was written is whole")
		}
		bar.clear()
		if err != nil {
			refused.add(err)
		}
		if _, err := t.out.Write(r.Text); err != nil {
			return err
		}
		written += len(r.Text)
		if r.Round != last {
			last = r.Round
			bar.step()
		}
	}
	switch {
	case refused.n > 0:
		return fmt.Errorf("records that could not be read, and were left out: %d", refused.n)
	case written == 0:
		_, _ = fmt.Fprintln(t.err, "telltale: nothing to export: the store has nothing of that time and these apps")
	}
	return nil
}

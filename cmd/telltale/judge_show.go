package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/telltale-probe/telltale/measurements"
)

// judgeView shows what judging found.
type judgeView interface {
	round(j *judged, compared bool) error
	summary(*judgeTotal)
}

func (j *judgeCmd) show(t terminal) judgeView {
	if j.Format == "json" {
		e := json.NewEncoder(t.out)
		e.SetEscapeHTML(false)
		return judgeJSON{e}
	}
	return judgeTable{t.out}
}

// judgeJSON writes one object a round, and one for the sum.
type judgeJSON struct{ e *json.Encoder }

func (v judgeJSON) round(j *judged, _ bool) error { return v.e.Encode(j) }

func (v judgeJSON) summary(t *judgeTotal) {
	t.Schema = "telltale/judge-summary/v1"
	t.Turns = append([]turn{}, t.Turns...)
	_ = v.e.Encode(t) // what could not be written shows in the rounds already
}

// judgeTable writes for people: of a round that is compared what changed, of the others what was found.
type judgeTable struct{ w io.Writer }

func (v judgeTable) round(j *judged, compared bool) error {
	if !compared {
		printBrief(v.w, &j.Verdict)
		_, err := fmt.Fprintln(v.w)
		return err
	}
	if len(j.Changes) == 0 {
		return nil
	}
	if j.Refused > 0 {
		_, _ = fmt.Fprintf(v.w, "%d lines of the next round could not be used\n", j.Refused)
	}
	_, err := fmt.Fprintf(v.w, "%s · round %s · rules %s → %s\n", j.Started.Format("2006-01-02 15:04:05 UTC"), j.Round, orDash(j.Against), j.Rules)
	app := ""
	for i := range j.Changes {
		c := &j.Changes[i]
		if c.App != app {
			app = c.App
			_, _ = fmt.Fprintf(v.w, "%s\n", app)
		}
		_, _ = fmt.Fprintln(v.w, wrap("  ", changeOf(c), tableWidth))
	}
	_, _ = fmt.Fprintln(v.w)
	return err
}

// changeOf is a change in a line: where, what was said, what is said, and by which rules.
func changeOf(c *measurements.Change) string {
	where := "network"
	switch {
	case c.Layer != "":
		where = strings.Join([]string{c.Target, string(c.Layer), string(c.Family)}, " ")
	case c.App != "":
		where = "state"
	}
	return where + ": " + said(c.Was) + " → " + said(c.Is)
}

func said(s *measurements.Said) string {
	if s == nil {
		return "nothing said"
	}
	words := []string{string(s.State), string(s.Signature), string(s.Confidence), s.Scope}
	if s.Rule != "" {
		words = append(words, "(by "+s.Rule+")")
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (v judgeTable) summary(t *judgeTotal) {
	for _, r := range t.Turns {
		what := orDash(r.Was) + " → " + orDash(r.Is)
		if r.Was == r.Is {
			what = orDash(r.Is) + " says something else"
		}
		_, _ = fmt.Fprintf(v.w, "%6d × %s\n", r.Times, what)
	}
	_, _ = fmt.Fprintf(v.w, "%d rounds judged: %d same, %d changed, %d with nothing to compare; %d lines refused\n", t.Rounds, t.Same, t.Changed, t.NotCompared, t.Refused)
	if t.Changed > 0 && !t.bySet {
		_, _ = fmt.Fprintln(v.w, wrap("", "The history began with the first of these rounds: what an older one had confirmed may be less certain here.", tableWidth))
	}
}

// maxRefusals bounds what is told of a file in which every line is bad.
const maxRefusals = 100

// refusals tell which lines can't be used.
type refusals struct {
	w io.Writer
	n int
}

func (r *refusals) add(err error) {
	switch r.n++; {
	case r.n <= maxRefusals:
		text := err.Error()
		if len(text) > maxRefusal {
			text = strings.ToValidUTF8(text[:maxRefusal], "") + " …"
		}
		_, _ = fmt.Fprintln(r.w, "telltale:", strings.ReplaceAll(text, "\n", " "))
	case r.n == maxRefusals+1:
		_, _ = fmt.Fprintln(r.w, "telltale: further ones are counted, and not told")
	}
}

// maxRefusal bounds an error in bytes: some quote what they can't read.
const maxRefusal = 400

// plain writes text without what makes terminals do things: evidence and catalogue files may be anybody's.
type plain struct{ io.Writer }

// Write replaces control characters other than line feeds. It says that it wrote what it was given.
func (p plain) Write(b []byte) (int, error) {
	clean := make([]byte, 0, len(b))
	for rest := b; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r != '\n' && !unicode.IsPrint(r) {
			r = utf8.RuneError
		}
		clean = utf8.AppendRune(clean, r)
		rest = rest[n:]
	}
	if _, err := p.Writer.Write(clean); err != nil {
		return 0, err
	}
	return len(b), nil
}

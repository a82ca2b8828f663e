package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/telltale-probe/telltale/measurements"
)

// tableWidth is that of the narrowest terminal that we write for.
const tableWidth = 80

// printTable writes a round's verdict for people: one line a target, and for whatever is not plainly
// ok what was found and why.
func printTable(w io.Writer, v *measurements.RoundVerdict) {
	printLine(w, v)
	if v.Network.State != measurements.OK || v.Network.Signature != "" {
		if v.Network.Signature != "" {
			_, _ = fmt.Fprintf(w, "  %s\n", v.Network.Signature)
		}
		printReasons(w, "    ", v.Network.Reasons)
	}
	for i := range v.Apps {
		app := &v.Apps[i]
		_, _ = fmt.Fprintf(w, "\n%s: %s\n", app.App, app.State)
		for j := range app.Targets {
			printTarget(w, &app.Targets[j])
		}
	}
	if p := v.Placebo; p != nil && p.State != measurements.OK && p.State != measurements.Skipped {
		_, _ = fmt.Fprintf(w, "\nplacebo: %s\n", p.State)
		_, _ = fmt.Fprintln(w, wrap("  ", "nobody blocks these: what is found here is false, and so may be what is found above", tableWidth))
		for j := range p.Targets {
			printTarget(w, &p.Targets[j])
		}
	}
}

// printBrief writes the same for a screen of 24 lines that is drawn anew with every round: what is
// fine shares a line, what is not has one for each finding.
func printBrief(w io.Writer, v *measurements.RoundVerdict) {
	printLine(w, v)
	for i := range v.Apps {
		app := &v.Apps[i]
		var fine []string
		for j := range app.Targets {
			if t := &app.Targets[j]; plainlyOK(t) {
				fine = append(fine, t.Target)
			}
		}
		_, _ = fmt.Fprintf(w, "%s: %s\n", app.App, app.State)
		for j := range app.Targets {
			if t := &app.Targets[j]; !plainlyOK(t) {
				printBriefTarget(w, t)
			}
		}
		if len(fine) > 0 {
			_, _ = fmt.Fprintln(w, wrap("  ", "ok: "+strings.Join(fine, " "), tableWidth))
		}
	}
}

// plainlyOK says whether a target is fine, and nothing stands at a place of it that the round left out.
func plainlyOK(t *measurements.TargetVerdict) bool {
	return t.State == measurements.OK && len(t.Unseen) == 0
}

// printBriefTarget writes one line for each layer and finding; the two IP families share it.
func printBriefTarget(w io.Writer, t *measurements.TargetVerdict) {
	type finding struct {
		layer      measurements.Layer
		state      measurements.State
		signature  measurements.Signature
		confidence measurements.Confidence
	}
	families := map[finding][]string{}
	var order []finding
	for i := range t.Layers {
		l := &t.Layers[i]
		if l.State == measurements.OK {
			continue
		}
		f := finding{l.Layer, l.State, l.Signature, l.Confidence}
		if families[f] == nil {
			order = append(order, f)
		}
		families[f] = append(families[f], string(l.Family))
	}
	if len(order) == 0 {
		_, _ = fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %-12s %-12s %s", t.Target, t.State, unmeasured(t)), " "))
	}
	for i := range t.Unseen {
		u := &t.Unseen[i]
		_, _ = fmt.Fprintf(w, "  %-12s %-12s %-9s %-24s %s\n", t.Target, "stands", u.Family, u.Signature, u.Confidence)
	}
	for _, f := range order {
		_, _ = fmt.Fprintf(w, "  %-12s %-12s %-9s %-24s %s\n", t.Target, f.state, strings.Join(families[f], " "), f.signature, f.confidence)
	}
}

// printLine writes when the round was, and what it says of our own line.
func printLine(w io.Writer, v *measurements.RoundVerdict) {
	_, _ = fmt.Fprintf(w, "%s · %.1f s\nnetwork: %s%s\n", v.Started.UTC().Format("2006-01-02 15:04:05 UTC"), v.DurationSeconds, v.Network.State, networkParts(v.Network))
}

func networkParts(n measurements.NetworkVerdict) string {
	var b strings.Builder
	for _, p := range []struct {
		name string
		ok   *bool
	}{{"IPv4", n.IPv4}, {"IPv6", n.IPv6}, {"UDP/443", n.UDP443}} {
		word := "not tested"
		if p.ok != nil {
			word = map[bool]string{true: "yes", false: "no"}[*p.ok]
		}
		_, _ = fmt.Fprintf(&b, " · %s %s", p.name, word)
	}
	return b.String()
}

func printTarget(w io.Writer, t *measurements.TargetVerdict) {
	_, _ = fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %-18s %-13s %s", t.Target, t.State, okLayers(t.Layers)+unmeasured(t)), " "))
	printReasons(w, "    ", t.Reasons)
	for i := range t.Layers {
		l := &t.Layers[i]
		if l.State == measurements.OK && l.Signature == "" {
			continue
		}
		what := string(l.Signature)
		if what == "" {
			what = "no signature"
		}
		if l.Confidence != "" {
			what += ", " + string(l.Confidence)
		}
		_, _ = fmt.Fprintf(w, "    %s %s %s: %s (%d of %d)\n", l.Layer, l.Family, l.State, what, l.Endpoints.Failed, l.Endpoints.Measured)
		printReasons(w, "      ", l.Reasons)
	}
}

// unmeasured says, in the page's words, that a round said nothing of a target: `skipped` alone looks like a result.
func unmeasured(t *measurements.TargetVerdict) string {
	if len(t.Layers) > 0 || len(t.Reasons) > 0 {
		return ""
	}
	return "not measured in this round"
}

// okLayers lists the layers in which everything passed.
func okLayers(layers []measurements.LayerVerdict) string {
	bad := map[measurements.Layer]bool{}
	for i := range layers {
		if layers[i].State != measurements.OK {
			bad[layers[i].Layer] = true
		}
	}
	var out []string
	for _, l := range measurements.Layers {
		for i := range layers {
			if layers[i].Layer == l && !bad[l] {
				out = append(out, string(l))
				break
			}
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "passes " + strings.Join(out, " ")
}

func printReasons(w io.Writer, indent string, reasons []string) {
	for _, r := range reasons {
		_, _ = fmt.Fprintln(w, wrap(indent, r, tableWidth))
	}
}

// wrap breaks a sentence at spaces so that no line is wider than width, if the words allow it.
func wrap(indent, text string, width int) string {
	var b strings.Builder
	line := indent
	for _, word := range strings.Fields(text) {
		if len(line) > len(indent) && len([]rune(line))+1+len([]rune(word)) > width {
			b.WriteString(line + "\n")
			line = indent
		}
		if len(line) > len(indent) {
			line += " "
		}
		line += word
	}
	b.WriteString(line)
	return b.String()
}

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/telltale-probe/telltale/measurements"
)

// listRules prints a set of rules in the order in which they are tried.
func listRules(w io.Writer, set ruleSet) error {
	_, err := fmt.Fprintf(w, "rules %s, in the order in which they are tried; the first that fits is said\n", set.version)
	for i := range set.rules {
		r := &set.rules[i]
		layers := "every layer"
		if r.Layers != nil {
			layers = joined(r.Layers)
		}
		_, _ = fmt.Fprintf(w, "\n%s (%s)\n%s\n", r.ID, layers, wrap("  ", r.Says, tableWidth))
		for _, part := range []struct{ key, text string }{
			{"may say", maySay(r)}, {"needs", r.Needs}, {"refuses to say", r.Refuses}, {"source", r.Source}, {"since", r.Since}, {"until", r.Until},
		} {
			if part.text != "" {
				_, _ = fmt.Fprintln(w, wrap("  ", part.key+": "+part.text, tableWidth))
			}
		}
	}
	return err
}

// maySay is what a rule may give: its signatures, and how sure of a block it gets by itself.
func maySay(r *measurements.Rule) string {
	words := joined(r.Signatures)
	if words == "" {
		words = "no signature"
	}
	if r.Confidence == "" {
		return words + "; calls nothing blocked"
	}
	return words + "; at most " + string(r.Confidence)
}

func joined[W ~string](words []W) string {
	var out []string
	for _, w := range words {
		out = append(out, string(w))
	}
	return strings.Join(out, ", ")
}

package store

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The daily files of the first format, one JSON document a line.
const (
	evidence  = "measurements"
	judgement = "verdicts"

	lineSuffix = ".ndjson"
	// What stays of a day: half a line that a crash left, and a file of which a line could not be imported.
	tornSuffix, importedSuffix = ".torn", ".imported"
)

// daily is one daily file.
type daily struct {
	path, kind string
	date       time.Time // its midnight, UTC
	left       bool      // it was imported, or never was more than half a line
}

// days lists the daily files of a folder that are not imported yet, oldest first, the evidence of a day
// before its verdicts. Files that somebody else put there are not ours.
func days(dir string) ([]daily, error) { return listDays(dir, false) }

// leftovers lists what imports left.
func leftovers(dir string) ([]daily, error) { return listDays(dir, true) }

func listDays(dir string, left bool) ([]daily, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []daily
	for _, e := range entries {
		if d, ok := parseDay(e.Name()); ok && d.left == left && e.Type().IsRegular() {
			d.path = filepath.Join(dir, e.Name())
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b daily) int { return cmp.Or(a.date.Compare(b.date), cmp.Compare(a.kind, b.kind)) })
	return out, nil
}

func parseDay(name string) (daily, bool) {
	kind, rest, ours := strings.Cut(name, "-")
	rest, torn := strings.CutSuffix(rest, tornSuffix)
	rest, imported := strings.CutSuffix(rest, importedSuffix)
	rest, lines := strings.CutSuffix(rest, lineSuffix)
	date, err := time.Parse(time.DateOnly, rest)
	return daily{kind: kind, date: date, left: torn || imported}, ours && (kind == evidence || kind == judgement) && lines && err == nil
}

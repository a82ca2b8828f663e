package export

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"
	"unicode"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/store"
)

// row is one finding, with what it belongs to. layer is nil for a target of which nothing was measured.
type row struct {
	judged *store.Judged
	app    *measurements.AppVerdict
	target *measurements.TargetVerdict
	layer  *measurements.LayerVerdict
}

// columns of the table, left to right. Later ones are put behind these.
//
// A target of which nothing was measured has one row, whose layer and all that is said of a layer are empty.
// Otherwise signature and confidence are empty where nothing was found; every other column has something.
var columns = []struct {
	name string
	of   func(*row) string
}{
	{"round", func(r *row) string { return r.judged.Round }},
	{"started", func(r *row) string { return r.judged.Verdict.Started.UTC().Format("2006-01-02T15:04:05.000Z") }}, // RFC 3339
	{"rules", func(r *row) string { return r.judged.Rules }},
	{"network_state", func(r *row) string { return string(r.judged.Verdict.Network.State) }},
	{"network_signature", func(r *row) string { return string(r.judged.Verdict.Network.Signature) }},
	{"app", func(r *row) string { return r.app.App }},
	{"app_state", func(r *row) string { return string(r.app.State) }},
	{"target", func(r *row) string { return r.target.Target }},
	{"target_state", func(r *row) string { return string(r.target.State) }},
	{"layer", said(func(l *measurements.LayerVerdict) string { return string(l.Layer) })},
	{"ip_family", said(func(l *measurements.LayerVerdict) string { return string(l.Family) })},
	{"state", said(func(l *measurements.LayerVerdict) string { return string(l.State) })},
	{"signature", said(func(l *measurements.LayerVerdict) string { return string(l.Signature) })},
	{"confidence", said(func(l *measurements.LayerVerdict) string { return string(l.Confidence) })},
	{"scope", said(func(l *measurements.LayerVerdict) string { return l.Scope })},
	{"rule", said(func(l *measurements.LayerVerdict) string { return l.Rule })},
	{"endpoints_measured", said(func(l *measurements.LayerVerdict) string { return strconv.Itoa(l.Endpoints.Measured) })},
	{"endpoints_failed", said(func(l *measurements.LayerVerdict) string { return strconv.Itoa(l.Endpoints.Failed) })},
	{"reasons", said(func(l *measurements.LayerVerdict) string { return strings.Join(l.Reasons, " | ") })},
}

// said is a column that tells of a layer.
func said(of func(*measurements.LayerVerdict) string) func(*row) string {
	return func(r *row) string {
		if r.layer == nil {
			return ""
		}
		return of(r.layer)
	}
}

// header is the first line.
func header() []byte {
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	var b bytes.Buffer
	w := lines(&b)
	_ = w.Write(names)
	w.Flush()
	return b.Bytes()
}

// lines writes RFC 4180's form: CRLF ends a line.
func lines(b *bytes.Buffer) *csv.Writer {
	w := csv.NewWriter(b)
	w.UseCRLF = true
	return w
}

// table writes the rows of a round: the apps in the order of the round, the placebo behind them.
func table(j *store.Judged) ([]byte, error) {
	var b bytes.Buffer
	w := lines(&b)
	cells := make([]string, len(columns))
	write := func(r *row) error {
		for i, c := range columns {
			cells[i] = cell(c.of(r))
		}
		return w.Write(cells)
	}
	for _, app := range j.Verdict.All() {
		for i := range app.Targets {
			t := &app.Targets[i]
			r := row{judged: j, app: app, target: t}
			if len(t.Layers) == 0 {
				if err := write(&r); err != nil {
					return nil, err
				}
			}
			for k := range t.Layers {
				r.layer = &t.Layers[k]
				if err := write(&r); err != nil {
					return nil, err
				}
			}
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// formula is what makes a spreadsheet take a cell for a formula (OWASP, CSV Injection). What a hostile network
// put into a reason must not be run by whoever opens the table.
const formula = "=+-@＝＋－＠"

// cell is a text without control characters, and with an apostrophe in front where it would be a formula:
// spreadsheets take the rest for text.
func cell(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(text, string(unicode.ReplacementChar)))
	if strings.IndexFunc(strings.TrimLeftFunc(text, unicode.IsSpace), func(r rune) bool { return strings.ContainsRune(formula, r) }) == 0 {
		return "'" + text
	}
	return text
}

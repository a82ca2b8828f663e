package web

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// View is what the page shows.
type View struct {
	Version string
	// Consent says whether the volunteer agreed to measuring. Without it nothing is measured.
	Consent bool
	// Verdict is the last round's; nil before the first.
	Verdict *measurements.RoundVerdict
	// LastRound is when it ended; zero before the first.
	LastRound time.Time
	// NextRound is when the next one is due; zero where none is planned.
	NextRound time.Time
	// Running says that a round is being made now.
	Running bool
}

//go:embed page.html
var pageHTML string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"style":   func() template.CSS { return template.CSS(style) }, // verbatim: the policy holds its hash
	"time":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"tested":  tested,
	"layers":  okLayers,
	"finding": findings,
	"family":  func(f measurements.Family) string { return strings.Replace(string(f), "ip", "IP", 1) },
}).Parse(pageHTML))

func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	if err := page.Execute(&b, s.config.View()); err != nil {
		s.config.Log.Error().Err(err).Msg("the page can't be made")
		say(w, http.StatusInternalServerError, "The page can't be made; the log says why.")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

// tested says a part of the line in a word; nil is "not tested".
func tested(ok *bool) string {
	switch {
	case ok == nil:
		return "not tested"
	case *ok:
		return "works"
	}
	return "does not work"
}

// plain says whether an entry has nothing to tell but that its layer is fine.
func plain(l measurements.LayerVerdict) bool {
	return l.State == measurements.OK && l.Signature == ""
}

// okLayers names what is fine at a target, in the order in which a connection passes it.
func okLayers(t measurements.TargetVerdict) string {
	var out []string
	for _, l := range t.Layers {
		if word := string(l.Layer) + " " + string(l.Family); plain(l) {
			out = append(out, word)
		}
	}
	return strings.Join(out, ", ")
}

// findings are the entries that have something to tell.
func findings(t measurements.TargetVerdict) []measurements.LayerVerdict {
	var out []measurements.LayerVerdict
	for _, l := range t.Layers {
		if !plain(l) {
			out = append(out, l)
		}
	}
	return out
}

package web

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/telltale-probe/telltale/measurements/export"
	"github.com/telltale-probe/telltale/measurements/store"
)

// Where evidence is served, and what was said about it at the time, as package export writes them.
const (
	MeasurementsPath = "/api/v1/measurements"
	VerdictsPath     = "/api/v1/verdicts"
)

// What an answer says of itself, beside Link (RFC 8288).
const (
	// cursorField is the place of the last record, for the parameter cursor: what comes later, too, is behind it.
	cursorField = "Telltale-Cursor"
	// unreadField is how many records could not be read and are not there: a trailer, since it shows on the way.
	unreadField = "Telltale-Unreadable"
)

// maxReaders bounds answers at the same time. Chosen by us: a compressor takes a megabyte, a record some more.
const maxReaders = 2

// records serves a form of what the store holds, as NDJSON, oldest first: at most limit records a page. A client
// goes on with the Link "next" while there is one, and later with the cursor of the last page. Nothing is lost or
// doubled between pages, but where this machine's clock was set back.
//
// The store is asked for a record at a time: whoever reads slowly holds nobody up.
func (s *Server) records(form func(*store.Store, []string) export.Form) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		kept := s.config.Evidence
		if kept == nil {
			http.NotFound(w, r)
			return
		}
		if !s.letIn(r) {
			say(w, http.StatusForbidden, refusal)
			return
		}
		q, err := readQuery(r.URL.RawQuery, time.Now())
		if err != nil {
			say(w, http.StatusBadRequest, err.Error())
			return
		}
		select {
		case s.readers <- struct{}{}:
			defer func() { <-s.readers }()
		default:
			w.Header().Set("Retry-After", "10")
			say(w, http.StatusServiceUnavailable, "Others are reading just now; ask again in a moment.")
			return
		}
		f := form(kept, q.Apps)
		s.answer(w, r, &f, &q)
	}
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, f *export.Form, q *query) {
	if refused, err := s.unknown(q.Apps); refused != "" || err != nil {
		s.sorry(w, refused, err)
		return
	}
	at, err := f.Find(q.Selection, q.limit+1)
	if err != nil {
		s.sorry(w, "", err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	cursor := q.After
	if len(at) > 0 {
		cursor = at[min(len(at), q.limit)-1]
	}
	if len(at) > q.limit {
		at = at[:q.limit]
		h.Set("Link", "<"+r.URL.Path+"?"+q.from(cursor)+`>; rel="next"`)
	}
	if cursor != (store.Position{}) {
		h.Set(cursorField, cursor.String())
	}
	if r.Method == http.MethodHead {
		return
	}
	h.Set("Trailer", unreadField)
	s.send(w, r, f, at)
}

// unknown says which of the apps the store has nothing of; "" is none, or that it has nothing at all yet.
func (s *Server) unknown(apps []string) (string, error) {
	if len(apps) == 0 {
		return "", nil
	}
	have, err := s.config.Evidence.Apps(apps...)
	for _, app := range apps {
		if len(have) > 0 && !slices.Contains(have, app) {
			return fmt.Sprintf("app=%.64q: there are measurements of %s", app, strings.Join(have, ", ")), nil
		}
	}
	return "", err
}

// sorry says that a client asked wrongly, or that the store can't be read.
func (s *Server) sorry(w http.ResponseWriter, refused string, err error) {
	if err == nil {
		say(w, http.StatusBadRequest, refused)
		return
	}
	s.config.Log.Error().Err(err).Msg("evidence can't be served")
	say(w, http.StatusInternalServerError, "The store can't be read; the log says why.")
}

// send streams records. An answer that breaks off is no whole one: the connection ends with it.
func (s *Server) send(w http.ResponseWriter, r *http.Request, f *export.Form, at []store.Position) {
	slow, done := s.patiently(w)
	defer done()
	var out io.Writer = slow
	finish := func() error { return nil }
	w.Header().Add("Vary", "Accept-Encoding")
	if acceptsGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(out)
		out, finish = z, z.Close
	}
	unread := 0
	for record, err := range f.Records(at) {
		if err != nil {
			s.config.Log.Warn().Err(err).Msg("a record can't be read, and is not served")
			unread++
		}
		if _, err := out.Write(record.Text); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	if finish() != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set(unreadField, strconv.Itoa(unread))
}

// acceptsGzip says whether a client wants gzip (RFC 9110, section 12.5.3), in the plain forms that there are.
func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			return !strings.HasPrefix(strings.ReplaceAll(weight, " ", ""), "q=0") || strings.Trim(weight, " q=0.") != ""
		}
	}
	return false
}

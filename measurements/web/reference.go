package web

import (
	"net/http"
	"strconv"
)

// ReferencePath is where a reference vantage tells others what it measured (package reference).
const ReferencePath = "/api/v1/reference"

// reference serves the signed answer: 404 where this telltale is no reference, which is the default, and
// 503 while it has nothing to say, before its first round or after one on a broken line. The answer is
// meant for strangers: it says nothing that its signature does not cover.
func (s *Server) reference(w http.ResponseWriter, r *http.Request) {
	if s.config.Reference == nil {
		http.NotFound(w, r)
		return
	}
	answer, serves := s.config.Reference()
	switch {
	case !serves:
		http.NotFound(w, r)
	case len(answer) == 0:
		say(w, http.StatusServiceUnavailable, "This reference has measured nothing yet.")
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		_, _ = w.Write(answer)
	}
}

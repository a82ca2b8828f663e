package web

import (
	"net/http"
	"testing"
)

// A telltale is no reference unless it was told to be one; without a round it says so.
func TestReference(t *testing.T) {
	serving := func(answer string, serves bool) Config {
		c := config()
		c.Reference = func() ([]byte, bool) { return []byte(answer), serves }
		return c
	}
	for _, c := range []struct {
		name         string
		config       Config
		method, path string
		status       int
		body         string
	}{
		{"off by default", config(), http.MethodGet, ReferencePath, http.StatusNotFound, "404 page not found\n"},
		{"switched off", serving("x", false), http.MethodGet, ReferencePath, http.StatusNotFound, "404 page not found\n"},
		{"before the first round", serving("", true), http.MethodGet, ReferencePath, http.StatusServiceUnavailable, "This reference has measured nothing yet.\n"},
		{"an answer", serving(`{"payload":""}`, true), http.MethodGet, ReferencePath, http.StatusOK, `{"payload":""}`},
		{"nothing can be posted", serving("x", true), http.MethodPost, ReferencePath, http.StatusMethodNotAllowed, ""},
		{"nothing lies below", serving("x", true), http.MethodGet, ReferencePath + "/apps", http.StatusNotFound, ""},
	} {
		w := do(c.config, c.method, c.path)
		if w.Code != c.status {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.status)
		}
		if got := w.Body.String(); c.body != "" && got != c.body {
			t.Errorf("%s: %q, want %q", c.name, got, c.body)
		}
	}
	if w := do(serving("x", true), http.MethodGet, ReferencePath); w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("an answer is %q", w.Header().Get("Content-Type"))
	}
	if w := do(serving("x", true), http.MethodGet, ReferencePath, "Host", "elsewhere.example"); w.Code != http.StatusMisdirectedRequest {
		t.Errorf("under another name: %d", w.Code)
	}
}

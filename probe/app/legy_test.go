package app

import (
	"net/http"
	"strconv"
	"testing"
)

// The status in x-lc is the real one, if it is one and alone.
func TestLEGYStatus(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []string
		code   int
		spoken bool
	}{
		{"without a token", []string{"403"}, 403, true},
		{"no such path", []string{"404"}, 404, true},
		{"the lowest", []string{"100"}, 100, true},
		{"the highest", []string{"599"}, 599, true},

		{"absent", nil, 200, false},
		{"empty", []string{""}, 200, false},
		{"twice", []string{"404", "404"}, 200, false},
		{"in a list", []string{"404, 404"}, 200, false},
		{"too low", []string{"099"}, 200, false},
		{"too high", []string{"600"}, 200, false},
		{"short", []string{"40"}, 200, false},
		{"long", []string{"0404"}, 200, false},
		{"signed", []string{"+40"}, 200, false},
		{"with a space", []string{"40 "}, 200, false},
		{"other digits", []string{"٤"}, 200, false},
		{"no number", []string{"abc"}, 200, false},
	} {
		h := http.Header{}
		for _, v := range c.values {
			h.Add("x-lc", v)
		}
		if code, spoken := LEGYStatus(h, 200); code != c.code || spoken != c.spoken {
			t.Errorf("%s: got %d, %v, want %d, %v", c.name, code, spoken, c.code, c.spoken)
		}
	}
}

// FuzzLEGYStatus reads headers of a hostile server: what is spoken is what it wrote.
func FuzzLEGYStatus(f *testing.F) {
	f.Add("404", 200)
	f.Add("+404", 302)
	f.Fuzz(func(t *testing.T, value string, status int) {
		code, spoken := LEGYStatus(http.Header{"X-Lc": {value}}, status)
		if spoken && (strconv.Itoa(code) != value || code < 100 || code > 599) || !spoken && code != status {
			t.Errorf("%q: got %d, %v", value, code, spoken)
		}
	})
}

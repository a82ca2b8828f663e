package delivery_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements/delivery"
)

func postTo(t testing.TB, address string) *delivery.Post {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &delivery.Post{Client: delivery.NewClient(&http.Transport{}), URL: u, UserAgent: "telltale/test",
		Scrub: func(s string) string { return strings.ReplaceAll(s, "192.0.2.7", "[scrubbed]") }}
}

// Each status has one meaning: 4xx but 429 is final, and everything else is not.
func TestWhatAnAnswerMeans(t *testing.T) {
	later := time.Now().Add(time.Hour).Truncate(time.Second) // what such a date can say
	for _, c := range []struct {
		status int
		after  string
		want   string        // reason; "" is success
		wait   time.Duration // an hour is what is left until later
	}{
		{200, "", "", 0}, {204, "", "", 0},
		{302, "", delivery.Server, 0}, {307, "", delivery.Server, 0},
		{400, "", delivery.Rejected, 0}, {401, "", delivery.Rejected, 0}, {404, "", delivery.Rejected, 0}, {413, "", delivery.Rejected, 0},
		{429, "", delivery.Limited, 0}, {429, "90", delivery.Limited, 90 * time.Second}, {429, "-1", delivery.Limited, 0}, {429, "soon", delivery.Limited, 0},
		{500, "", delivery.Server, 0}, {503, "7", delivery.Server, 7 * time.Second},
		{503, later.UTC().Format(http.TimeFormat), delivery.Server, time.Hour},
		{503, time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), delivery.Server, 0},
	} {
		asked := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.Header().Set("Retry-After", c.after)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte("you are 192.0.2.7" + strings.Repeat(".", 4096)))
		}))
		asking := time.Now()
		a, err := postTo(t, server.URL).Send(t.Context(), []byte("x"), nil)
		server.Close()
		if err != nil {
			t.Fatal(err)
		}
		reason, wait := "", time.Duration(0)
		err = a.Err()
		var again *delivery.Later
		var refused *delivery.Refused
		switch {
		case errors.As(err, &again):
			reason, wait = again.Reason, again.After
		case errors.As(err, &refused):
			reason = refused.Reason
		}
		least, most := c.wait, c.wait
		if c.wait == time.Hour {
			least, most = time.Until(later), later.Sub(asking)
		}
		if reason != c.want || wait < least || wait > most || asked != 1 {
			t.Errorf("%d %q: %q after %s, %d requests", c.status, c.after, reason, wait, asked)
		}
		if strings.Contains(a.Text, "192.0.2.7") || len(a.Text) > 1024 {
			t.Errorf("%d: the log would tell %q", c.status, a.Text)
		}
	}
}

// What a request bears.
func TestWhatARequestBears(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer server.Close()
	p := postTo(t, server.URL)
	p.Header = http.Header{"X-Scope-Orgid": {"a"}}
	p.Bearer = "secret"
	if _, err := p.Send(t.Context(), nil, http.Header{"Content-Type": {"x/y"}}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"X-Scope-Orgid": "a", "Authorization": "Bearer secret", "Content-Type": "x/y", "User-Agent": "telltale/test"} {
		if got.Get(name) != want {
			t.Errorf("%s: %q", name, got.Get(name))
		}
	}
	p.Bearer, p.User, p.Password = "", "me", "pass"
	if _, err := p.Send(t.Context(), nil, nil); err != nil || got.Get("Authorization") != "Basic bWU6cGFzcw==" {
		t.Errorf("%q, %v", got.Get("Authorization"), err)
	}
	server.Close()
	var later *delivery.Later
	if _, err := p.Send(t.Context(), nil, nil); !errors.As(err, &later) || later.Reason != delivery.Unreachable {
		t.Errorf("nobody there: %v", err)
	}
}

package probe

import (
	"bytes"
	"crypto/ed25519"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/reference"
	"github.com/telltale-probe/telltale/probe/schedule"
)

var referenceSecret = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{5}, ed25519.SeedSize))

// referenceAnswer is signed, of now or earlier, and says something of one app.
func referenceAnswer(t *testing.T, age time.Duration) []byte {
	t.Helper()
	b, err := reference.Sign(&reference.Answer{Schema: reference.Schema, Time: time.Now().Add(-age).UTC(), Apps: []reference.App{{App: "telegram"}}}, referenceSecret)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func referencePlan(url string) *Plan {
	return &Plan{Timeout: patient, Families: []measurements.Family{measurements.IPv4},
		Reference: &Reference{URL: url, PublicKey: referenceSecret.Public().(ed25519.PublicKey)}}
}

// Whatever a reference does, a round goes on: with its word, or with the reason why there is none.
func TestAskReference(t *testing.T) {
	t.Parallel()
	send := func(b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(b) }
	}
	for _, c := range []struct {
		name  string
		serve http.HandlerFunc
		want  string // in Reference.None; "" is an answer
	}{
		{"an answer", send(referenceAnswer(t, time.Minute)), ""},
		{"an old answer", send(referenceAnswer(t, 2*time.Hour)), "older than"},
		{"not a reference", http.NotFound, "no answer"},
		{"sent elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		}, "no answer"},
		{"a page", send([]byte("<html>")), "can't be read"},
		{"nothing", send(nil), "can't be read"},
		{"no end", func(w http.ResponseWriter, _ *http.Request) {
			for range 64 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, "larger than"},
		{"hung up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "unreachable: HTTP exchange: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.serve)
			defer server.Close()
			p := referencePlan(server.URL)
			var in atomic.Int64
			p.Bytes = func(_, n int64) { in.Add(n) }
			got := p.askReference(t.Context())("telegram")
			if (got.None == "") != (c.want == "") || !strings.Contains(got.None, c.want) {
				t.Errorf("none %q, want %q", got.None, c.want)
			}
			if c.want == "" && got.At.IsZero() {
				t.Error("an answer without a time")
			}
			if n := in.Load(); n == 0 || n > 2*reference.MaxBytes {
				t.Errorf("%d bytes came by our own count", n)
			}
			if strings.Contains(got.None, "127.0.0.1") {
				t.Errorf("the reason holds an address: %q", got.None)
			}
		})
	}
}

// A reference that says nothing, or not all, is given up after the time of a step; and an end of the round ends the question.
func TestAskReferenceInVain(t *testing.T) {
	t.Parallel()
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		round time.Duration // which then ends; the step has half a minute
		want  string
	}{
		"silence": {silent, time.Hour, "unreachable: HTTP exchange: generic_timeout_error"},
		"an answer that stops": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(`{"payload":`))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, time.Hour, "unreachable: HTTP exchange: generic_timeout_error"},
		"the round ends": {silent, time.Second, "unreachable: HTTP exchange: generic_timeout_error"},
	} {
		inBubble(t, func(t *testing.T) {
			p := referencePlan("http://" + nowhere.String())
			p.Host, p.Timeout = onPipes(serveOne(c.serve, "http/1.1")), 30*time.Second
			var in atomic.Int64
			p.Bytes = func(_, n int64) { in.Add(n) }
			begun := time.Now()
			got := p.askReference(within(t, c.round))("telegram")
			if got.None != c.want || in.Load() == 0 {
				t.Errorf("%s: none %q, want %q; %d bytes came", name, got.None, c.want, in.Load())
			}
			if took := time.Since(begun); took != min(p.Timeout, c.round) {
				t.Errorf("%s: it took %v", name, took)
			}
		})
	}
}

// Over TLS the server has to be the one that the URL names.
func TestAskReferenceOverTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(referenceAnswer(t, 0)) }))
	defer server.Close()
	p := referencePlan(server.URL)
	if got := p.askReference(t.Context())("telegram"); got.None != "unreachable: TLS handshake: ssl_unknown_authority" {
		t.Errorf("a stranger's certificate: %q", got.None)
	}
	trusting := referencePlan(server.URL)
	trusting.Host.Roots = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	if got := trusting.askReference(t.Context())("telegram"); got.None != "" {
		t.Errorf("a certificate that verifies: %q", got.None)
	}
}

// A reference is asked once in five minutes, and not at all without a budget, without a name, or where
// control R is switched off.
func TestReferenceIsAskedSparingly(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	answer := referenceAnswer(t, 0)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write(answer)
	}))
	defer server.Close()
	p := referencePlan(server.URL)
	for range 3 {
		if got := p.askReference(t.Context())("telegram"); got.None != "" {
			t.Errorf("none: %s", got.None)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times in a row", n)
	}
	p.Reference.asked = time.Now().Add(-referencePause)
	server.CloseClientConnections()
	p.askReference(t.Context())
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times, five minutes later", n)
	}
	p.Reference.asked, p.Budget = time.Time{}, schedule.NewBudget(1)
	if got := p.askReference(t.Context())("telegram"); got.None != "" || asked.Load() != 2 {
		t.Errorf("without a budget the last answer stands while it is fresh: %q, asked %d times", got.None, asked.Load())
	}
	p.Reference.answer = nil
	if got := p.askReference(t.Context())("telegram"); !strings.Contains(got.None, "budget") {
		t.Errorf("without a budget: %q", got.None)
	}
	p.Without = map[measurements.Control]bool{measurements.R: true}
	if got := p.askReference(t.Context())("telegram"); got != nil || asked.Load() != 2 {
		t.Errorf("without control R: %+v", got)
	}
	if got := (&Plan{}).askReference(t.Context())("telegram"); got != nil {
		t.Errorf("without a reference: %+v", got)
	}
}

// A last answer is used while it is fresh, also when the reference can't be reached any more.
func TestReferenceAnswersGoStale(t *testing.T) {
	t.Parallel()
	r := &Reference{failed: "unreachable", answer: &reference.Answer{Time: time.Now().Add(-50 * time.Minute), Apps: []reference.App{{App: "telegram"}}}}
	if got := r.about(time.Now())("telegram"); got.None != "" {
		t.Errorf("after 50 minutes: %q", got.None)
	}
	if got := r.about(time.Now().Add(11 * time.Minute))("telegram"); got.None != "unreachable" {
		t.Errorf("after an hour: %q", got.None)
	}
	r.failed = ""
	if got := r.about(time.Now().Add(11 * time.Minute))("telegram"); !strings.Contains(got.None, "older") {
		t.Errorf("after an hour: %q", got.None)
	}
}

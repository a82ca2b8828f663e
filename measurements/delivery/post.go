package delivery

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Post is where requests go, and what they bear.
type Post struct {
	Client    *http.Client // Required. It must not follow redirects: see NewClient.
	URL       *url.URL
	Header    http.Header // on every request
	UserAgent string

	// Bearer, or User with Password, is sent as Authorization; "" is neither.
	Bearer         string
	User, Password string

	// Scrub takes out of what a receiver said whatever it must not tell a log: the address that it sees us
	// under. Required.
	Scrub func(string) string
}

// Bounds of an exchange. Chosen by us: Tor is slow, and a receiver's words are for a log line.
const (
	exchangeTimeout = time.Minute
	maxAnswer       = 512
)

// NewClient makes the client of a Post. Redirects are not followed: they would carry the password elsewhere,
// and are what a captive portal answers with.
func NewClient(through http.RoundTripper) *http.Client {
	return &http.Client{Transport: through, Timeout: exchangeTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Answer is what a receiver said.
type Answer struct {
	Status int
	Header http.Header
	Text   string // the beginning of the body, for people
}

// Send posts a body once. An error means that there was no answer; it is a *Later.
func (p *Post) Send(ctx context.Context, body []byte, header http.Header) (*Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL.String(), bytes.NewReader(body))
	if err != nil {
		return nil, &Refused{Damaged, err}
	}
	for _, h := range []http.Header{p.Header, header} {
		for name, values := range h {
			req.Header[name] = values
		}
	}
	req.Header.Set("User-Agent", p.UserAgent)
	switch {
	case p.Bearer != "":
		req.Header.Set("Authorization", "Bearer "+p.Bearer)
	case p.User != "":
		req.SetBasicAuth(p.User, p.Password)
	}
	resp, err := p.Client.Do(req)
	if err != nil {
		return nil, &Later{Reason: Unreachable, Err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, &Later{Reason: Unreachable, Err: fmt.Errorf("the answer broke off: %w", err)}
	}
	return &Answer{resp.StatusCode, resp.Header, p.Scrub(strings.TrimSpace(string(text)))}, nil
}

// Err says what an answer means: nil where the receiver has it, else *Later or *Refused.
//
// A 4xx other than 429 is final (Remote-Write 2.0, "Retries & Backoff").
func (a *Answer) Err() error {
	if a.Status/100 == 2 {
		return nil
	}
	err := fmt.Errorf("the receiver answered %d %s: %q", a.Status, http.StatusText(a.Status), a.Text)
	switch {
	case a.Status == http.StatusTooManyRequests:
		return &Later{Limited, a.retryAfter(time.Now()), err}
	case a.Status/100 == 4:
		return &Refused{Rejected, err}
	}
	return &Later{Server, a.retryAfter(time.Now()), err}
}

// retryAfter reads the header of that name (RFC 9110 section 10.2.3): seconds or a date; 0 where there is none.
func (a *Answer) retryAfter(now time.Time) time.Duration {
	text := a.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

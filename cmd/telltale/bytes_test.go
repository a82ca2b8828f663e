package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements/delivery"
	"github.com/telltale-probe/telltale/measurements/remotewrite"
)

// What a receiver gets is what the list says of it, but for what was found.
func TestReceiversGetWhatIsListed(t *testing.T) {
	got := make(chan *http.Request, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		got <- r
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	to, err := url.Parse(server.URL + "/api/v1/write")
	if err != nil {
		t.Fatal(err)
	}
	r := &config.Receiver{URL: to, Header: http.Header{"X-Scope-Orgid": {hidden}}, Bearer: hidden}
	send := func(post *delivery.Post) {
		_ = remotewrite.NewWriter(post, zerolog.Nop()).Send(context.Background(), nil)
	}
	list := toReceiver(r, send)
	send(postTo(r, outletTo(r).Transport()))
	close(got)
	for _, m := range list { // of 2.0, and then of 1.0
		listed, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(m.Bytes)))
		if err != nil {
			t.Fatal(err)
		}
		sent, ok := <-got
		if !ok {
			t.Fatalf("listed and never sent: %s", m.Bytes)
		}
		if diff := cmp.Diff(listed.Header, sent.Header); diff != "" || listed.Method != sent.Method || listed.Host != sent.Host || listed.RequestURI != sent.RequestURI {
			t.Errorf("%s %s %s, listed as %s %s %s (-listed +sent):\n%s", sent.Method, sent.Host, sent.RequestURI, listed.Method, listed.Host, listed.RequestURI, diff)
		}
		one, _ := io.ReadAll(listed.Body)
		other, _ := io.ReadAll(sent.Body)
		if !bytes.Equal(one, other) {
			t.Errorf("sent %x, listed %x", other, one)
		}
	}
	if r, more := <-got; more {
		t.Errorf("sent and not listed: %+v", r.Header)
	}
}

// The list has everybody whom the configuration names, and no secret.
func TestBytesOfAConfiguration(t *testing.T) {
	dir := t.TempDir()
	const secret = "0p3n-s3sam3"
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "telltale.toml")
	err := os.WriteFile(file, []byte(`
[network]
resolver = "tls://dns.example#192.0.2.53"
[apps]
enabled = ["line"]
[reference]
url = "https://reference.example.org/api/v1/reference"
public_key = "1111111111111111111111111111111111111111111="
[push]
url = "https://metrics.example.org/api/v1/write"
username = "me"
password_file = "secret"
[push.headers]
X-Scope-OrgID = "`+secret+`"
[push.evidence]
url = "https://evidence.example.org/in"
proxy = "socks5://127.0.0.1:9050"
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	code, out, errs := telltale(t, "", "--config.file="+file, "catalogue", "--bytes")
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for _, want := range []string{
		"\nline ", "\nneutral host ", "\nplacebo ", "\nthe resolver under test, beside", "DNS query over TLS, A, unchecked", "\nresolver https://dns.quad9.net",
		"\nreference vantage\n", "GET /api/v1/reference HTTP/1.1", "\nreceiver of metrics", "\nreceiver of evidence", "to the proxy, ", "hop scan", "to a helper",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	for _, not := range []string{secret, "DNS query over UDP, A, "} {
		if strings.Contains(out, not) {
			t.Errorf("it has %q", not)
		}
	}
}

// What explains the list fits a terminal.
func TestBytesNoteFits(t *testing.T) {
	for line := range strings.Lines(bytesNote) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > tableWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

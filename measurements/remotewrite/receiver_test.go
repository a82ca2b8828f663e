package remotewrite_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// receiver is a real one, on loopback.
type receiver struct {
	t       *testing.T
	path    string
	args    []string
	address string
	ready   string
	dropped time.Time // when series ended, with a stale marker
	log     string

	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has
	fell  bool          // by itself: what was played against it says nothing
}

// plays is how often one is played against a receiver that falls over by itself. Chosen by us: on busy machines we
// saw it once in hundreds of plays, so that three in a row are no accident, and ours to explain.
const plays = 3

// play tests against a receiver, and again where that one's process ended without being told to.
func play(t *testing.T, name string, test func(t *testing.T, r *receiver)) {
	fell := false
	for i := range plays {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			r := &receiver{t: t, address: free(t), log: filepath.Join(dir, "log")}
			defer r.stop()
			defer func() { fell = r.fell }()
			test(t, r)
		})
		if !fell {
			return
		}
		t.Logf("%s fell over, play %d of %d", name, i+1, plays)
	}
	t.Errorf("%s falls over each time", name)
}

// fellOver ends the play, without a verdict, where the receiver's process is gone.
func (r *receiver) fellOver() {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(100 * time.Millisecond): // its connections may be gone before it is
		return
	}
	said, _ := os.ReadFile(r.log)
	r.fell = true
	r.t.Skipf("%s ended by itself, %v: %q\n%s", r.path, r.cmd.ProcessState, crash.Find(said), said[max(0, len(said)-8<<10):])
}

// patience is how long is waited for what takes seconds, but for machines that stand still.
const patience = 3 * time.Minute

// crash is how the words of a Go program begin that crashes.
var crash = regexp.MustCompile(`(?m)^(panic|fatal error|unexpected fault address|SIG[A-Z]+:).*`)

func (r *receiver) url(path string) string { return "http://" + r.address + path }

func (r *receiver) start() {
	r.t.Helper()
	out, err := os.OpenFile(r.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	cmd, ended := exec.Command(r.path, r.args...), make(chan struct{})
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // how it ended is read from ProcessState
		close(ended)
	}()
	r.cmd, r.ended = cmd, ended
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if resp, err := http.Get(r.url(r.ready)); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ended: // said below
			end = time.Time{}
		case <-time.After(50 * time.Millisecond):
		}
	}
	r.fellOver()
	text, _ := os.ReadFile(r.log)
	r.t.Fatalf("%s did not get ready:\n%s", r.path, text)
}

func (r *receiver) stop() {
	if r.cmd != nil {
		_ = r.cmd.Process.Signal(os.Interrupt)
		<-r.ended
		r.cmd = nil
	}
}

// deliver empties the vantage's outbox into it, at most so many messages; 0 is all.
func (r *receiver) deliver(v *vantage, most int) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	ended := r.ended
	go func() {
		select {
		case <-ended: // nothing will come of waiting
		case <-ctx.Done():
		}
		cancel()
	}()
	if _, wrong := delivered(ctx, r.t, v, r.url("/api/v1/write"), most); wrong != "" {
		r.fellOver()
		r.t.Fatal(wrong)
	}
}

func free(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func (r *receiver) get(path string, query url.Values) io.ReadCloser {
	r.t.Helper()
	resp, err := http.Get(r.url(path) + "?" + query.Encode())
	if err != nil {
		r.fellOver()
		r.t.Fatal(err)
	}
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(resp.Body)
		r.t.Fatalf("%s: %s: %s", path, resp.Status, text)
	}
	return resp.Body
}

package web

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/store"
)

// large is a store with a round of half a megabyte.
func large(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	m := measurements.Measurement{ID: "m", App: "telegram", Started: noon, Targets: []measurements.TargetInfo{{ID: "web", Hosts: []string{strings.Repeat("x", 512<<10)}}}}
	if err := s.Append(measurements.Round{ID: "r", Started: noon, Apps: []measurements.Measurement{m}}, measurements.RoundVerdict{Schema: measurements.RoundSchema}); err != nil {
		t.Fatal(err)
	}
	return s
}

// readAt reads an answer at so many bytes a second, in virtual time.
func readAt(r io.Reader, perSecond int64) (sum int64, err error) {
	for err == nil {
		var n int64
		n, err = io.CopyN(io.Discard, r, perSecond)
		sum += n
		time.Sleep(time.Second)
	}
	return sum, err
}

// uncompressed asks for all that there is, and gives the body to read.
func uncompressed(t *testing.T, client *http.Client) io.ReadCloser {
	t.Helper()
	r, err := http.NewRequest("GET", "http://localhost"+MeasurementsPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity")
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Body
}

// A client that reads slowly gets all of a long answer, though it takes longer than other answers may; one
// that hardly reads, or stops, is let go. The daemon writes all the while.
func TestSlowReaders(t *testing.T) {
	s := large(t)
	synctest.Test(t, func(t *testing.T) {
		server := serving(s)
		client, stop := serve(t, server, net.IPv4(127, 0, 0, 1))
		for _, tt := range []struct {
			name      string
			perSecond int64
			whole     bool
		}{{"a slow line", 2 << 10, true}, {"one that takes too long", 600, false}, {"one that hardly reads", 100, false}} {
			began := time.Now()
			answer := uncompressed(t, client)
			add(t, s, tt.name, noon.Add(time.Hour), "line") // as the daemon does meanwhile
			sum, err := readAt(answer, tt.perSecond)
			took := time.Since(began)
			if whole := errors.Is(err, io.EOF) && sum > 512<<10; whole != tt.whole || took > longestAnswer+2*writeTimeout || tt.whole && took < 2*writeTimeout {
				t.Errorf("%s: %d bytes in %v, then %v", tt.name, sum, took, err)
			}
			_ = answer.Close()
		}
		stop()
	})
}

// Who stops the program does not wait for readers, not even for one that takes nothing any more.
func TestStoppingEndsReaders(t *testing.T) {
	s := large(t)
	add(t, s, "later", noon.Add(time.Hour), "line")
	synctest.Test(t, func(t *testing.T) {
		server := serving(s)
		client, stop := serve(t, server, net.IPv4(127, 0, 0, 1))
		answer := uncompressed(t, client)
		synctest.Wait() // the server is in the midst of the first record
		began := time.Now()
		stop()
		if took := time.Since(began); took >= time.Second {
			t.Errorf("it took %v", took)
		}
		if _, err := io.Copy(io.Discard, answer); err == nil {
			t.Error("half an answer looks like a whole one")
		}
		_ = answer.Close()
	})
}

// Nor does a client that asked for the page and never reads it hold up the end, or make it a failure.
func TestStoppingCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{make(chan net.Conn), make(chan struct{}), net.IPv4(127, 0, 0, 1)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- New(config()).Serve(ctx, n) }()
		conn, err := n.dial(ctx, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the server writes the page
		began := time.Now()
		cancel()
		if err := <-done; err != nil || time.Since(began) >= time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		_ = conn.Close()
	})
}

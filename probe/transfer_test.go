package probe

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// Bodies serves one that is whole, one that is endless, one that stops until done, and one that dies. It and TransferBytes
// are exported for the tests from outside of the package.
func Bodies(done <-chan struct{}) http.HandlerFunc {
	const piece = 10 << 10
	return func(w http.ResponseWriter, r *http.Request) {
		pieces := map[string]int{"/whole": 7, "/endless": 100, "/stops": 2, "/dies": 2}[r.URL.Path]
		for range pieces {
			_, _ = w.Write(bytes.Repeat([]byte("z"), piece))
			w.(http.Flusher).Flush()
		}
		switch r.URL.Path {
		case "/stops":
			<-done
		case "/dies":
			panic(http.ErrAbortHandler)
		}
	}
}

// serveBodies serves them over TLS, with h2 and HTTP/1.1.
func serveBodies(t *testing.T) netip.AddrPort {
	t.Helper()
	done := make(chan struct{})
	s := httptest.NewUnstartedServer(Bodies(done))
	s.EnableHTTP2 = true
	s.TLS = serverConfig(good)
	s.StartTLS()
	t.Cleanup(func() { close(done); s.Close() })
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

// TransferBytes is what a transfer takes of an endless body.
const TransferBytes = transferBytes

func TestTransfer(t *testing.T) {
	t.Parallel()
	at := serveBodies(t)
	for path, want := range map[string]struct {
		ended       string
		failed      bool
		least, most int64
	}{
		"/whole":   {measurements.EndedComplete, false, 70 << 10, 70 << 10},
		"/endless": {measurements.EndedByBytes, false, transferBytes, transferBytes},
		"/dies":    {measurements.EndedByFailure, true, 0, 20 << 10},
	} {
		for _, alpn := range []string{"http/1.1", "h2"} {
			t.Run(alpn+path, func(t *testing.T) {
				t.Parallel()
				conn, _ := shakeHands(t, at, TLSInput{Name: site, ALPN: []string{alpn}})
				o := Transfer(within(t, patient), conn, HTTPInput{Host: site, Path: path}, patient)
				b := o.Transfer
				if b == nil || b.Ended != want.ended || o.OK() == want.failed || b.Bytes < want.least || b.Bytes > want.most {
					t.Fatalf("%+v, %s (%s)", b, o.Failure, o.Error)
				}
				if o.HTTP == nil || o.HTTP.Status != http.StatusOK {
					t.Errorf("%+v", o.HTTP)
				}
			})
		}
	}
}

// A transfer that stops is over when nothing has come for the time that a stall takes.
func TestTransferStalls(t *testing.T) {
	t.Parallel()
	for _, alpn := range []string{"http/1.1", "h2"} {
		inBubble(t, func(t *testing.T) {
			done := make(chan struct{})
			defer close(done)
			now := newAuthority() // a bubble begins in another year
			config := serverConfig(now.issue(time.Hour, site), alpn)
			serve := serveOne(Bodies(done), alpn)
			host := onPipes(func(c net.Conn) { serve(tls.Server(c, config)) })
			host.Roots = now.roots
			raw, _ := host.Connect(within(t, patient), nowhere)
			conn, o := host.TLS(within(t, patient), raw, TLSInput{Name: site, ALPN: []string{alpn}})
			if !o.OK() {
				t.Fatal(o.Error)
			}
			o = Transfer(within(t, patient), conn, HTTPInput{Host: site, Path: "/stops"}, brief)
			if b := o.Transfer; b == nil || b.Ended != measurements.EndedByStall || b.Bytes != 20<<10 || o.HTTP == nil || o.HTTP.Status != http.StatusOK {
				t.Fatalf("%s: %+v, %s (%s)", alpn, b, o.Failure, o.Error)
			}
			if o.Failure != measurements.Timeout || time.Duration(o.Duration) != brief {
				t.Errorf("%s: a stall is %s after %v", alpn, o.Failure, time.Duration(o.Duration))
			}
		})
	}
}

// An object is named by how it begins, in whatever pieces it comes; one that is too short has no name.
func TestHeadOfABody(t *testing.T) {
	t.Parallel()
	head := func(pieces ...int) (head [sha256.Size]byte, whole bool) {
		m := newMeter(func(error) {}, time.Minute)
		defer m.stop()
		for _, n := range pieces {
			_, _ = m.Write(bytes.Repeat([]byte("z"), n))
		}
		return m.object()
	}
	first, whole := head(measurements.BodyHead)
	if !whole || first != sha256.Sum256(bytes.Repeat([]byte("z"), measurements.BodyHead)) {
		t.Error("the whole of it has no name")
	}
	for _, pieces := range [][]int{{1, measurements.BodyHead - 1}, {1000, 3 * measurements.BodyHead}} {
		if again, whole := head(pieces...); again != first || !whole {
			t.Errorf("%v: another name", pieces)
		}
	}
	if _, whole := head(measurements.BodyHead - 1); whole {
		t.Error("too short, and it has a name")
	}
}

// A record says which objects are one, and not what they are.
func TestObjectsAreNumbered(t *testing.T) {
	t.Parallel()
	var s sheet
	a, b := [sha256.Size]byte{1}, [sha256.Size]byte{2}
	if got := []int{s.object(a), s.object(b), s.object(a)}; !slices.Equal(got, []int{1, 2, 1}) {
		t.Errorf("numbered %v", got)
	}
}

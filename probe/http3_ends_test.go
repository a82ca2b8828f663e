package probe_test

import (
	"context"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
)

// overHTTP3 serves pages over HTTP/3 on a line of 60 ms there and back, where time is virtual, and hands the test a way to
// shake hands with whoever serves them. The servers of pages end with stop.
func overHTTP3(t *testing.T, pages func(stop <-chan struct{}) http.Handler, test func(t *testing.T, connect func() *probe.QUICConn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := netlab.NewNetwork(1)
		n.SetAccess(netlab.Link{Latency: 30 * time.Millisecond})
		w := newWorld(t, inMemory[0])
		t.Cleanup(func() { n.Close() })
		w.host.Dial = n.Dial
		at := netip.AddrPortFrom(w.address, 443)
		socket := must(t, n.ListenPacket)(at)
		stop := make(chan struct{})
		web := &http3.Server{Handler: pages(stop), TLSConfig: http3.ConfigureTLSConfig(w.config(&server{}))}
		w.tasks.Go(func() { web.Serve(socket) })
		t.Cleanup(func() { close(stop); web.Close(); socket.Close() })
		test(t, func() *probe.QUICConn {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			conn, o := w.host.QUIC(ctx, at, probe.TLSInput{Name: site, Shape: measurements.Small})
			if !o.OK() {
				t.Fatalf("%s (%s)", o.Failure, o.Error)
			}
			return conn
		})
	})
}

// An exchange that does not come to its end says why, and how much came.
func TestHTTP3Dies(t *testing.T) {
	t.Parallel()
	pages := func(stop <-chan struct{}) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("/stall", func(http.ResponseWriter, *http.Request) { <-stop })
		mux.HandleFunc("/half", func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte("ab"))
			w.(http.Flusher).Flush()
			<-stop
		})
		mux.HandleFunc("/abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		return mux
	}
	overHTTP3(t, pages, func(t *testing.T, connect func() *probe.QUICConn) {
		for _, c := range []struct {
			path   string
			cancel bool
			want   measurements.Failure
			body   int64
		}{
			{"/stall", false, measurements.Timeout, 0},
			{"/stall", true, measurements.Interrupted, 0},
			{"/half", false, measurements.Timeout, 2},
			{"/half", true, measurements.Interrupted, 2},
			{"/abort", false, measurements.HTTPRequestFailed, 0},
		} {
			conn := connect()
			ctx, cancel := context.WithTimeout(t.Context(), hush)
			if c.cancel {
				time.AfterFunc(hush/2, cancel)
			}
			x := probe.HTTP3(ctx, conn, probe.HTTPInput{Host: site, Path: c.path, MaxBody: 1 << 10})
			cancel()
			if x.Failure != c.want || x.HTTP.BodyBytes != c.body {
				t.Errorf("%s: %s (%s), %+v; want %s", c.path, x.Failure, x.Error, x.HTTP, c.want)
			}
		}
	})
}

// A transfer over QUIC tells how it ended, and what had come by then.
func TestTransferOverQUIC(t *testing.T) {
	t.Parallel()
	pages := func(stop <-chan struct{}) http.Handler { return probe.Bodies(stop) }
	overHTTP3(t, pages, func(t *testing.T, connect func() *probe.QUICConn) {
		for path, want := range map[string]struct {
			ended       string
			failed      bool
			least, most int64
		}{
			"/whole":   {measurements.EndedComplete, false, 70 << 10, 70 << 10},
			"/endless": {measurements.EndedByBytes, false, probe.TransferBytes, probe.TransferBytes},
			"/stops":   {measurements.EndedByStall, true, 20 << 10, 20 << 10},
			"/dies":    {measurements.EndedByFailure, true, 0, 20 << 10},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			o := probe.TransferQUIC(ctx, connect(), probe.HTTPInput{Host: site, Path: path}, hush)
			cancel()
			if b := o.Transfer; b == nil || b.Ended != want.ended || o.OK() == want.failed || b.Bytes < want.least || b.Bytes > want.most || o.Transport != "quic" {
				t.Errorf("%s: %+v, %s (%s)", path, b, o.Failure, o.Error)
			}
		}
	})
}

package probe

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// Where connections are in memory, time is virtual: a black hole costs nothing, and no step leaves a
// goroutine behind, since the bubble waits for all of them.
func TestStepsInVirtualTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hole := Host{Dial: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go io.Copy(io.Discard, far)
			return near, nil
		}}
		for name, ends := range map[string]func(context.Context, *Conn) measurements.Observation{
			"TLS": func(ctx context.Context, c *Conn) measurements.Observation {
				_, o := hole.TLS(ctx, c, TLSInput{Name: site})
				return o
			},
			"HTTP": func(ctx context.Context, c *Conn) measurements.Observation {
				return HTTP(ctx, c, HTTPInput{Host: site})
			},
			"QUIC": func(ctx context.Context, _ *Conn) measurements.Observation {
				_, o := hole.QUIC(ctx, nowhere, TLSInput{Name: site})
				return o
			},
			"version ping": func(ctx context.Context, _ *Conn) measurements.Observation { return hole.VersionPing(ctx, nowhere) },
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			conn, o := hole.Connect(ctx, nowhere)
			if !o.OK() {
				t.Fatal(o.Error)
			}
			if o := Settle(ctx, conn, time.Second); !o.OK() || time.Duration(o.Duration) != time.Second {
				t.Errorf("%s: settled with %q after %v", name, o.Failure, time.Duration(o.Duration))
			}
			o = ends(ctx, conn)
			if took := time.Duration(o.Duration); o.Failure != measurements.Timeout || took < 8*time.Second || took > 10*time.Second {
				t.Errorf("%s: %q (%s) after %v", name, o.Failure, o.Error, took)
			}
			conn.Close()
			cancel()
		}
	})
}

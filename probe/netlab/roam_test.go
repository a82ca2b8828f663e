package netlab

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/probe"
)

// After a move the connections of the old network are silent, in both directions and in the handshake
// too; new ones work.
func TestRoam(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		n.Roam(time.Second)
		n.serve(t, edge, echo)
		said := func(c net.Conn, text string) error {
			_ = c.SetDeadline(time.Now().Add(500 * time.Millisecond))
			if _, err := c.Write([]byte(text)); err != nil {
				return err
			}
			_, err := c.Read(make([]byte, 16))
			return err
		}
		dial := func() (net.Conn, error) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return n.Dial(ctx, "tcp4", edge.String())
		}
		old, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		if err := said(old, "before"); err != nil {
			t.Errorf("before the move: %v", err)
		}
		time.Sleep(time.Until(n.start.Add(time.Second - 10*time.Millisecond)))
		if err := said(old, "an answer that comes too late"); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("over the move: %v", err)
		}
		if err := said(old, "after"); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after the move: %v", err)
		}
		fresh, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		defer fresh.Close()
		if err := said(fresh, "after"); err != nil {
			t.Errorf("a new connection: %v", err)
		}
	})
	onWire(t, far, func(t *testing.T, n *Network) {
		n.Roam(30 * time.Millisecond)
		n.serve(t, edge, echo)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.Dial(ctx, "tcp4", edge.String()); err == nil {
			t.Error("a handshake is answered at an address that is gone")
		}
	})
}

// The vantage is told that it moved, and that it is behind a tunnel.
func TestHostTellsItsNetwork(t *testing.T) {
	inWorld := func(o Options, test func(probe.Host, *World)) {
		onWire(t, far, func(t *testing.T, _ *Network) {
			w, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = w.Close() }()
			test(w.Host(), w)
		})
	}
	inWorld(Options{Roams: time.Second}, func(h probe.Host, w *World) {
		home := h.NetworkNow()
		if home.Offline() || home.Tunnel() {
			t.Errorf("at home: %+v", home)
		}
		time.Sleep(999 * time.Millisecond)
		if !home.Same(h.NetworkNow()) {
			t.Error("moved too soon")
		}
		time.Sleep(time.Millisecond)
		if home.Same(h.NetworkNow()) {
			t.Error("did not move")
		}
		w.Network().SetRoutes(false, false)
		if !h.NetworkNow().Offline() {
			t.Error("offline, and on a network")
		}
	})
	inWorld(Options{Tunnel: true}, func(h probe.Host, _ *World) {
		if !h.NetworkNow().Tunnel() {
			t.Errorf("no tunnel: %+v", h.NetworkNow())
		}
	})
}

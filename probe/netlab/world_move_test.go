package netlab

import (
	"context"
	"crypto/tls"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// A name that moves leads elsewhere at once, but for the resolver that keeps what it knew; the old edges serve it until
// their time is over, and the new ones show another certificate.
func TestMove(t *testing.T) {
	for _, refuses := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w, err := New(Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = w.Close() }()
			const host = "www.example.com"
			before := w.Addresses(host)
			first := certificateAt(t, w, before[0], host)
			if err := w.Move(Move{Host: host, Grace: time.Hour, Kept: 2 * time.Hour, Refuses: refuses, Renewed: true}); err != nil {
				t.Fatal(err)
			}
			after := w.Addresses(host)
			if len(after) != len(before) || slices.ContainsFunc(after, func(a netip.Addr) bool { return slices.Contains(before, a) }) {
				t.Fatalf("from %v to %v", before, after)
			}
			second := certificateAt(t, w, after[0], host)
			if first == "" || second == "" || first == second {
				t.Errorf("the new edges show no new certificate")
			}
			if at := resolvedBy(t, w, host); !slices.Contains(before, at[0]) {
				t.Errorf("the resolver does not keep what it knew: %v", at)
			}
			if certificateAt(t, w, before[0], host) != first {
				t.Error("the old edge is gone at once")
			}
			time.Sleep(time.Hour)
			_, o := w.Host().Connect(t.Context(), netip.AddrPortFrom(before[0], 443))
			if want := map[bool]measurements.Failure{false: measurements.Timeout, true: measurements.ConnectionRefused}[refuses]; o.Failure != want {
				t.Errorf("the old edge after its time: %q, want %q", o.Failure, want)
			}
			time.Sleep(time.Hour)
			if at := resolvedBy(t, w, host); !slices.Contains(after, at[0]) {
				t.Errorf("the resolver still keeps %v", at)
			}
			if err := w.Move(Move{Host: host}); err != nil {
				t.Errorf("a second time: %v", err)
			}
			if w.Move(Move{Host: "nowhere.example"}) == nil {
				t.Error("a name that is not there moved")
			}
		})
	}
}

// certificateAt is the serial number of what an edge shows; "" where the handshake fails.
func certificateAt(t *testing.T, w *World, at netip.Addr, host string) string {
	t.Helper()
	c, err := w.Network().Dial(t.Context(), "tcp", netip.AddrPortFrom(at, 443).String())
	if err != nil {
		t.Error(err)
		return ""
	}
	defer c.Close()
	shaken := tls.Client(c, &tls.Config{ServerName: host, RootCAs: w.Roots()})
	if err := shaken.Handshake(); err != nil {
		t.Error(err)
		return ""
	}
	return shaken.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// resolvedBy asks the ISP's resolver.
func resolvedBy(t *testing.T, w *World, host string) []netip.Addr {
	t.Helper()
	list, err := w.Host().ResolversOfSystem()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	o := w.Host().Resolve(ctx, list[0], host, measurements.IPv4)
	if o.DNS == nil || len(o.DNS.Addresses) == 0 {
		t.Fatalf("%s: %q", host, o.Failure)
	}
	return o.DNS.Addresses
}

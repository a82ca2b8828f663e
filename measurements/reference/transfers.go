package reference

import (
	"fmt"
	"math"
	"net/netip"
	"slices"

	"github.com/telltale-probe/telltale/measurements"
)

// transfers sums up what was fetched of a target in this round, by endpoint and transport.
func (s *survey) transfers(target string) (out []measurements.ReferenceTransfer) {
	type object struct{ endpoint, name, transport string }
	seen, order := map[object][]*measurements.Observation{}, []object(nil)
	for i := range s.m.Observations {
		o := &s.m.Observations[i]
		if o.Target != target || o.Operation != measurements.Transfer || !s.alive(o.Family) || o.Transport == "quic" && !yes(s.line.UDP443) {
			continue
		}
		k := object{o.Endpoint, o.Name, o.Transport}
		if seen[k] == nil {
			order = append(order, k)
		}
		seen[k] = append(seen[k], o)
	}
	for _, k := range order {
		if t, ok := measurements.TransferOf(seen[k]); ok && len(out) < maxEntries {
			out = append(out, t)
		}
	}
	return out
}

// Keep takes over what an earlier answer says of transfers that this round did not make, while it may still be heard:
// they are made in few rounds. Before may be nil.
func (a *Answer) Keep(before *Answer) {
	if before == nil {
		return
	}
	for i := range a.Apps {
		for j := range a.Apps[i].Targets {
			t := &a.Apps[i].Targets[j]
			for _, old := range before.transfersOf(a.Apps[i].App, t.Target) {
				made := slices.ContainsFunc(t.Transfers, func(r measurements.ReferenceTransfer) bool {
					return r.Endpoint == old.Endpoint && r.Name == old.Name && r.Transport == old.Transport
				})
				if !made && a.Time.Sub(old.At) <= measurements.ReferenceTransferMaxAge && len(t.Transfers) < maxEntries {
					t.Transfers = append(t.Transfers, old)
				}
			}
		}
	}
}

func (a *Answer) transfersOf(app, target string) []measurements.ReferenceTransfer {
	for i := range a.Apps {
		for j := range a.Apps[i].Targets {
			if t := &a.Apps[i].Targets[j]; a.Apps[i].App == app && t.Target == target {
				return t.Transfers
			}
		}
	}
	return nil
}

var endings = []string{measurements.EndedComplete, measurements.EndedByBytes, measurements.EndedByTime, measurements.EndedByStall, measurements.EndedByFailure}

// mostRate bounds a goodput in bit/s: more than any line of a reference. Chosen by us.
const mostRate = 1e12

func checkTransfer(t *measurements.ReferenceTransfer) error {
	if _, err := netip.ParseAddrPort(t.Endpoint); err != nil || len(t.Name) > maxText {
		return fmt.Errorf("%.60q of %.60q is no object", t.Endpoint, t.Name)
	}
	switch {
	case t.Transport != "tls" && t.Transport != "quic":
		return fmt.Errorf("%.40q is no transport of an object", t.Transport)
	case t.At.IsZero() || t.At.Year() > 9999:
		return fmt.Errorf("the transfer from %s has no time", t.Endpoint)
	case t.Bytes < 0 || !(t.Goodput >= 0 && t.Goodput <= mostRate) || math.IsNaN(t.Goodput):
		return fmt.Errorf("the transfer from %s brought %d bytes at %g bit/s: impossible", t.Endpoint, t.Bytes, t.Goodput)
	case !slices.Contains(endings, t.Ended):
		return fmt.Errorf("%.40q ends no transfer", t.Ended)
	}
	return nil
}

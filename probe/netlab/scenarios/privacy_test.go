package scenarios_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/privacy"
)

// found lists what a verdict says, its sentences apart: those may name an address.
func found(v *measurements.RoundVerdict) (out []string) {
	out = append(out, fmt.Sprint(v.Network.State, v.Network.Signature))
	for _, app := range v.All() {
		for _, t := range app.Targets {
			for _, l := range t.Layers {
				out = append(out, fmt.Sprintln(app.App, t.Target, t.State, l.Layer, l.Family, l.State, l.Signature, l.Confidence, l.Scope, l.Rule, l.Endpoints))
			}
		}
	}
	return out
}

// dubious are the addresses of a round that the resolver under test alone gave, and that proved nothing: those of
// lies, of portals and of filters, some of which may be the volunteer's own.
func dubious(r *measurements.Round) (out []netip.Addr) {
	given, proved := map[netip.Addr]bool{}, map[netip.Addr]bool{}
	for _, m := range append([]measurements.Measurement{r.Gate}, r.Apps...) {
		for i := range m.Observations {
			o := &m.Observations[i]
			switch {
			case o.Operation == measurements.Resolve && o.DNS != nil && o.DNS.Resolver == measurements.SystemResolver:
				for _, a := range o.DNS.Addresses {
					given[a] = true
				}
			case o.Operation == measurements.Resolve && o.DNS != nil:
				for _, a := range o.DNS.Addresses {
					proved[a] = true
				}
			case o.OK() && o.Operation != measurements.Connect && o.Operation != measurements.Settle:
				proved[o.Addr()] = true
			}
		}
	}
	for a := range given {
		if !proved[a] && !a.IsUnspecified() && !a.IsLoopback() {
			out = append(out, a)
		}
	}
	return out
}

// A resolver's lie may be the volunteer's own address, and a portal may be his router. Whatever stands in the place
// of such addresses, every world is judged as it was.
func TestStandInsAreJudgedAlike(t *testing.T) {
	onceIsEnough(t)
	replaced := 0
	for _, ran := range results(t) {
		own := privacy.Own{}
		for _, a := range dubious(&ran.Round) {
			own.Addresses = append(own.Addresses, netip.PrefixFrom(a, a.BitLen()))
		}
		if len(own.Addresses) == 0 {
			continue
		}
		replaced++
		round, _ := privacy.New(own, privacy.Known{}, []byte("the lab's own")).Round(ran.Round, nil)
		for _, a := range dubious(&round) {
			if !measurements.BlockAddress(a) && slices.Contains(dubious(&ran.Round), a) {
				t.Errorf("%s: %v is there still", ran.Scenario.Name, a)
			}
		}
		before := measurements.Judge(&ran.Round, ran.History)
		after := measurements.Judge(&round, ran.History)
		if a, b := fmt.Sprint(found(&before)), fmt.Sprint(found(&after)); a != b {
			t.Errorf("%s:\n%s\nand now\n%s", ran.Scenario.Name, a, b)
		}
	}
	if replaced < 10 {
		t.Errorf("only %d worlds had such an address", replaced)
	}
}
